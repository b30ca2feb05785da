"""Runs every cell of an experiment that is not finished; the same command again goes on.

    python -m launch.sweep --experiment=experiments/quickstart.py --workdir=runs/quickstart --jobs=2

A run is a folder of the workdir, and the folders are all the state there is. Ctrl-C stops the runs
after a saved update.
"""

import pathlib
import shlex

from absl import flags

from launch import local
from nfnets_am import cli
from nfnets_am import config as config_lib
from nfnets_am import experiment_file

_EXPERIMENT = flags.DEFINE_string('experiment', None, 'Experiment file with a get_sweep().')
_WORKDIR = flags.DEFINE_string('workdir', None, "The sweep's folder; each run is a folder in it.")
_JOBS = flags.DEFINE_integer('jobs', 1, 'Runs at a time on this machine.', lower_bound=1)
_SCALE = flags.DEFINE_string('scale', '', "A scale that the file knows, such as 'smoke'.")
_DRY_RUN = flags.DEFINE_bool('dry_run', False, 'Print the commands and run nothing.')


def main() -> int:
  workdir = pathlib.Path(_WORKDIR.value)
  sweep = experiment_file.get_sweep(_EXPERIMENT.value, _SCALE.value)
  jobs = [local.Job(config_lib.cell_name(run.cell), workdir / run.name, run.flags)
          for run in experiment_file.get_runs(_EXPERIMENT.value, sweep)]
  if _DRY_RUN.value:
    for job in jobs:
      print(shlex.join(job.command()))
    return 0
  return local.run(jobs, _JOBS.value)


if __name__ == '__main__':
  flags.mark_flags_as_required(['experiment', 'workdir'])
  cli.run(main)
