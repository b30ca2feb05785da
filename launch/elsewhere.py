"""The services that may hold a run, by what launchers noted in its folder.

A sweep may move from one place to another: what the last place still does with a run is ended
before the next one begins it, and the next one goes on from what was saved.
"""

from collections.abc import Callable
import dataclasses
import re
import subprocess
from typing import Any

from absl import logging

from launch import gcloud_words
from launch import jobs as jobs_lib
from launch import slurm_words
from launch import states

# What a service says of what is to be ended, and has ended.
_GONE = re.compile(
    r'NOT_FOUND|not found|404|Invalid job id|already complet', re.IGNORECASE)


@dataclasses.dataclass(frozen=True)
class Service:
  """One service.

  Attributes:
    tool: the command that speaks to it.
    stop: what launchers noted of a run -> the commands that end what it does with the run.
  """

  tool: str
  stop: Callable[[dict[str, Any]], list[list[str]]]


# By the key of launch.json under which a launcher notes that the service has the run.
SERVICES = {
    'slurm': Service('scancel', lambda record: slurm_words.stop(record['slurm'].get('job', ''))),
    'skypilot': Service('sky', lambda record: [
        ['sky', 'jobs', 'cancel', '--yes', '--name', record['skypilot']]]),
    # A slice would go on without a launcher.
    'resource': Service('gcloud', lambda record: [gcloud_words.delete(
        record['resource'], jobs_lib.Options(
            zone=record.get('zone', ''), project=record.get('project', '')))]),
}


def holding(record: dict[str, Any]) -> list[str]:
  """Returns the keys of the services that have a run, by what launchers noted of it."""
  return [key for key in SERVICES if record.get(key)]


def stop(key: str, record: dict[str, Any]) -> str:
  """Ends what a service does with a run; returns why it could not, '' if it could."""
  for words in SERVICES[key].stop(record):
    try:
      done = subprocess.run(words, capture_output=True, text=True, check=False)
    except FileNotFoundError:
      return f'there is no {words[0]} command here'
    said = done.stderr or done.stdout
    if done.returncode and not _GONE.search(said):
      return jobs_lib.last_error(said)
  return ''


class Moves:
  """Runs that another place may still have, for one launcher."""

  def __init__(self, noted: str):
    """Takes the key of SERVICES by which the launcher's own place holds runs; '' if by none."""
    self._noted = noted
    self._leaving: set[jobs_lib.Job] = set()

  def in_the_way(self, job: jobs_lib.Job) -> bool:
    """Whether another place is still at work on a run, which is told to leave it.

    Args:
      job: the run; its lease is held.
    """
    record = job.record()
    others = [key for key in holding(record) if key != self._noted]
    if others:
      # Noted first: a job of Slurm whose turn comes now sees that the run is not its own any more.
      job.note(waits='', **{key: '' for key in others})
      for key in others:
        if trouble := stop(key, record):
          logging.warning('%s: %s may still have it: %s', job.name, SERVICES[key].tool, trouble)
      self._leaving.add(job)
    if job in self._leaving and not states.training(job):
      self._leaving.discard(job)
    return job in self._leaving
