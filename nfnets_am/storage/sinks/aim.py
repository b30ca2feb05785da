"""Aim (aimstack.io): a folder of runs on a disk, or a tracking server."""

from collections.abc import Mapping
from collections.abc import Sequence
import os
from typing import Any

from nfnets_am.core import errors
from nfnets_am.storage import leases
from nfnets_am.storage.sinks import sink as sink_lib

_NAME = 'aim'


class Aim:
  """The lines as an Aim run: a sequence for each metric, with its split as the context.

  The repository is `.aim` in the run's folder, or in the folder that the environment variable
  AIM_REPO names, which many runs can share, or a server's, AIM_REPO=aim://HOST:PORT.
  A value of an update that is there already is written over by the same one.
  """

  library = 'aim'
  of_a_service = True

  def __init__(self, run: sink_lib.Facts, lines: Sequence[Mapping[str, Any]]):
    """Opens the run of the earlier starts, or a new one.

    Raises:
      UserError: the run's folder is in a bucket, and no other is named.
    """
    import aim
    from aim.sdk import errors as aim_errors
    repo = os.environ.get('AIM_REPO', '')
    if not repo:
      if not leases.is_local(run.folder.path):
        raise errors.UserError(
            f'{run.folder.path} is in a bucket, where Aim cannot write; allowed: AIM_REPO, a '
            'folder or aim://HOST:PORT')
      repo = os.fspath(run.folder.path)
    elif '://' not in repo:
      os.makedirs(repo, exist_ok=True)

    def opened(run_id: str) -> Any:
      # Of the machine it need know nothing: run.json does.
      return aim.Run(
          run_hash=run_id or None, repo=repo, experiment=run.experiment or None,
          # Locks of a start that was killed: one process at a time holds the folder.
          force_resume=bool(run_id),
          system_tracking_interval=None, log_system_params=False, capture_terminal_logs=False)

    try:
      self._run = opened(run.kept_id(_NAME))
    except aim_errors.MissingRunError:  # The repository is another one.
      self._run = opened('')
    run.keep_id(_NAME, self._run.hash)
    self._run.name = run.name
    self._run['config'] = dict(run.config)
    for line in lines:
      self.write(line)

  def write(self, line: Mapping[str, Any]) -> None:
    for key, value in sink_lib.numbers(line).items():
      self._run.track(value, name=key, step=line['update'], epoch=line.get('epochs'),
                      context={'split': line['split']})

  def sync(self) -> None:
    pass  # A value is in the repository's log when `track` returns.

  def close(self) -> None:
    self._run.close()
