"""Runs on Cloud TPU: one queued resource per run, through the `gcloud` command.

No ssh: a start-up script brings the source, a Python and the run's command to every host, so that a
slice that comes back from nowhere goes on by itself. A slice that was preempted or suspended is
deleted and asked for again; one whose run has ended is deleted. The launcher may end and be started
again at any time: what runs keeps running, and the next launcher finds it by its name.
"""

from collections.abc import Callable
from collections.abc import Sequence
import hashlib
import json
import logging
import os
import re
import shlex
import subprocess
import tempfile
import time
from typing import Any

from launch import chips
from launch import deaths
from launch import dry_run
from launch import gcloud_words
from launch import hosts
from launch import jobs as jobs_lib
from launch import provisioning
from launch import scheduler
from nfnets_am.core import cli
from nfnets_am.core import errors
from nfnets_am.storage import leases

_GONE = ('SUSPENDING', 'SUSPENDED')
_LIVE = ('ACCEPTED', 'PROVISIONING', 'CREATING', 'ACTIVE', 'WAITING_FOR_RESOURCES',
         'STATE_UNSPECIFIED')
# What a service says that may say another thing in a minute.
_TRANSIENT = re.compile(
    r'\b(5\d\d)\b|UNAVAILABLE|INTERNAL|DEADLINE_EXCEEDED|timed out|Connection|Temporary failure',
    re.IGNORECASE)
_MISSING = re.compile(r'NOT_FOUND|not found|404', re.IGNORECASE)
# As many looks without an answer are an error of their own.
_MOST_SILENT = 20


def launch(get_jobs: Callable[[], Sequence[jobs_lib.Job]], options: jobs_lib.Options) -> int:
  """Runs a sweep on Cloud TPU; see scheduler.Scheduler.run."""
  backend = QueuedResources(options)
  if options.dry_run:
    dry_run.show(get_jobs(), backend.describe)
    return 0
  backend.check()
  if any(leases.is_local(job.folder) for job in get_jobs()):
    logging.warning('the workdir is not gs://...: the hosts must see the same folder under the '
                    'same path')
  return scheduler.Scheduler(
      backend, at_once=options.jobs, restarts=options.restarts,
      give_up=options.give_up).run(get_jobs)


class QueuedResources:
  """Queued resources of one kind in one zone.

  Attributes:
    noted, on_stop: see scheduler.Backend.
    poll_s: seconds between two looks at the service.
  """

  noted = 'resource'
  on_stop = 'leaving: the slices go on; the same command comes back to them'

  def __init__(self, options: jobs_lib.Options, *, poll_s: float = 20.0):
    """Checks the options.

    Args:
      options: `tpu` and `zone` must be said.
      poll_s: seconds between two looks at the service.

    Raises:
      ConfigError: no such TPU, no zone, or no such way to have it.
    """
    if not options.zone:
      raise errors.ConfigError('--on=gcloud needs --zone')
    self._way = provisioning.way_of(
        options.provisioning, options.reservation, options.max_run_duration)
    self._slice, self._options, self.poll_s = chips.parse(options.tpu), options, poll_s
    self._listed: dict[str, dict[str, Any]] = {}
    self._looked = -poll_s
    self._silent = 0
    self._trouble = ''

  def check(self) -> None:
    """Asks once for what there is in the zone of the project; trouble of the service is no answer.

    Raises:
      UserError: there is no gcloud, or no such project or zone, or no right to them.
    """
    done = self._gcloud(self._list_command())
    if done.returncode and not _TRANSIENT.search(done.stderr):
      project = self._options.project
      raise errors.UserError(
          f'nothing is started, as gcloud cannot use --zone={self._options.zone} of '
          f'{f"--project={project}" if project else "its own project"}: '
          f'{gcloud_words.sentence(done.stderr)}')

  def start(self, job: jobs_lib.Job) -> 'Resource':
    """Asks for a slice, or finds the one that an earlier launcher asked for."""
    record = job.record()
    known = record.get('resource', '')
    if known and self._state(known, fresh=True) in _LIVE:
      return Resource(self, job, known)
    (job.folder / 'exit.txt').unlink(missing_ok=True)
    name = self.name(job, record['starts'])
    with tempfile.NamedTemporaryFile('w', prefix='startup-', suffix='.sh') as f:
      f.write(self._script(job, name))
      f.flush()
      # Noted first: a launcher that dies now still finds the slice.
      job.note(resource=name, zone=self._options.zone, project=self._options.project)
      done = self._gcloud(self.create_command(name, f.name))
    if done.returncode and 'ALREADY_EXISTS' not in done.stderr:
      sentence = gcloud_words.sentence(done.stderr)
      if _TRANSIENT.search(done.stderr):
        return Resource(self, job, name, failed=jobs_lib.Ending(
            jobs_lib.End.AGAIN, f'not created: {sentence}'))
      raise errors.UserError(f'not created: {sentence}')
    self._looked = -self.poll_s
    return Resource(self, job, name)

  def busy(self, job: jobs_lib.Job) -> bool:
    """Never: who works on a run of this place holds its lease."""
    del job
    return False

  def name(self, job: jobs_lib.Job, start: int) -> str:
    """Returns the name of a run's resource: letters, digits and '-', at most 63."""
    readable = re.sub('[^a-z0-9]+', '-', job.folder.name.lower()).strip('-')[:40].strip('-')
    digest = hashlib.sha256(os.fspath(job.folder).encode()).hexdigest()[:8]
    return f'r-{readable}-{digest}-{start}'

  def create_command(self, name: str, script: str) -> list[str]:
    """Returns the command that asks for a slice."""
    options = self._options
    command = [
        'gcloud', *['alpha'] * self._way.alpha, 'compute', 'tpus', 'queued-resources', 'create',
        name, f'--node-id={name}',
        f'--accelerator-type={self._slice.name}',
        f'--runtime-version={options.runtime_version or self._slice.chip.runtime}',
        f'--metadata-from-file=startup-script={script}', '--async',
        *gcloud_words.where(options)]
    # The run folder and the archive are read with the machines' own rights.
    command.append('--scopes=https://www.googleapis.com/auth/cloud-platform')
    for flag in ('service_account', 'network', 'subnetwork'):
      if value := getattr(options, flag):
        command.append(f'--{flag.replace("_", "-")}={value}')
    return command + self._way.flags(options.reservation, options.max_run_duration)

  def command(self, job: jobs_lib.Job) -> list[str]:
    """Returns what each host of a slice runs, without the interpreter."""
    return hosts.command_of(job)

  def describe(self, job: jobs_lib.Job) -> str:
    """Returns what would be done, for --dry_run: a command and the script that it takes."""
    name = self.name(job, 1)
    script = hosts.startup_script(
        job, job.folder.parent / 'source-DIGEST.tar.gz', gcloud_words.delete(name, self._options),
        self.command(job))
    return f'{shlex.join(self.create_command(name, "startup.sh"))}\n# startup.sh:\n{script}'

  def look(self, name: str) -> tuple[str, str]:
    """Returns a resource's state ('' if there is none) and, of a failed one, why.

    Raises:
      UserError: the service has not answered for a long time.
    """
    state = self._state(name)
    error = self._listed.get(name, {}).get('state', {}).get('failedData', {}).get('error', {})
    return state, error.get('message', '')

  def delete(self, name: str) -> None:
    """Ends a slice; one that is gone is fine, trouble is said and not raised."""
    done = self._gcloud(gcloud_words.delete(name, self._options))
    if done.returncode and not _MISSING.search(done.stderr):
      logging.warning('%s could not be deleted: %s', name, gcloud_words.sentence(done.stderr))

  def _state(self, name: str, fresh: bool = False) -> str:
    """Returns the state of a resource as last listed; one call serves all runs."""
    if fresh or time.monotonic() - self._looked >= self.poll_s:
      done = self._gcloud(self._list_command())
      self._looked = time.monotonic()
      try:
        found = json.loads(done.stdout) if not done.returncode else None
      except ValueError:
        found = None
      if found is None:
        self._silent, self._trouble = self._silent + 1, gcloud_words.sentence(done.stderr)
        if self._silent > _MOST_SILENT:
          raise errors.UserError(f'the service does not answer: {self._trouble}')
        # What was known stays so until it answers.
        if name not in self._listed:
          return 'STATE_UNSPECIFIED'
      else:
        self._silent = 0
        self._listed = {item['name'].rpartition('/')[2]: item for item in found}
    if name not in self._listed:
      return ''
    return self._listed[name].get('state', {}).get('state', 'STATE_UNSPECIFIED')

  def _script(self, job: jobs_lib.Job, name: str) -> str:
    source = hosts.pack(job.folder.parent)
    return hosts.startup_script(
        job, source, gcloud_words.delete(name, self._options), self.command(job))

  def _list_command(self) -> list[str]:
    return ['gcloud', 'compute', 'tpus', 'queued-resources', 'list',
            *gcloud_words.where(self._options)]

  def _gcloud(self, command: list[str]) -> subprocess.CompletedProcess:
    try:
      return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    except FileNotFoundError:
      raise errors.UserError(
          'there is no gcloud command; install the Google Cloud CLI') from None
    except subprocess.TimeoutExpired:
      return subprocess.CompletedProcess(command, 1, '', 'timed out')


class Resource:
  """The queued resource of one run."""

  def __init__(self, service: QueuedResources, job: jobs_lib.Job, name: str,
               failed: jobs_lib.Ending | None = None):
    self._service, self._job, self._name = service, job, name
    self._ending = failed
    self._seen = False
    self._began = time.monotonic()
    self._looked = -service.poll_s

  def poll(self) -> jobs_lib.Ending | None:
    """Looks at the run's folder, and now and then at the service."""
    if self._ending is None and time.monotonic() - self._looked >= self._service.poll_s:
      self._looked = time.monotonic()
      try:
        self._ending = self._look()
      except errors.UserError as e:
        return jobs_lib.Ending(jobs_lib.End.FAILED, str(e))
      except Exception as e:
        if not errors.is_storage(e):
          raise
        logging.warning('%s: cannot be read now, so again later: %s', self._job.name, e)
      if self._ending is not None:
        self._service.delete(self._name)
    return self._ending

  def stop(self) -> None:
    """Nothing: the slice goes on without a launcher."""

  def stopped(self) -> bool:
    """Always: there is nothing to wait for."""
    return True

  def _look(self) -> jobs_lib.Ending | None:
    state, why = self._service.look(self._name)
    self._seen |= bool(state)
    code, text = self._exit()
    if code is not None or self._job.done:
      # Said at the very end of the script: the last checkpoint and status are written.
      if self._job.done:
        return jobs_lib.Ending(jobs_lib.End.DONE)
      if code == cli.EXIT_STOPPED or code > 128:
        return jobs_lib.Ending(
            jobs_lib.End.AGAIN, f'ended with exit status {code}', deaths.of_status(code))
      return jobs_lib.Ending(
          jobs_lib.End.FAILED, f'{jobs_lib.last_error(text)} (exit status {code})')
    if state in _GONE:
      return jobs_lib.Ending(jobs_lib.End.AGAIN, 'preempted')
    if state == 'FAILED':
      sentence = why or 'the service says FAILED and not why'
      kind = jobs_lib.End.AGAIN if _TRANSIENT.search(sentence) else jobs_lib.End.FAILED
      return jobs_lib.Ending(kind, sentence)
    if state == 'DELETING' or (not state and (self._seen or self._old())):
      return jobs_lib.Ending(jobs_lib.End.AGAIN, 'the slice is gone')
    return None

  def _old(self) -> bool:
    """Whether a resource that was asked for should be listed by now."""
    return time.monotonic() - self._began > 300

  def _exit(self) -> tuple[int | None, str]:
    """Returns the exit status and the end of the log that the script left, or None."""
    try:
      code, _, text = (self._job.folder / 'exit.txt').read_text().partition('\n')
    except FileNotFoundError:
      return None, ''
    return (int(code), text) if code.strip().isdigit() else (None, '')
