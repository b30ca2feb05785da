"""Queued resources, by a stand-in for gcloud and by the real one where it is installed."""

import http.server
import pathlib
import shutil
import threading

from etils import epath
import pytest

from launch import gcloud
from launch import jobs as jobs_lib
from launch import scheduler
from launch import states
from nfnets_am.core import errors
from tests import commands
from tests.launch import tpu_service

_REAL = shutil.which('gcloud')


@pytest.fixture(params=['stand-in', pytest.param('real', marks=[
    pytest.mark.slow, pytest.mark.skipif(not _REAL, reason='gcloud is not installed')])])
def service(request, tmp_path, monkeypatch):
  if request.param == 'stand-in':
    yield tpu_service.put_before_path(tmp_path, monkeypatch)
    return
  service = tpu_service.Service(tmp_path / 'service.json')
  server = http.server.HTTPServer(('127.0.0.1', 0), tpu_service.handler(service))
  threading.Thread(target=server.serve_forever, daemon=True).start()
  for key, value in {
      'CLOUDSDK_AUTH_DISABLE_CREDENTIALS': 'true', 'CLOUDSDK_CORE_DISABLE_PROMPTS': '1',
      'CLOUDSDK_API_ENDPOINT_OVERRIDES_TPU': f'http://127.0.0.1:{server.server_port}/',
      'CLOUDSDK_CORE_PROJECT': 'p', 'CLOUDSDK_CONFIG': str(tmp_path / 'gcloud')}.items():
    monkeypatch.setenv(key, value)
  yield service
  server.shutdown()
  server.server_close()


def _jobs(workdir, *names):
  flags = (f'--config={commands.ROOT / "tests" / "tiny.py"}:multiplicity=1,seed=0',)
  return [jobs_lib.Job(name, epath.Path(workdir) / name, flags) for name in names]


def _run(jobs, restarts=3, **options):
  backend = gcloud.QueuedResources(
      jobs_lib.Options(tpu='v3-32', zone='z', project='p', **options), poll_s=0.01)
  return scheduler.Scheduler(backend, at_once=9, restarts=restarts).run(lambda: jobs)


def _calls(service, verb):
  return [call for call in service.read()['calls'] if call[0] == verb]


def test_a_sweep(service, tmp_path):
  service.begin({
      'waits': [['WAITING_FOR_RESOURCES', 'ACTIVE', 'finish']],
      'preempted': [['ACTIVE', 'SUSPENDED'], ['ACTIVE', 'finish']],
      'refused': [['refuse 429 RESOURCE_EXHAUSTED: Quota TPUV3sPreemptible exceeded, limit 0']],
      'wrong': [['ACTIVE', 'exit 1 error: this config is refused']],
      'service_failed': [['FAILED: no capacity of this kind in the zone']],
  }, list_errors=2)
  jobs = _jobs(tmp_path / 'runs', *service.read()['lives'])
  assert _run(jobs) == 1
  found = {state.name: state for state in map(states.state_of, jobs)}
  assert {name: state.status for name, state in found.items()} == {
      'waits': 'finished', 'preempted': 'finished', 'refused': 'failed', 'wrong': 'failed',
      'service_failed': 'failed'}
  assert 'Quota TPUV3sPreemptible' in found['refused'].reason
  assert 'this config is refused' in found['wrong'].reason
  assert 'no capacity' in found['service_failed'].reason
  assert found['preempted'].interruptions == 1
  assert not service.read()['resources']
  created = _calls(service, 'create')
  assert len(created) == 6 and len(_calls(service, 'delete')) == 5
  assert created[0][2] == {'spot': True, 'type': 'v3-32', 'runtime': 'tpu-ubuntu2204-base'}
  assert len({name for _, name, _ in created}) == 6


def test_another_launcher_comes_back_to_the_slice(tmp_path, monkeypatch):
  service = tpu_service.put_before_path(tmp_path, monkeypatch)
  service.begin({'left': [['ACTIVE', 'ACTIVE', 'ACTIVE', 'ACTIVE', 'finish']]})
  jobs = _jobs(tmp_path / 'runs', 'left')
  backend = gcloud.QueuedResources(jobs_lib.Options(tpu='v3-32', zone='z'), poll_s=0.0)
  jobs[0].folder.mkdir(parents=True)
  jobs[0].note(starts=1)
  assert backend.start(jobs[0]).poll() is None  # Then this launcher dies.
  assert _run(jobs) == 0
  assert len(_calls(service, 'create')) == 1 and not service.read()['resources']


@pytest.mark.parametrize('lives, restarts, status', [
    ([['refuse 503 UNAVAILABLE: try again'], ['ACTIVE', 'finish']], 3, 'finished'),
    ([['ACTIVE', 'gone'], ['ACTIVE', 'finish']], 3, 'finished'),
    ([['ACTIVE', 'exit 75 stopped'], ['ACTIVE', 'finish']], 3, 'finished'),
    ([['ACTIVE', 'SUSPENDING'], ['SUSPENDED']], 1, 'failed'),
])
def test_what_comes_back_and_what_does_not(tmp_path, monkeypatch, lives, restarts, status):
  service = tpu_service.put_before_path(tmp_path, monkeypatch)
  service.begin({'run': lives})
  jobs = _jobs(tmp_path / 'runs', 'run')
  assert _run(jobs, restarts) == (status == 'failed')
  assert states.state_of(jobs[0]).status == status
  assert not service.read()['resources']


def test_a_bucket_that_does_not_answer_is_read_again(tmp_path, monkeypatch):
  service = tpu_service.put_before_path(tmp_path, monkeypatch)
  service.begin({'run': [['ACTIVE', 'finish']]})
  (job,) = _jobs(tmp_path / 'runs', 'run')
  job.folder.mkdir(parents=True)
  resource = gcloud.QueuedResources(
      jobs_lib.Options(tpu='v3-32', zone='z'), poll_s=0.0).start(job)

  def away(self):
    raise type('UnavailableError', (Exception,), {})('no answer')

  with monkeypatch.context() as patch:
    patch.setattr(gcloud.Resource, '_exit', away)
    assert resource.poll() is None and not _calls(service, 'delete')
  assert resource.poll() == jobs_lib.Ending(jobs_lib.End.DONE)


def test_a_service_that_never_answers_is_said(tmp_path, monkeypatch):
  service = tpu_service.put_before_path(tmp_path, monkeypatch)
  service.begin({'run': [['ACTIVE']]}, list_errors=1000)
  monkeypatch.setattr(gcloud, '_MOST_SILENT', 2)
  jobs = _jobs(tmp_path / 'runs', 'run')
  assert _run(jobs) == 1
  assert 'unavailable' in states.state_of(jobs[0]).reason


def test_names_are_what_the_service_takes(tmp_path):
  backend = gcloud.QueuedResources(jobs_lib.Options(tpu='v4-32', zone='z'))
  job = _jobs(tmp_path, 'wide_resnet.With-a_very-Long-name' * 4)[0]
  name = backend.name(job, 12)
  assert len(name) <= 63 and set(name) <= set('abcdefghijklmnopqrstuvwxyz0123456789-')
  assert name[0].isalpha() and name[-1] != '-'


@pytest.mark.parametrize('options, words', [
    ({'tpu': 'v9-32', 'zone': 'z'}, ['v9', 'v6e']),
    ({'tpu': 'v3-33', 'zone': 'z'}, ['v3-33', '32']),
    ({'tpu': 'v3-32'}, ['--zone']), ({'zone': 'z'}, ['TPU']),
])
def test_refusals(options, words):
  with pytest.raises(errors.ConfigError) as e:
    gcloud.QueuedResources(jobs_lib.Options(**options))
  assert all(word in str(e.value) for word in words)


def test_an_experiment_elsewhere_is_refused(tmp_path):
  path = pathlib.Path(tmp_path / 'elsewhere.py')
  path.write_text('')
  job = jobs_lib.Job('x', epath.Path(tmp_path / 'x'), (f'--config={path}:a=1',))
  with pytest.raises(errors.UserError, match='elsewhere.py is not under'):
    gcloud.QueuedResources(jobs_lib.Options(tpu='v4-8', zone='z')).describe(job)


def test_a_slice_of_limited_time_is_asked_for_again(tmp_path, monkeypatch):
  """Flex-start suspends a slice when its time is over; a reservation is named with the request."""
  service = tpu_service.put_before_path(tmp_path, monkeypatch)
  service.begin({'long': [['ACTIVE', 'SUSPENDED'], ['ACTIVE', 'finish']],
                 'reserved': [['ACTIVE', 'finish']]})
  long, reserved = _jobs(tmp_path / 'runs', 'long', 'reserved')
  for job, options in ((long, {'provisioning': 'flex_start', 'max_run_duration': '24h'}),
                       (reserved, {'provisioning': 'reservation', 'reservation': 'mine'})):
    backend = gcloud.QueuedResources(
        jobs_lib.Options(tpu='v6e-8', zone='z', **options), poll_s=0.0)
    assert scheduler.Scheduler(backend, at_once=1, restarts=1).run(lambda job=job: [job]) == 0
  first, second, third = (request for _, _, request in _calls(service, 'create'))
  assert first == second
  assert [first[flag] for flag in tpu_service.ALPHA] == ['flex-start', '24h', None]
  assert [third[flag] for flag in tpu_service.ALPHA] == [None, None, 'mine']
  assert not (first['spot'] or third['spot'])


@pytest.mark.parametrize('options, said', [
    ({'provisioning': 'flexstart'}, "did you mean 'flex_start'"),
    ({'provisioning': 'flex_start'}, '--provisioning=flex_start needs --max_run_duration'),
    ({'provisioning': 'flex_start', 'max_run_duration': '8d'}, 'max_run_duration=8d; allowed: at '
     'most 7 days'),
    ({'max_run_duration': '1h'}, 'with --provisioning=spot; allowed: with --provisioning=flex'),
    ({'provisioning': 'on_demand', 'reservation': 'mine'}, '--reservation=mine with '
     '--provisioning=on_demand; allowed: with --provisioning=calendar or')])
def test_a_way_to_have_a_slice_takes_what_it_needs(options, said):
  with pytest.raises(errors.ConfigError, match=said):
    gcloud.QueuedResources(jobs_lib.Options(tpu='v6e-8', zone='z', **options))
