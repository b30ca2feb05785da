"""Weights & Biases: a service, or, in its mode offline, a folder to send there later."""

from collections.abc import Mapping
from collections.abc import Sequence
import os
import pathlib
import shutil
import tempfile
from typing import Any
import uuid

from absl import logging

from nfnets_am.storage import leases
from nfnets_am.storage.sinks import sink as sink_lib

_NAME = 'wandb'
# Of runs that nobody says the experiment of.
_PROJECT = 'nfnets_am'
# For an answer of the service when a run begins, and for what is left to send when it ends.
_INIT_S, _FINISH_S = 30.0, 60.0
_OFFLINE = ('offline', 'dryrun', 'disabled')


class WeightsAndBiases:
  """The lines as a W&B run: a row for each update, of 'SPLIT/METRIC' and 'epochs'.

  Project and group are the experiment, and WANDB_PROJECT and WANDB_RUN_GROUP go before it. A row is
  sent when all lines of its update are there, and never twice: W&B says from which update on it
  lacks rows. Offline it lacks all, so that the folder of the last start holds the whole run; those
  of earlier starts are removed.
  """

  library = 'wandb'
  of_a_service = True

  def __init__(self, run: sink_lib.Facts, lines: Sequence[Mapping[str, Any]]):
    import wandb
    self._wandb = wandb
    run_id = run.kept_id(_NAME) or uuid.uuid4().hex[:16]
    run.keep_id(_NAME, run_id)
    self._row: dict[str, float] = {}
    self._update = 0
    self._session = self._begin(run, run_id)
    for line in lines:
      self.write(line)
    self.sync()

  def write(self, line: Mapping[str, Any]) -> None:
    if line['update'] != self._update:
      self.sync()
    self._update = line['update']
    if 'epochs' in line:
      self._row['epochs'] = line['epochs']
    self._row |= {f'{line["split"]}/{key}': value
                  for key, value in sink_lib.numbers(line).items()}

  def sync(self) -> None:
    if self._row and self._update >= self._session.starting_step:
      self._session.log(self._row, step=self._update)
    self._row = {}

  def close(self) -> None:
    self.sync()
    try:
      self._session.finish()
    except TimeoutError:
      logging.warning('W&B has not taken everything in %g s; `wandb sync %s` sends the rest',
                      _FINISH_S, pathlib.Path(self._session.dir).parent)

  def _begin(self, run: sink_lib.Facts, run_id: str) -> Any:
    """Returns the W&B run: a new one, one that goes on, or, without an answer, one offline."""
    folder = _folder(run)
    arguments = {
        'project': os.environ.get('WANDB_PROJECT') or run.experiment or _PROJECT,
        'group': os.environ.get('WANDB_RUN_GROUP') or run.experiment or None,
        'name': run.name, 'id': run_id, 'config': dict(run.config), 'dir': os.fspath(folder),
        # Another run of this process may be open, or not have ended well.
        'reinit': 'create_new',
        'settings': self._wandb.Settings(
            console='off', silent=True, init_timeout=_INIT_S, finish_timeout=_FINISH_S,
            finish_timeout_raises=True)}
    if os.environ.get('WANDB_MODE', '') not in _OFFLINE:
      why = ''
      try:
        # Without a key it would ask for one, and a run has nobody to ask.
        if self._wandb.login(prompt=False, verify=False):
          return self._wandb.init(**arguments, resume='allow')
        why = 'no API key; `wandb login` keeps one'
      except self._wandb.Error as e:
        why = ' '.join(str(e).split())[:200]
      logging.warning('W&B cannot be had (%s): this start is kept in %s, and `wandb sync` sends it',
                      why, folder / 'wandb')
    for earlier in (folder / 'wandb').glob(f'offline-run-*-{run_id}'):
      shutil.rmtree(earlier, ignore_errors=True)
    # The variable decides between offline and disabled.
    mode = os.environ.get('WANDB_MODE', '')
    return self._wandb.init(**arguments, mode=mode if mode in _OFFLINE else 'offline')


def _folder(run: sink_lib.Facts) -> pathlib.Path:
  """Returns where W&B makes its folder `wandb`: WANDB_DIR, the run's folder, or of a run in a
  bucket one of this machine's own."""
  if os.environ.get('WANDB_DIR'):
    return pathlib.Path(os.environ['WANDB_DIR'])
  if leases.is_local(run.folder.path):
    return pathlib.Path(run.folder.path)
  return pathlib.Path(tempfile.mkdtemp(prefix='wandb-'))
