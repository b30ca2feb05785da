"""When a sweep stops by itself: so many of its runs failed alike, and none has ended well."""

import collections
import os
import re

from launch import jobs as jobs_lib

# Of a local run: what its processes ended with, and where its log is.
_PLACE = re.compile(r' \(exit status .*\)$')


class Failures:
  """What the runs of one launcher failed of.

  Attributes:
    sentence: why no more runs are to be started; '' while there is no reason.
  """

  def __init__(self, most: int):
    """Makes an empty count.

    Args:
      most: different runs that fail for the same reason, until the launcher gives up; 0 never does.
    """
    self._most = most
    self._runs: dict[str, set[os.PathLike]] = collections.defaultdict(set)
    self.sentence = ''

  def ended_well(self) -> None:
    """Notes that a run is done: from now on a failure is that of its own run."""
    self._most = 0

  def note(self, job: jobs_lib.Job, reason: str) -> None:
    """Notes why a run failed; where that names the run itself, it is the same reason."""
    reason = _PLACE.sub('', reason)
    same = reason
    for own in (os.fspath(job.folder), job.folder.name, job.name):
      same = same.replace(own, 'RUN')
    self._runs[same].add(job.folder)
    if self._most and len(self._runs[same]) >= self._most:
      self.sentence = self.sentence or (
          f'{len(self._runs[same])} runs failed for the same reason and none has ended well, so no '
          f'more are started: {reason}')
