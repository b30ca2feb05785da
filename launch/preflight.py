"""What is asked before a sweep starts anything: can its configs run, and are its data there?

A sweep of 1,904 runs whose data are missing would fail 1,904 times, on a cloud each after a machine
was installed. Nothing is compiled here and no accelerator is touched.
"""

from collections.abc import Callable
from collections.abc import Sequence
import json
import os
from typing import Any

from absl import logging
import jax
import ml_collections

from launch import jobs as jobs_lib
from nfnets_am import analysis
from nfnets_am.analysis import measures
from nfnets_am.config import identity
from nfnets_am.core import errors
from nfnets_am.data import inputs
from nfnets_am.data.memory import sources
from nfnets_am.data.text import files
from nfnets_am.storage import leases
from nfnets_am.storage import sinks
from nfnets_am.training import run as run_lib

# What copies of a cell differ in, and what no check depends on.
_COPY = ('seed', 'seeds.', 'reseed.')
_FOLDER = 'folder:'


def configs(jobs: Sequence[jobs_lib.Job], *, devices: int = 1, hosts: int = 1) -> None:
  """Refuses a sweep with a config that cannot run, whatever its data are.

  Args:
    jobs: its runs; copies of a cell are looked at once.
    devices: that a run will have, as far as that is known, over all hosts.
    hosts: the same.

  Raises:
    ConfigError: the first run that is refused, and why.
  """
  # A launcher leaves the accelerator to its runs.
  jax.config.update('jax_platforms', 'cpu')
  for job in _distinct(jobs):
    _of_run(job, run_lib.check, job.config, devices=devices, hosts=hosts)
    if job.config.measure:
      _of_run(job, measures.of, job.config.measure, analysis.MEASURES)


def data(jobs: Sequence[jobs_lib.Job], *, devices: int = 1, hosts: int = 1, here: bool = True,
         dry: bool = False) -> None:
  """Opens the data of a sweep's runs, where they can be seen, and looks at each config with them.

  Args:
    jobs: runs that have something left to run.
    devices, hosts: as of `configs`.
    here: whether runs are on this machine; else they are on new ones, which hold no data.
    dry: whether nothing may be fetched, and no bucket looked at.

  Raises:
    UserError: the data are missing or unreadable, or cannot be on the machines of the runs.
    ConfigError: as of `configs`.
  """
  opened: dict[str, Any] = {}
  started: set[str] = set()
  for job in _distinct(jobs):
    config = job.config
    if here:
      _of_run(job, sinks.require, config.sinks)
    key = json.dumps([config.data.to_dict(), config.dtype], sort_keys=True)
    if key not in opened:
      opened.clear()  # One set at a time: they may be large.
      opened[key] = _of_run(job, _open, config, here, dry)
    if opened[key] is None:
      continue
    # What weights a run starts from is read once for all runs that start from the same.
    start = json.dumps([config.start.to_dict(), config.model.to_dict()], sort_keys=True)
    begins = here and start not in started and not _goes_on(job, dry)
    started |= {start} if begins else set()
    _of_run(job, run_lib.build, config, begins=begins, dataset=opened[key], devices=devices,
            hosts=hosts)


def _distinct(jobs: Sequence[jobs_lib.Job]) -> list[jobs_lib.Job]:
  """Returns a job for each config that copies of it do not differ in."""
  found = {}
  for job in jobs:
    if job.config is None:
      continue
    kept = {key: value for key, value in identity.to_json(job.config).items()
            if not key.startswith(_COPY)}
    found.setdefault(json.dumps(kept, sort_keys=True), job)
  return list(found.values())


def _of_run(job: jobs_lib.Job, check: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
  try:
    return check(*args, **kwargs)
  except errors.UserError as e:
    raise type(e)(f'nothing is started, as {job.name or "the run"} would fail: {e}') from e


def _goes_on(job: jobs_lib.Job, dry: bool) -> bool:
  """Whether a run needs no start any more."""
  looks = leases.is_local(job.folder) or not dry
  return looks and (job.folder / 'checkpoints').exists()


def _open(config: ml_collections.ConfigDict, here: bool, dry: bool) -> inputs.Input | None:
  """Opens what a config reads, or returns None where that cannot be seen from here."""
  section = config.data.copy_and_resolve_references()
  where, name = section.get('data_dir', ''), section.get('set', '')
  if name.startswith(_FOLDER):
    where = os.path.join(where, os.path.expanduser(name.removeprefix(_FOLDER)))
  bundled = sources.is_bundled(name) or name in files.BUNDLED_SETS
  if not bundled:
    if not leases.is_local(where):
      if dry:
        return None
    elif not here:
      if not where and not section.get('download'):
        raise errors.UserError(
            f'the machines of a cloud are new and hold no {name}; allowed: '
            '--set=data.data_dir=gs://BUCKET/DIR, a folder of prepared sets (docs/data.md)')
      return None
    if section.get('download') and (dry or not here):
      return None
  # To look for bad records is to decode all of them, and no shard is to be copied yet.
  for key, value in (('on_bad_record', 'raise'), ('cache', '')):
    if key in section:
      section[key] = value
  logging.info('opening %s, to see that it is there', name or section.name)
  return inputs.INPUTS.build(section, config.dtype)
