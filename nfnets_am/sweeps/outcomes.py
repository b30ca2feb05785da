"""What the folder of a run says: how it stands and what it ended with."""

from collections.abc import Mapping
from collections.abc import Sequence
import dataclasses
import functools
import json
import os
import pathlib
import shlex
from typing import Any

from etils import epath

from nfnets_am.config import identity
from nfnets_am.core import errors
from nfnets_am.core import quantities
from nfnets_am.storage import leases
from nfnets_am.storage import metrics
from nfnets_am.storage import run_folder
from nfnets_am.sweeps import experiment_file

# The folder holds a run, but not of the config that is asked for.
OTHER = 'other config'
# One of several copies, of which others went on; see selection.py.
NOT_SELECTED = 'not selected'
History = dict[str, list[tuple[int, float]]]


@dataclasses.dataclass(frozen=True)
class RunResult:
  """One run as its folder tells it.

  Attributes:
    cell: the arguments of get_config.
    status: of status.json, 'missing', OTHER or NOT_SELECTED.
    reason: why it stands so, or ''.
    derived: derived numbers, empty if it never started.
    final: 'split/key' -> value of the last evaluation; empty unless finished.
    folder: where it lies; '' is nowhere.
    update: that its status tells of, 0 if of none.
    counts: whether its cell's numbers are to rest on it.
    origin: what made it, of all its starts: 'commit', 'command', 'hardware', 'hours'.
  """

  cell: Mapping[str, Any]
  status: str
  reason: str = ''
  derived: Mapping[str, Any] = dataclasses.field(default_factory=dict)
  final: Mapping[str, float] = dataclasses.field(default_factory=dict)
  folder: str = ''
  update: int = 0
  counts: bool = True
  origin: Mapping[str, str] = dataclasses.field(default_factory=dict)

  @property
  def done(self) -> bool:
    """Whether nothing is left to run: it finished, diverged, or was not selected."""
    return self.status in (*run_folder.DONE, NOT_SELECTED)

  @functools.cached_property
  def history(self) -> History:
    """'split/key' -> [(update, value), ...]; read when it is asked for, as few reports draw it."""
    found: History = {}
    path = os.path.join(self.folder, 'metrics.jsonl')
    for line in metrics.read(path) if self.folder else ():
      for key, value in _values_of(line).items():
        if not isinstance(value, (int, float)):
          raise errors.UserError(f'{path}: {key} of update {line["update"]} is no number')
        found.setdefault(key, []).append((line['update'], value))
    return found


def best(run: RunResult, metric: str) -> RunResult:
  """Returns a finished run with the numbers of the evaluation at which a metric was best.

  Others, and those that did not measure it, are as they were; one whose lines cannot be read has
  failed.
  """
  try:
    values = run.history.get(metric, ()) if run.final else ()
  except errors.UserError as e:
    return dataclasses.replace(run, status='failed', reason=str(e), final={})
  if not values:
    return run
  sign = quantities.judged(metric).sign
  # The first of equal ones; NaN is no value.
  update = min((pair for pair in values if pair[1] == pair[1]), default=(None, 0.0),
               key=lambda pair: (-sign * pair[1], pair[0]))[0]
  return dataclasses.replace(run, final={
      key: value for key, pairs in run.history.items() for at, value in pairs if at == update})


class Reader:
  """Reads the runs of a workdir, the folder of each once however many experiments share it."""

  def __init__(self, workdir: str | os.PathLike):
    self._workdir = os.fspath(workdir)
    path = epath.Path(self._workdir)
    self._there = {folder.name for folder in path.iterdir()} if path.is_dir() else set()
    self._folders: dict[str, _Folder] = {}

  def read(self, run: experiment_file.Run) -> RunResult:
    """Returns a run of a sweep as its folder tells it."""
    if run.name not in self._there:
      return RunResult(run.cell, 'missing')
    if run.name not in self._folders:
      self._folders[run.name] = _read_folder(os.path.join(self._workdir, run.name))
    return _result(self._folders[run.name], run.cell, run.flat)


def read_run(folder: str | os.PathLike, cell: Mapping[str, Any],
             expected: Mapping[str, Any] | None = None) -> RunResult:
  """Reads a run's folder; one that is not there is 'missing'.

  Args:
    folder: of the run.
    cell: the arguments of get_config.
    expected: dotted key -> JSON value of the config that is asked for. A run of another config, as
      after a default has changed, counts as not there: its status is OTHER, and the reason names
      the key. None asks for no config.

  Returns:
    Its result; a run with a damaged file is 'failed', and the reason names the file.
  """
  return _result(_read_folder(os.fspath(folder)), cell, expected)


@dataclasses.dataclass(frozen=True)
class _Folder:
  """What the files say, whoever asks."""

  path: str
  config: Mapping[str, Any] | None
  status: Mapping[str, Any]
  derived: Mapping[str, Any]
  final: Mapping[str, float]
  origin: Mapping[str, str] = dataclasses.field(default_factory=dict)


def _read_folder(path: str) -> _Folder:
  try:
    return _whole_folder(path)
  except (errors.UserError, OSError) as e:
    # One run's damage is one run's failure.
    return _Folder(path, None, {'status': 'failed', 'reason': str(e)}, {}, {})


def _whole_folder(path: str) -> _Folder:
  status = _record(path, 'status.json', {'status': str, 'update': int, 'updates': int,
                                         'reason': str}) or {'status': 'missing'}
  record = _record(path, 'run.json', {'derived': dict, 'starts': list})
  derived = record.get('derived', {})
  if not {'views', 'updates'} <= derived.keys():
    derived = {}
  _check(os.path.join(path, 'run.json'), derived, {'views': int, 'updates': int})
  final: dict[str, float] = {}
  if status['status'] == 'finished':
    file = os.path.join(path, 'metrics.jsonl')
    for line in metrics.read_end(file, status.get('updates', 0)):
      final |= _values_of(line)
    _check(file, final, dict.fromkeys(final, (int, float)))
  return _Folder(path, _record(path, 'config.json', {}) or None, status, derived, final,
                 _origin(record.get('starts', [])))


def _origin(starts: Sequence[Any]) -> dict[str, str]:
  """Returns what the CSV says of a run's starts; hours are a least number if one was killed."""
  starts = [start for start in starts if isinstance(start, dict)]
  if not starts:
    return {}
  each = lambda key: ' '.join(dict.fromkeys(
      str(start[key]) for start in starts if start.get(key)))
  command = starts[-1].get('command')
  hours = [start.get('hours') for start in starts]
  known = sum(value for value in hours if isinstance(value, (int, float)))
  return {'commit': each('commit'), 'hardware': each('hardware'),
          'command': _as_typed(command) if isinstance(command, list) and command else '',
          'hours': ('> ' if None in hours else '') + f'{known:.4g}'}


def _as_typed(command: list[Any]) -> str:
  """Returns a command as it can be given again, wherever the repository lay on that machine."""
  program, *flags = map(str, command)
  path = pathlib.PurePath(program)
  words = [path.name]
  if path.suffix == '.py' and 'nfnets_am' in path.parts:
    first = len(path.parts) - 1 - path.parts[::-1].index('nfnets_am')
    words = ['python', '-m', '.'.join(path.with_suffix('').parts[first:])]
  return shlex.join([*words, *flags])


def _result(folder: _Folder, cell: Mapping[str, Any], expected: Mapping[str, Any] | None
            ) -> RunResult:
  derived = folder.derived
  if expected is not None:
    reason = identity.difference(folder.config or {}, expected)
    if reason:
      return RunResult(cell, OTHER, reason, folder=folder.path)
    # Two cells may be one training, said in two ways: what depends on the way is the cell's own.
    derived = derived and {**derived, **_said(expected)}
  return RunResult(cell, folder.status['status'], folder.status.get('reason', ''), derived,
                   folder.final, folder.path, folder.status.get('update', 0),
                   origin=folder.origin)


def _said(config: Mapping[str, Any]) -> dict[str, Any]:
  """Returns the derived numbers that depend on whether `unique` or `views` is said."""
  if config['unique']:
    return {'scheme': 'growing', 'temperature': None}
  return {'scheme': 'neighbouring' if config['neighbouring'] else 'fixed',
          'temperature': config['schedule.peak'] * max(1, config['multiplicity'])}


def _values_of(line: Mapping[str, Any]) -> dict[str, float]:
  split = line.get('split', '')
  return {f'{split}/{key}': value for key, value in line.items()
          if key not in ('update', 'epochs', 'split')}


def _record(folder: str, name: str, kinds: Mapping[str, type]) -> Mapping[str, Any]:
  """Returns a file of a run as a mapping, {} if it is not there.

  Args:
    folder: of the run.
    name: of the file.
    kinds: key -> type of its value, where it has one.

  Raises:
    UserError: it is no JSON, no mapping, or one whose values are of other types.
  """
  path = os.path.join(folder, name)
  found = _json(path)
  if found is None:
    return {}
  if not isinstance(found, dict):
    raise errors.UserError(f'{path} cannot be read: it holds no record, but {str(found)[:40]!r}')
  _check(path, found, kinds)
  return found


def _check(path: str, record: Mapping[str, Any], kinds: Mapping[str, Any]) -> None:
  for key, kind in kinds.items():
    if key in record and not isinstance(record[key], kind):
      raise errors.UserError(f'{path} cannot be read: {key} is {str(record[key])[:40]!r}')


def _json(path: str) -> Any | None:
  try:
    if not leases.is_local(path):
      return json.loads(epath.Path(path).read_text())
    with open(path, 'rb') as f:
      return json.loads(f.read())
  except (FileNotFoundError, NotADirectoryError):
    return None
  except ValueError as e:
    raise errors.UserError(f'{path} cannot be read: {e}') from None
