"""Runs of a sweep in processes that stay, against a process for each: seconds and their ratio.

    python -m benchmarks.warm_workers --jobs=2
    python -m benchmarks.warm_workers --jobs=2 --experiment=experiments/quickstart.py --scale=full

The launcher's own scheduler runs the first --runs cells that are trained, --jobs at a time, once in
each way, with a cache of compiled programs that is empty at first (--rounds=1) or filled by the
round before; the last round counts. The launcher's start, which is the same in both, is left out.
"""

import os
import pathlib
import resource
import tempfile
import time

from absl import flags
from rich import table

from launch import jobs as jobs_lib
from launch import local
from launch import scheduler
from nfnets_am.core import cli
from nfnets_am.core import errors
from nfnets_am.core import terminal

_EXPERIMENT = flags.DEFINE_string(
    'experiment', 'experiments/summers2021/table5_1.py', 'Whose cells are run.')
_SCALE = flags.DEFINE_string('scale', 'smoke', "Of the experiment; 'full' is its own.")
_RUNS = flags.DEFINE_integer('runs', 14, 'Cells.', lower_bound=1)
_JOBS = flags.DEFINE_integer('jobs', 2, 'Runs at a time.', lower_bound=1)
_ROUNDS = flags.DEFINE_integer('rounds', 2, 'Of both ways.', lower_bound=1)


def main() -> None:
  scale = '' if _SCALE.value == 'full' else _SCALE.value
  with tempfile.TemporaryDirectory() as folder:
    os.environ['JAX_COMPILATION_CACHE_DIR'] = str(pathlib.Path(folder) / 'xla')
    os.environ['JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS'] = '0'
    for turn in range(_ROUNDS.value):
      alone, stay = (_run(pathlib.Path(folder) / f'{turn}-{warm}', scale, warm)
                     for warm in (False, True))
  rows = table.Table('', 'seconds', 'seconds of CPU',
                     title=f'{_RUNS.value} runs of {_EXPERIMENT.value}, {_JOBS.value} at a time')
  for what, found in (('a process for each run', alone), ('processes that stay', stay)):
    rows.add_row(what, *(f'{value:.1f}' for value in found))
  rows.add_row('ratio', *(f'{a / b:.1f}' for a, b in zip(alone, stay, strict=True)))
  terminal.Terminal().print(rows)


def _run(workdir: pathlib.Path, scale: str, warm: bool) -> tuple[float, float]:
  """Returns the seconds of the runs, by the clock and of CPU."""
  jobs = [job for job in jobs_lib.jobs_of(_EXPERIMENT.value, str(workdir), scale)
          if job.program == jobs_lib.TRAIN]
  # From all over the sweep, so that all its kinds of runs are among them.
  jobs = jobs[::max(1, len(jobs) // _RUNS.value)][:_RUNS.value]
  before = resource.getrusage(resource.RUSAGE_CHILDREN)
  began = time.monotonic()
  here = local.Local(warm=warm)
  try:
    status = scheduler.Scheduler(here, at_once=_JOBS.value, restarts=0).run(lambda: jobs)
    seconds = time.monotonic() - began
  finally:
    here.close()
  if status:
    raise errors.UserError(f'not all runs of {_EXPERIMENT.value} have finished')
  after = resource.getrusage(resource.RUSAGE_CHILDREN)
  return seconds, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


if __name__ == '__main__':
  cli.run(main)
