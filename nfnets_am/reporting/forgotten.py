"""What a report was not told: its folder holds other runs of the experiment, or does not exist."""

import collections
from collections.abc import Iterator
import functools
import json
import os
import pathlib
import re
import shlex

from etils import epath

from nfnets_am.core import errors
from nfnets_am.core import registry
from nfnets_am.sweeps import reduction

_SCALE = re.compile(r'(?:^|,)scale=([^,]+)')


def folder(workdir: str | os.PathLike) -> epath.Path:
  """Returns a sweep's folder.

  Raises:
    UserError: it does not exist. A report makes no folder of its own.
  """
  path = epath.Path(workdir)
  if path.is_dir():
    return path
  beside = [other.name for other in path.parent.iterdir() if other.is_dir()] if (
      path.parent.is_dir()) else []
  raise errors.UserError(
      f'there is no folder {workdir}{registry.did_you_mean(path.name, beside)}; allowed: the '
      'workdir of a sweep that launch.sweep has begun')


class Launched:
  """What the runs of a folder were launched with; read once, and only if it is asked for."""

  def __init__(self, workdir: str | os.PathLike):
    self.workdir = workdir

  @functools.cached_property
  def _said(self) -> list[tuple[tuple[str, ...], str]]:
    """The last parts of each run's experiment file, and its flags."""
    return list(_flags(self.workdir))

  def check(self, results: reduction.Results, path: str | os.PathLike) -> None:
    """Refuses a report none of whose runs is there, where others of the same experiment are.

    Args:
      results: of what the report was asked for.
      path: of the experiment's file.

    Raises:
      UserError: it says with which flags the runs that are there were launched.
    """
    if any(run.status != 'missing' for run in results.runs):
      return
    # Launched from another folder, or on another machine, a path has another beginning.
    mine = pathlib.Path(path).parts[-2:]
    found = collections.Counter(flags for parts, flags in self._said if parts == mine)
    if found:
      said = '; '.join(f'{count} with {flags}' for flags, count in found.most_common(3))
      raise errors.UserError(
          f'{self.workdir} holds none of the {len(results.runs)} runs of {path} as asked for, but '
          f'{sum(found.values())} other runs of this experiment: {said}; say the same here')


def _flags(workdir: str | os.PathLike) -> Iterator[tuple[tuple[str, ...], str]]:
  """Of each run its file, and '--scale=smoke', '--set=seed=1' or 'no flags'."""
  for run in epath.Path(workdir).iterdir():
    try:
      record = json.loads((run / 'run.json').read_text())
      # One that was trained by hand may be called anything, and is of no sweep.
      command = record['starts'][-1]['command'] if record['name'] == run.name else ()
      flags = dict(flag.partition('=')[::2] for flag in command if flag.startswith('--config'))
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
      continue
    file, _, cell = flags.pop('--config', '').partition(':')
    scale = _SCALE.search(cell)
    yield pathlib.Path(file).parts[-2:], ' '.join([
        *([f'--scale={scale[1]}'] if scale else []),
        *(shlex.quote(f'--set={key.removeprefix("--config.")}={value}')
          for key, value in sorted(flags.items()))]) or 'no flags'
