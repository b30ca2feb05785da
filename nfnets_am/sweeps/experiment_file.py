"""Experiment files: `get_config(cell)` says what one run is, `get_sweep()` which runs there are."""

from collections.abc import Mapping
from collections.abc import Sequence
import dataclasses
import importlib.util
import os
import pathlib
import re
import types
from typing import Any

import ml_collections

from nfnets_am.config import cells as cells_lib
from nfnets_am.config import identity
from nfnets_am.core import errors
from nfnets_am.core import quantities
from nfnets_am.sweeps import paper
from nfnets_am.sweeps import stages as stages_lib


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
    raise errors.ConfigError(f'{path} has no get_config')
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
  return _complete(load(file).get_config(cell), overrides, file)


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
    raise errors.ConfigError(f'{path} has no get_sweep')
  return module.get_sweep(scale) if scale else module.get_sweep()


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
    ConfigError: a cell or a key is unknown, or two cells are the same run.
  """
  # Here, since it is JAX and all models: a second and a half that launch.status has no use for.
  from nfnets_am.training import sections

  module = load(path)
  runs = {run.name: run for run in first}
  found = list(first)
  for cell in sweep.cells[len(first):]:
    text = cells_lib.cell_name(cell)
    config = _complete(module.get_config(text), overrides, path)
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


def _complete(config: Any, overrides: Mapping[str, Any] | None, path: Any
              ) -> ml_collections.ConfigDict:
  from nfnets_am.training import sections

  if not isinstance(config, ml_collections.ConfigDict):
    raise errors.ConfigError(
        f'get_config of {path} returns a {type(config).__name__}; allowed: the ConfigDict of '
        'schema.get_default, with changes')
  return sections.override(config, overrides or {})


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
