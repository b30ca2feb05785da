"""What finished runs have kept of their predictions: which runs there are, and their logits."""

from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
import json
import os
import re
from typing import Any
from typing import NamedTuple
import zipfile

from absl import logging
from etils import epath
import numpy as np

from nfnets_am.config import identity
from nfnets_am.core import errors
from nfnets_am.core import quantities
from nfnets_am.evaluation import predictions
from nfnets_am.storage import run_folder
from nfnets_am.training import run as run_lib
from nfnets_am.training import sections

# What makes a pattern of a path.
_WILD = re.compile(r'[*?[]')


class Logits(NamedTuple):
  """What R runs predict of the same examples.

  Attributes:
    folders: of the runs.
    logits: float32 [R, N, K].
    label: int [N].
  """

  folders: list[epath.Path]
  logits: np.ndarray
  label: np.ndarray


def of_cell(run: run_lib.Run | None, folder: epath.Path, runs: Sequence[str], vary: Sequence[str],
            count: int, changes: Mapping[str, Any] | None = None) -> list[epath.Path]:
  """Returns the folders of the runs that a measure is of.

  Args:
    run: of the cell that measures, or None for a measure without a cell.
    folder: of the cell; those of other runs lie beside it.
    runs: as `find` takes them; () is all folders beside the cell's, if something varies.
    vary: keys of the config, such as 'seeds.init', in which alone the runs may differ from the
      cell, beside `seed` and `measure`, see `like`; () compares no config.
    count: of finished runs that there must be; 0 is any number from two up.
    changes: dotted key -> value, in which the runs' config is another than the cell's.

  Raises:
    ConfigError: keys that vary without a cell, or that the config lacks.
    UserError: as of `find`, or there are not so many runs.
  """
  if vary and run is None:
    raise errors.ConfigError(f'vary={tuple(vary)!r} is for a cell, with --config and --workdir')
  alike = None
  if vary:
    for key in (*vary, *(changes or {})):
      sections.check_key(run.config, key)
    alike = like(identity.to_json(run.config) | json.loads(json.dumps(changes or {})), vary)
    runs = runs or ('*',)
  found = find(runs, folder.parent, alike)
  if count and len(found) != count:
    raise errors.UserError(
        f'{len(found)} of {count} runs are finished in {folder.parent}; allowed: all of them')
  return found


def like(expected: Mapping[str, Any], vary: Sequence[str]
         ) -> Callable[[Mapping[str, Any]], bool]:
  """Returns whether a run is one of those that a cell measures, a function of its flat config.

  Keys that have one value in the cell have one in each of its runs: where all seeds vary together,
  a run of which the first alone has moved is of another source.

  Args:
    expected: of the cell, dotted key -> JSON value.
    vary: keys in which alone the runs may differ, beside `seed` and `measure`.
  """
  free = {*vary, 'seed', 'measure'}
  without = lambda flat: {key: value for key, value in flat.items() if key not in free}
  same, cell = lambda flat: len({repr(flat.get(key)) for key in vary}) == 1, without(expected)
  together = same(expected)
  return lambda flat: (
      not identity.difference(without(flat), cell) and (same(flat) or not together))


def find(patterns: Sequence[str], base: str | os.PathLike = '.',
         alike: Callable[[Mapping[str, Any]], bool] | None = None) -> list[epath.Path]:
  """Returns the folders of the finished runs that patterns name, each once, in order.

  Of what a pattern names, folders that hold no trained run are passed over; runs that are not
  finished are named in the log. A folder that is named by itself holds a run that has ended; one
  that diverged is left out like those of a pattern.

  Args:
    patterns: folders or shell patterns of them, such as 'runs/mine/*'.
    base: what relative patterns start from.
    alike: of a config, dotted key -> JSON value, whether its run is meant; None takes any.

  Raises:
    UserError: a pattern that names nothing, a folder without a run that has ended, or less than two
      finished runs in all.
  """
  found: dict[str, epath.Path] = {}
  for pattern in patterns:
    named = _named(epath.Path(base) / pattern)
    if not named:
      raise errors.UserError(f'runs={pattern!r} names no folder; allowed: folders of runs, or a '
                             "pattern of them, such as 'runs/mine/*'")
    for path in named:
      folder = run_folder.RunFolder(path, writer=False)
      config = folder.read('config.json') if path.is_dir() else None
      trained = config is not None and not config.get('measure')
      if alike and not (trained and alike(config)):
        continue
      status = folder.status()['status'] if trained else 'no trained run'
      if not _WILD.search(pattern) and status not in run_folder.DONE:
        raise errors.UserError(f'{path} is {status}; allowed: a finished run')
      if status == 'finished':
        found[os.path.realpath(path)] = path
      elif trained:
        logging.warning('%s is %s, and left out', path, status)
  if len(found) < 2:
    raise errors.UserError(
        f'runs={tuple(patterns)!r} name {len(found)} finished runs; allowed: two or more')
  return list(found.values())


def _named(path: epath.Path) -> list[epath.Path]:
  """Returns what a path names, of whose parts some may be patterns."""
  wild = [i for i, part in enumerate(path.parts) if _WILD.search(part)]
  if not wild:
    return [path] if path.exists() else []
  root = path.parents[len(path.parts) - 1 - wild[0]]
  return sorted(root.glob('/'.join(path.parts[wild[0]:])))


def path_of(folder: epath.Path, evaluation: str) -> epath.Path:
  """Returns the file in which a run keeps what an evaluation predicted the last time."""
  return folder / 'predictions' / f'{evaluation}.npz'


def snapshots(folder: epath.Path, evaluation: str) -> list[epath.Path]:
  """Returns the files of the updates in `keep_at` of an evaluation, in their order.

  Raises:
    UserError: there are none.
  """
  form = re.compile(re.escape(evaluation) + r'-([0-9]+)\.npz')
  there = {}
  if (folder / 'predictions').is_dir():
    there = {int(match[1]): path for path in (folder / 'predictions').iterdir()
             if (match := form.fullmatch(path.name))}
  if not there:
    raise errors.UserError(
        f'{folder} holds no snapshots of the evaluation {evaluation!r}; it keeps them with keep_at')
  return [there[update] for update in sorted(there)]


def names(path: epath.Path) -> list[str]:
  """Returns the names of the arrays of a file; reads no array.

  Raises:
    UserError: there is no such file, or it is damaged.
  """
  try:
    with path.open('rb') as f, zipfile.ZipFile(f) as found:
      return [name.removesuffix('.npy') for name in found.namelist()]
  except (OSError, zipfile.BadZipFile):
    predictions.read(path)  # Says what is wrong.
    raise


def read(path: epath.Path, wanted: Sequence[str]) -> dict[str, np.ndarray]:
  """Returns some arrays of a file.

  Raises:
    UserError: the file lacks one, is missing or damaged.
  """
  found = predictions.read(path, wanted)
  for name in wanted:
    if name not in found:
      raise errors.UserError(
          f'{path} has no {name!r}; it holds: {", ".join(names(path))}')
  return found


def logits_of(folders: Sequence[epath.Path], evaluation: str, *, ema: bool = False,
              averaged: bool = False) -> Logits:
  """Reads every run's logits once, into one array.

  Args:
    folders: of finished runs.
    evaluation: name of what kept them.
    ema: whether of the average of the weights.
    averaged: whether a run's logits are the mean over its snapshots.

  Raises:
    UserError: a file is missing or damaged, of other examples than the first run's, or holds a
      value that is not finite; or the runs have different numbers of snapshots.
  """
  files = [snapshots(one, evaluation) if averaged else [path_of(one, evaluation)]
           for one in folders]
  name = f'{quantities.EMA if ema else ""}logits'
  logits = label = None
  for r, paths in enumerate(files):
    if len(paths) != len(files[0]):
      raise errors.UserError(
          f'{folders[r]} holds {len(paths)} snapshots, {folders[0]} {len(files[0])}; allowed: as '
          'many in each')
    for path in paths:
      found = read(path, ('label', name))
      values = found[name]
      if logits is None:
        label, logits = found['label'], np.zeros((len(files), *values.shape), np.float32)
      if values.shape != logits.shape[1:] or not np.array_equal(found['label'], label):
        raise errors.UserError(
            f'{path} holds predictions {values.shape} of other examples than {files[0][0]}, '
            f'{logits.shape[1:]}; allowed: those of the same split')
      if not np.isfinite(values).all():
        raise errors.UserError(f'{path} holds logits that are not finite; allowed: finite ones')
      logits[r] += values / np.float32(len(paths))
  return Logits(list(folders), logits, label)
