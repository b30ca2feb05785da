"""A launcher of stand-ins, as a process that tests can interrupt: WORKDIR AT_ONCE KIND ...

As the kind 'staged' they are copies of one cell, of which two go on from update 4.
"""

import dataclasses
import subprocess
import sys
import time

from etils import epath

from launch import jobs as jobs_lib
from launch import local
from launch import scheduler
from nfnets_am.sweeps import outcomes
from nfnets_am.sweeps import selection
from nfnets_am.sweeps import stages
from tests import commands


def jobs(workdir, *kinds: str) -> list[jobs_lib.Job]:
  """Returns a job for each kind of stand-in, 'fine-0', 'held-1', ..."""
  return [
      jobs_lib.Job(f'{kind}-{i}', epath.Path(workdir) / f'{kind}-{i}', (f'--config={kind}',),
                   (sys.executable, '-m', 'tests.launch.stand_in'))
      for i, kind in enumerate(kinds)]


def staged_jobs(workdir, count: int) -> list[jobs_lib.Job]:
  """Returns the jobs of copies as they stand."""
  stage = stages.Selection(keep=2, until='4 updates', metric='test/top1')
  all_jobs = jobs(workdir, *['fine'] * count)
  fates = selection.fates(stage, [outcomes.read_run(job.folder, {}) for job in all_jobs])
  ways = {
      selection.Way.BEGINS: lambda job, _: dataclasses.replace(
          job, flags=(*job.flags, f'--until={stage.until}'), until=stage.until),
      selection.Way.DROPPED: lambda job, why: dataclasses.replace(job, dropped=why),
      selection.Way.GOES_ON: lambda job, _: job}
  return [ways[fate.way](job, fate.reason) for job, fate in zip(all_jobs, fates, strict=True)]


def start(workdir, *kinds: str, at_once: int = 2) -> subprocess.Popen:
  """Starts a launcher of such runs as a process."""
  return subprocess.Popen(
      [sys.executable, '-m', 'tests.launch.launcher', str(workdir), str(at_once), *kinds],
      cwd=commands.ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def wait_for(condition, seconds: float = 100) -> None:
  """Waits until a condition holds; fails the test if it never does."""
  began = time.monotonic()
  while not condition():
    assert time.monotonic() - began < seconds, 'it never came'
    time.sleep(0.05)


def main() -> int:
  workdir, at_once, *kinds = sys.argv[1:]
  get_jobs = (lambda: jobs(workdir, *kinds)) if kinds[0] != 'staged' else (
      lambda: staged_jobs(workdir, len(kinds)))
  return scheduler.Scheduler(local.Local(), at_once=int(at_once), restarts=3).run(get_jobs)


if __name__ == '__main__':
  sys.exit(main())
