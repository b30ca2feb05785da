"""A launcher of stand-ins, as a process that tests can interrupt: WORKDIR AT_ONCE KIND ..."""

import sys

from etils import epath

from launch import jobs as jobs_lib
from launch import local
from launch import scheduler


def jobs(workdir, *kinds: str) -> list[jobs_lib.Job]:
  """Returns a job for each kind of stand-in, 'fine-0', 'held-1', ..."""
  return [
      jobs_lib.Job(f'{kind}-{i}', epath.Path(workdir) / f'{kind}-{i}', (f'--config={kind}',),
                   (sys.executable, '-m', 'tests.launch.stand_in'))
      for i, kind in enumerate(kinds)]


if __name__ == '__main__':
  all_jobs = jobs(sys.argv[1], *sys.argv[3:])
  sys.exit(scheduler.Scheduler(
      local.Local(), at_once=int(sys.argv[2]), restarts=3).run(lambda: all_jobs))
