"""A run that dies alike three times in a row is failed; what comes between begins a new count."""

from etils import epath
import pytest

from launch import deaths
from launch import jobs as jobs_lib
from launch import local
from launch import scheduler
from launch import states
from tests.launch import launcher

_AGAIN = jobs_lib.End.AGAIN


def _died(death='SIGSEGV'):
  return jobs_lib.Ending(_AGAIN, f'killed by {death}', death)


@pytest.fixture
def job(tmp_path):
  folder = epath.Path(tmp_path / 'run')
  folder.mkdir()
  return jobs_lib.Job('run', folder, ())


def _reach(job, update):
  (job.folder / 'metrics.jsonl').write_text(f'{{"update": {update}}}\n')


def test_three_deaths_alike_are_one_too_many(job):
  _reach(job, 12)
  assert [deaths.count(job, _died()) for _ in range(2)] == ['', '']
  assert deaths.count(job, _died()) == (
      'killed by SIGSEGV 3 times in a row at update 12: another start would be too')
  # Whoever gives the command again tries it again, as often.
  assert [bool(deaths.count(job, _died())) for _ in range(3)] == [False, False, True]


@pytest.mark.parametrize('between', [
    lambda job: _reach(job, 13),
    lambda job: deaths.count(job, _died('SIGABRT')),
    lambda job: deaths.count(job, jobs_lib.Ending(_AGAIN, 'stopped by a signal')),
    lambda job: deaths.count(job, jobs_lib.Ending(jobs_lib.End.FAILED, 'no such file')),
])
def test_what_comes_between_begins_the_count_anew(job, between):
  _reach(job, 12)
  for _ in range(2):
    assert not deaths.count(job, _died())
  between(job)
  assert [bool(deaths.count(job, _died())) for _ in range(3)] == [False, False, True]


def test_a_status_tells_where_it_began_without_metrics(job):
  (job.folder / 'status.json').write_text('{"status": "running", "update": 7}')
  assert 'at update 7' in [deaths.count(job, _died()) for _ in range(3)][-1]


@pytest.mark.parametrize('content', ['[1]', '{"deaths": 3}', '{"deaths": {"update": 0}}', '{'])
def test_a_damaged_record_begins_anew(job, content):
  (job.folder / 'launch.json').write_text(content)
  assert [bool(deaths.count(job, _died())) for _ in range(3)] == [False, False, True]


def test_who_is_asked_to_leave_does_not_die():
  assert [deaths.of(names) for names in ('SIGTERM', 'SIGINT, SIGKILL', 'SIGSEGV')] == [
      '', '', 'SIGSEGV']
  assert [deaths.of_status(code) for code in (1, 75, 143, 137, 139, 300)] == [
      '', '', '', '', 'SIGSEGV', '']


def test_a_launcher_gives_up_on_a_run_that_dies_alike(tmp_path):
  jobs = launcher.jobs(tmp_path, 'segfault', 'killed_twice')
  assert scheduler.Scheduler(local.Local(), at_once=2, restarts=20).run(lambda: jobs) == 1
  found = {state.name: state for state in map(states.state_of, jobs)}
  assert found['killed_twice-1'].status == 'finished'
  state = found['segfault-0']
  assert (state.status, state.update) == ('failed', 3)
  assert 'killed by SIGSEGV 3 times in a row at update 3' in state.reason
  assert jobs[0].record()['starts'] == 3
