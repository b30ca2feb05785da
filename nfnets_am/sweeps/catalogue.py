"""The experiments of a folder: what each trains and how far its runs are; see experiments.py."""

import collections
from collections.abc import Iterable
from collections.abc import Sequence
import dataclasses
import os
import pathlib

from nfnets_am.core import errors
from nfnets_am.costs import workload
from nfnets_am.storage import run_folder
from nfnets_am.sweeps import experiment_file
from nfnets_am.sweeps import outcomes
from nfnets_am.sweeps import selection
from nfnets_am.sweeps import tuning


@dataclasses.dataclass(frozen=True)
class Entry:
  """An experiment in the list.

  Attributes:
    path: of its file.
    title: of its report.
    models, datasets: names that its configs have.
    runs: folder's name -> what it computes, or None if that is not known.
    states: folder's name -> status of its run as in outcomes.RunResult; empty without a workdir.
  """

  path: pathlib.Path
  title: str
  models: tuple[str, ...]
  datasets: tuple[str, ...]
  runs: dict[str, workload.Workload | None]
  states: dict[str, str]


def read(path: pathlib.Path, scale: str = '', reader: outcomes.Reader | None = None) -> Entry:
  """Reads an experiment; with a workdir's reader also the runs that tuning has added there."""
  sweep, runs = tuning.read(path, scale)
  if reader:
    sweep, runs = tuning.extend(path, sweep, runs, reader)
  return Entry(
      path, sweep.title, tuple(dict.fromkeys(run.config.model.name for run in runs)),
      tuple(dict.fromkeys(run.config.data.set for run in runs)),
      {run.name: load for group in selection.copies(runs)
       for run, load in zip(group, _loads(sweep, group), strict=True)},
      _states(sweep, runs, reader) if reader else {})


def _loads(sweep: experiment_file.Sweep, group: Sequence[experiment_file.Run]
           ) -> list[workload.Workload | None]:
  """What each copy of a cell computes; after a stage, as if the first ones went on."""
  kept = sweep.stages.keep if sweep.stages else len(group)
  return [workload.of(run.config, '' if place < kept else sweep.stages.until)
          for place, run in enumerate(group)]


def _states(sweep: experiment_file.Sweep, runs: Sequence[experiment_file.Run],
            reader: outcomes.Reader) -> dict[str, str]:
  """The status of each run; of a run that two cells share, of the one that needs it."""
  states: dict[str, str] = {}
  for group in selection.copies(runs):
    found, _ = selection.apply(sweep.stages, [reader.read(run) for run in group])
    for run, result in zip(group, found, strict=True):
      if states.get(run.name, outcomes.NOT_SELECTED) == outcomes.NOT_SELECTED:
        states[run.name] = result.status
  return states


def find(folder: str | os.PathLike) -> list[pathlib.Path]:
  """Returns the experiment files of a folder and of the folders in it.

  Raises:
    ConfigError: there is none.
  """
  folder = pathlib.Path(folder)
  found = []
  for part in (folder, *sorted(path for path in folder.glob('*') if path.is_dir())):
    try:
      found += experiment_file.find(part)
    except errors.ConfigError:
      continue
  if not found:
    raise errors.ConfigError(f'there is no experiment file with a get_sweep in {folder}')
  return found


def row_of(name: str, models: Sequence[str], datasets: Sequence[str],
           runs: dict[str, workload.Workload | None], states: dict[str, str]) -> list[str]:
  """Returns a row of the list; without `states` it says nothing of them."""
  known = [load for load in runs.values() if load is not None]
  complete = len(known) == len(runs)
  views, flops = sum(load.views for load in known), sum(load.flops for load in known)
  row = [name, ', '.join(models), ', '.join(datasets), f'{len(runs):,}',
         f'{views:.3g}' if complete else '?', f'{flops:.3g}' if complete else '?']
  if states:
    row.append(state_of(states.values()))
  return row


def state_of(states: Iterable[str]) -> str:
  """Returns '12 finished, 1 running, 30 missing' of the states of runs."""
  counts = collections.Counter(states)
  order = (*run_folder.STATUSES[1:], 'running', outcomes.NOT_SELECTED, outcomes.OTHER, 'missing')
  return ', '.join(f'{counts[state]:,} {state}' for state in order if state in counts)
