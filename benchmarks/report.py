"""How long a report of all experiments takes, against reading the files of its runs once.

    python -m benchmarks.report --runs=10000

Makes up finished runs of the experiments' own names, with as many lines of metrics as a real run
writes, though not over --lines (the longest on ImageNet has 200,000). Prints medians over the
rounds: the report on an empty workdir, the report on the made-up runs, of these what drawing takes,
and opening, reading and parsing every file of theirs once, by which the ratios divide.

The ratios are of seconds of this process's CPU, since others at work on the machine stretch the
seconds by the clock, which stand beside them. The report on no runs comes first and pays for the
imports of the pictures.
"""

from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
import hashlib
import json
import math
import pathlib
import statistics
import tempfile
import time
from typing import Any
from unittest import mock

from absl import flags
import ml_collections
from rich import console
from rich import table

from nfnets_am.config import derived as derived_lib
from nfnets_am.config import identity
from nfnets_am.core import cli
from nfnets_am.data import known
from nfnets_am.reporting import pages
from nfnets_am.reporting import pictures
from nfnets_am.sweeps import experiment_file
from nfnets_am.sweeps import tuning

_RUNS = flags.DEFINE_integer('runs', 10_000, 'Made-up runs, at most.', lower_bound=1)
_EXPERIMENTS = flags.DEFINE_string('experiments', 'experiments/fort2021', 'A folder of them.')
_ROUNDS = flags.DEFINE_integer('rounds', 3, 'Of each measurement.', lower_bound=1)
_LINES = flags.DEFINE_integer(
    'lines', 2000, 'Of the metrics of a run, about, and those of its evaluations.', lower_bound=1)
_MAKE = flags.DEFINE_string('make', '', 'Only make up the runs, in this folder.')

_ONCE = 'reading their files once'
# Of CPU, and by the clock.
Seconds = tuple[float, float]
# A run's start as run.json keeps it.
_START = {
    'update': 0, 'time': '2021-05-27T12:00:00+0000', 'commit': 40 * 'a', 'host': 'host',
    'command': ['train.py', '--config=experiments/fort2021/figure4.py:multiplicity=4,epochs=128',
                '--workdir=runs/fort2021/wide_resnet-n4-seed0-1f3a9c0d2b'],
    'python': '3.11.7', 'versions': {'jax': '0.6.0', 'jaxlib': '0.6.0', 'dm-haiku': '0.0.14',
                                     'optax': '0.2.4', 'numpy': '2.1.0', 'tensorflow': '2.19.0'}}


def main() -> None:
  if _MAKE.value:
    print(f'{make(pathlib.Path(_MAKE.value), _RUNS.value)} runs in {_MAKE.value}')
    return
  with tempfile.TemporaryDirectory() as name:
    empty, full = (pathlib.Path(name) / part for part in ('empty', 'full'))
    empty.mkdir()
    runs = make(full, _RUNS.value)
    timings: dict[str, list[Seconds]] = {}
    for _ in range(_ROUNDS.value):
      timings.setdefault('report, empty workdir', []).append(_seconds(lambda: _report(empty)))
      drawing: list[Seconds] = []
      timings.setdefault(f'report, {runs:,} runs', []).append(
          _seconds(lambda spent=drawing: _report(full, spent)))
      timings.setdefault('of these, drawing', []).append(_each(sum, drawing))
      timings.setdefault(_ONCE, []).append(_seconds(lambda: read(full)))
    medians = {what: _each(statistics.median, values) for what, values in timings.items()}
    rows = table.Table('what', 'seconds, CPU', 'by the clock', 'ratio to reading',
                       title=f'{_EXPERIMENTS.value}, rounds: {_ROUNDS.value}')
    for what, (cpu, clock) in medians.items():
      rows.add_row(what, f'{cpu:.2f}', f'{clock:.2f}', f'{cpu / medians[_ONCE][0]:.2f}')
    console.Console().print(rows)


def make(workdir: pathlib.Path, most: int) -> int:
  """Makes up finished runs of all experiments, those that tuning adds too; returns how many."""
  made = 0
  for path in experiment_file.find(_EXPERIMENTS.value):
    before = -1
    while before != made < most:
      before = made
      sweep, runs = tuning.read(path, '', workdir)
      for run in runs:
        if made < most and not (workdir / run.name).is_dir():
          _make_run(workdir / run.name, run.config, sweep)
          made += 1
  return made


def read(workdir: pathlib.Path) -> int:
  """Opens, reads and parses every file of every run once; returns how many lines of metrics."""
  lines = 0
  for folder in workdir.iterdir():
    if (folder / 'status.json').exists():
      for name in ('config.json', 'run.json', 'status.json'):
        with open(folder / name, 'rb') as f:
          json.loads(f.read())
      with open(folder / 'metrics.jsonl', 'rb') as f:
        lines += len([json.loads(line) for line in f])
  return lines


def _seconds(run: Callable[[], Any]) -> Seconds:
  cpu, clock = time.process_time(), time.perf_counter()
  run()
  return time.process_time() - cpu, time.perf_counter() - clock


def _each(reduce: Callable[[Sequence[float]], float], values: Sequence[Seconds]) -> Seconds:
  cpu, clock = (reduce(part) for part in zip(*values, strict=True))
  return cpu, clock


def _report(workdir: pathlib.Path, drawing: list[Seconds] | None = None) -> None:
  draw = pictures.draw

  def timed(*args: Any) -> None:
    spent = _seconds(lambda: draw(*args))
    if drawing is not None:
      drawing.append(spent)

  with mock.patch.object(pictures, 'draw', timed):
    pages.write_all(_EXPERIMENTS.value, workdir, '', 'the command', {})


def _make_run(folder: pathlib.Path, config: ml_collections.ConfigDict,
              sweep: experiment_file.Sweep) -> None:
  facts = known.training_set(config.data)
  derived = derived_lib.derive(config, train_images=facts.train_images)
  folder.mkdir(parents=True)
  updates = derived.updates
  for name, value in (
      ('config.json', identity.to_json(config)),
      ('run.json', {'derived': vars(derived), 'starts': [_START]}),
      ('status.json', {'status': 'finished', 'update': updates, 'updates': updates})):
    (folder / name).write_text(json.dumps(value, indent=1) + '\n')
  final = _outcome(config, folder.name)
  splits = {*config.evals, sweep.metric.split('/')[0]}
  with open(folder / 'metrics.jsonl', 'w') as f:
    every = max(derived.log_every, updates // _LINES.value)
    for update in _multiples(every, derived.eval_every, updates):
      share = update / updates
      if update % every == 0 or update == updates:
        f.write(_line(update, derived, 'train_views', {
            'loss': 5 - 4 * share, 'top1': final['top1'] * share, 'learning_rate': 0.0625}))
      if update % derived.eval_every == 0 or update == updates:
        for split in sorted(splits):
          f.write(_line(update, derived, split, {
              'images': 10_000, **{key: value * share for key, value in final.items()}}))


def _multiples(one: int, other: int, most: int):
  """Yields the multiples of two numbers, ascending, each once, and `most` last."""
  yield from sorted({*range(one, most, one), *range(other, most, other)})
  yield most


def _line(update: int, derived: derived_lib.Derived, split: str, values: Mapping[str, float]
          ) -> str:
  numbers = ', '.join(f'"{key}": {value!r}' for key, value in values.items())
  return (f'{{"update": {update}, "epochs": {derived.epochs_at(update)!r}, "split": "{split}", '
          f'{numbers}}}\n')


def _outcome(config: ml_collections.ConfigDict, name: str) -> dict[str, float]:
  """Returns final numbers with a best learning rate inside most grids, and a seed's noise."""
  digest = hashlib.sha256(name.encode()).digest()
  # In [0, 1).
  noise = (byte / 256 for byte in digest)
  n = max(1, config.multiplicity)
  away = math.log2(config.schedule.peak * n**0.5 / 0.15)
  top1 = 0.7 + 0.01 * math.log2(n) - 0.01 * away**2 + 0.005 * next(noise)
  return {'loss': 1.5 - top1 + 0.01 * away, 'top1': top1, 'top5': (1 + top1) / 2,
          'ema_loss': 1.4 - top1, 'ema_top1': top1 + 0.001 * next(noise),
          'ema_top5': (1 + top1) / 2, 'variance': 0.001 * n * (1 + 0.01 * next(noise))}


if __name__ == '__main__':
  cli.run(main)
