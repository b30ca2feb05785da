"""Experiment files: `get_config(cell)` says what one run is, `get_sweep()` which runs there are."""

from collections.abc import Mapping
from collections.abc import Sequence
import dataclasses
import functools
import importlib.util
import inspect
import os
import pathlib
import re
import traceback
import types
from typing import Any

import ml_collections

from nfnets_am.config import cells as cells_lib
from nfnets_am.config import identity
from nfnets_am.config import schema
from nfnets_am.core import errors
from nfnets_am.core import quantities
from nfnets_am.core import registry
from nfnets_am.sweeps import paper
from nfnets_am.sweeps import stages as stages_lib
from nfnets_am.training import sections


@dataclasses.dataclass(frozen=True)
class Sweep:
  """The runs of an experiment, and how they become numbers.

  Attributes:
    title: of the report.
    cells: one dict for every run: the arguments of get_config, the seed among them.
    metric: what the report is about, as 'split/key' of metrics.jsonl ('test/top1').
    others: further metrics, shown beside it.
    best_of: runs of a cell that count: the best so many; 0 is all of them.
    tune: a key of the cells, such as 'peak', of which each metric shows its own best value; ''
      shows all of them.
    tune_factor: step of its grid, over 1: while the best value lies on an edge of the grid, the
      value beyond is added (see tuning.py); 0 leaves the grid as it is.
    select: the split that chooses the best value for a metric of 'test': 'test' itself, as papers
      that tune on it do, or 'validation'.
    at: an evaluation's metric, such as 'validation/top1': a run's numbers are those of the
      evaluation at which it was best, and its first at a tie; '' is the last evaluation.
    stages: of the copies of a cell that begin, which go on; None lets all go on. The numbers of a
      cell are then of those that went on (selection.py).
    peak_over: a key of the cells, such as 'epochs', over which the report also shows the best.
    panels: the plots of the paper's figure; without them every metric is drawn over the updates.
    numbers: what the paper prints.
    epsilons: (where, points): ours is within the number of a cell that matches, of the first that
      does, if it differs by no more; said before there are runs.
    claims: what its text says of this experiment.
    note: Markdown: what may and what may not be concluded.
  """

  title: str
  cells: tuple[Mapping[str, Any], ...]
  metric: str = 'test/top1'
  others: tuple[str, ...] = ()
  best_of: int = 0
  tune: str = ''
  tune_factor: float = 0.0
  select: str = 'test'
  at: str = ''
  stages: stages_lib.Selection | None = None
  peak_over: str = ''
  panels: tuple[paper.Panel, ...] = ()
  numbers: tuple[paper.Number, ...] = ()
  epsilons: tuple[tuple[Mapping[str, Any], float], ...] = ()
  claims: tuple[paper.Claim, ...] = ()
  note: str = ''

  def __post_init__(self):
    """Raises ConfigError for a metric that is unknown, or by which nothing can be chosen."""
    for metric in (self.metric, *self.others, *(panel.metric for panel in self.panels),
                   *(number.metric for number in self.numbers)):
      quantities.of(metric)
    if self.tune or self.best_of:
      quantities.judged(self.metric)
    if self.at:
      quantities.judged(self.at)

  def selected_by(self, metric: str) -> str:
    """Returns the metric by which the best value of `tune` is chosen for `metric`."""
    split, _, key = metric.partition('/')
    return f'{self.select}/{key}' if split == 'test' else metric


@dataclasses.dataclass(frozen=True)
class Run:
  """One run of a sweep.

  Attributes:
    cell: the arguments of get_config.
    name: of its folder in the sweep's workdir, which follows from its whole config.
    flags: that make `nfnets_am.train` train it, '--config=FILE:CELL' and overrides.
    config: of it, overrides included.
    flat: the config as dotted key -> JSON value; None asks a run's folder for no config.
  """

  cell: Mapping[str, Any]
  name: str
  flags: tuple[str, ...]
  config: ml_collections.ConfigDict
  flat: Mapping[str, Any] | None = None


def load(path: str | os.PathLike) -> types.ModuleType:
  """Imports an experiment file.

  Raises:
    ConfigError: there is no such file, or it is not an experiment.
  """
  path = pathlib.Path(path)
  if not path.is_file():
    raise errors.ConfigError(f'there is no experiment file {path}')
  spec = importlib.util.spec_from_file_location(f'experiment_{path.stem}', path)
  if spec is None:
    raise errors.ConfigError(f'{path} is not a Python file')
  module = importlib.util.module_from_spec(spec)
  try:
    spec.loader.exec_module(module)
  except SyntaxError as e:
    raise errors.ConfigError(f'{path}, line {e.lineno}: {e.msg}') from None
  if not hasattr(module, 'get_config'):
    raise errors.ConfigError(
        f'{path} has no get_config; allowed: an experiment, such as experiments/quickstart.py')
  return module


def get_config(path: str, overrides: Mapping[str, Any] | None = None) -> ml_collections.ConfigDict:
  """Returns the config of 'experiments/quickstart.py:multiplicity=4,seed=1'.

  Args:
    path: of the file; what stands behind a colon is the cell.
    overrides: dotted key -> value.

  Raises:
    ConfigError: no such file, cell or key.
  """
  file, _, cell = path.partition(':')
  return _config_of(load(file), cell, overrides, file)


def get_sweep(path: str | os.PathLike, scale: str = '') -> Sweep:
  """Returns an experiment file's sweep.

  Args:
    path: of the file.
    scale: '' for the file's own, or one that it knows, such as 'smoke'.

  Raises:
    ConfigError: the file has none.
  """
  module = load(path)
  if not hasattr(module, 'get_sweep'):
    raise errors.ConfigError(
        f'{path} has no get_sweep, so it is no sweep; allowed: one run of it, by '
        f'python -m nfnets_am.train --config={path}')
  if scale and not inspect.signature(module.get_sweep).parameters:
    raise errors.ConfigError(f'scale={scale!r}: {path} knows no scales; allowed: none')
  found = module.get_sweep(scale) if scale else module.get_sweep()
  if not isinstance(found, Sweep):
    raise errors.ConfigError(
        f'get_sweep of {path} returns a {type(found).__name__}; allowed: an experiment_file.Sweep')
  return found


def find(folder: str | os.PathLike) -> list[pathlib.Path]:
  """Returns the experiment files of a folder that have runs, in the order of their names.

  'figure10' comes after 'figure9'; helpers beside them, which have no get_sweep, are left out.

  Raises:
    ConfigError: there is no such folder, or no experiment in it.
  """
  folder = pathlib.Path(folder)
  found = [path for path in folder.glob('*.py') if 'def get_sweep(' in path.read_text()]
  if not found:
    raise errors.ConfigError(f'there is no experiment file with a get_sweep in {folder}')
  return sorted(found, key=lambda path: [
      int(part) if part.isdigit() else part for part in re.split(r'(\d+)', path.stem)])


def get_runs(path: str | os.PathLike, sweep: Sweep,
             overrides: Mapping[str, Any] | None = None, first: Sequence[Run] = ()) -> list[Run]:
  """Returns the runs of a sweep, one for each cell, in its order.

  Args:
    path: of the experiment file.
    sweep: of that file.
    overrides: dotted key -> value, for all runs.
    first: the runs of its first cells, where they are known already.

  Raises:
    ConfigError: a cell or a key is unknown, a key is one that the cells say, or two cells are the
      same run.
  """
  module = load(path)
  said = {key for cell in sweep.cells for key in cell}
  for key in overrides or {}:
    if key in said:
      raise errors.ConfigError(
          f'{key} is a key of the cells of {path}, which say it for each run; allowed: keys of the '
          'config that no cell says')
  runs = {run.name: run for run in first}
  found = list(first)
  for cell in sweep.cells[len(first):]:
    text = cells_lib.cell_name(cell)
    config = _config_of(module, text, overrides, path)
    flat = identity.to_json(config)
    name = identity.run_name(flat, sections.defaults(config))
    if name in runs and runs[name].flat == flat:
      raise errors.ConfigError(
          f'{path}: the cells {text!r} and {cells_lib.cell_name(runs[name].cell)!r} are the same '
          'run; get_sweep must name each run once')
    # Two cells may say the same training in two ways: they share its folder.
    runs[name] = Run(cell, name, (
        f'--config={path}:{text}',
        *(f'--config.{key}={value}' for key, value in (overrides or {}).items())), config, flat)
    found.append(runs[name])
  return found


def _config_of(module: types.ModuleType, cell: str, overrides: Mapping[str, Any] | None, path: Any
               ) -> ml_collections.ConfigDict:
  """Returns the complete config of a cell."""
  try:
    config = module.get_config(cell)
  except (AttributeError, KeyError, TypeError) as e:
    # What ml_collections says of a key or a type that is not the config's; else it is a bug.
    frames = traceback.extract_tb(e.__traceback__)
    if len(frames) == 1:
      raise errors.ConfigError(f"{path}: {e}; allowed: get_config(cell: str = '')") from None
    if 'ml_collections' not in frames[-1].filename:
      raise
    line = [frame.lineno for frame in frames if frame.filename == str(path)]
    raise errors.ConfigError(
        f'{path}{f", line {line[-1]}" if line else ""}: {_sentence(str(e.args[0]))}') from None
  allowed = 'the ConfigDict of schema.get_default, with changes'
  if not isinstance(config, ml_collections.ConfigDict):
    raise errors.ConfigError(
        f'get_config of {path} returns a {type(config).__name__}; allowed: {allowed}')
  missing = _top_level().difference(config.keys())
  if missing:
    raise errors.ConfigError(
        f'get_config of {path} returns a config without {min(missing)!r}; allowed: {allowed}')
  return sections.override(config, overrides or {})


def _sentence(text: str) -> str:
  """Returns what ml_collections says less its list of all keys with their values."""
  first = ' '.join(text.split()).partition('. Other fields')[0].strip('\'"')
  key = re.search(r'Key "(\w+)" does not exist', first)
  return first[:250] + (registry.did_you_mean(key[1], _top_level()) if key else '')


@functools.cache
def _top_level() -> frozenset[str]:
  return frozenset(schema.get_default().keys())


def parse_overrides(texts: Sequence[str]) -> dict[str, str]:
  """Reads 'KEY=VALUE' texts; a value is read as its key's type when a config takes it.

  Raises:
    ConfigError: a text without '='.
  """
  found = {}
  for text in texts:
    key, equals, value = text.partition('=')
    if not (key and equals):
      raise errors.ConfigError(f'{text!r} is no override; allowed: KEY=VALUE')
    found[key] = value
  return found
