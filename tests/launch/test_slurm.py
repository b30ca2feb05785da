"""Runs as jobs of Slurm: a real one on this machine's loopback address, and a stand-in for it."""

import json
import os
import pathlib
import subprocess

from etils import epath
import pytest

from launch import asking
from launch import jobs as jobs_lib
from launch import local
from launch import places
from launch import scheduler
from launch import slurm
from launch import slurm_task
from launch import slurm_words
from launch import states
from nfnets_am.core import errors
from tests import commands
from tests.launch import launcher
from tests.launch import slurm_cluster
from tests.launch import slurm_service

pytest.importorskip('submitit')
_MISSING = slurm_cluster.missing()
_REAL = [pytest.mark.slow, pytest.mark.skipif(
    bool(_MISSING), reason=f"there is no {_MISSING}; Debian's slurm-wlm has it")]
# A path that neither a shell nor Slurm's own patterns may read.
_NASTY = """it's a "test" of $HOME `id` \\ & ; * ünd 100%"""


@pytest.fixture(scope='module')
def cluster(tmp_path_factory):
  """A real Slurm; its settings are named by what it returns."""
  with slurm_cluster.Cluster(tmp_path_factory.mktemp('slurm') / 'cluster') as found:
    yield found


@pytest.fixture(params=['stand-in', pytest.param('real', marks=_REAL)])
def service(request, tmp_path, monkeypatch):
  monkeypatch.chdir(commands.ROOT)
  if request.param == 'stand-in':
    return slurm_service.put_before_path(tmp_path, monkeypatch)
  for key, value in request.getfixturevalue('cluster').environment.items():
    monkeypatch.setenv(key, value)
  return None


def _slurm(jobs, **options):
  return slurm.Slurm(jobs_lib.Options(**options), jobs[0].folder.parent, poll_s=0.3)


def _run(jobs, at_once=9, **options):
  return scheduler.Scheduler(_slurm(jobs, **options), at_once=at_once, restarts=3).run(lambda: jobs)


def _begun(job):
  return (job.folder / 'begun.txt').read_text().split()


def test_a_sweep_is_an_array_and_a_run_that_saved_goes_on(service, tmp_path):
  jobs = launcher.jobs(tmp_path / _NASTY, 'fine', 'crash', 'stopped_once')
  assert _run(jobs) == 1
  fine, crash, stopped = map(states.state_of, jobs)
  assert (fine.status, crash.status, stopped.status) == ('finished', 'failed', 'finished')
  assert 'this config is refused (exit status 1' in crash.reason
  # Requeued by itself: the same job, noted once, from the update that it had saved.
  assert _begun(jobs[2]) == ['0', '1']
  record = jobs[2].record()
  assert (record['starts'], record['interruptions'], record['slurm']['restarts']) == (2, 1, 1)
  updates = [json.loads(line)['update']
             for line in (jobs[2].folder / 'metrics.jsonl').read_text().splitlines()]
  assert updates == list(range(1, 9))
  known = [job.record()['slurm']['job'] for job in jobs]
  assert {name.partition('_')[0] for name in known} == {known[0][:-2]} and known[0][-2:] == '_0'
  if service is not None:
    (flags,) = json.loads(service.read_text())['submitted']
    assert flags['--array'] == '0-2%3' and '--requeue' in flags and '--time' not in flags


def test_a_run_is_found_again_and_cancelled_and_moves_on(service, tmp_path):
  (held,) = jobs = launcher.jobs(tmp_path / 'runs', 'held')
  held.folder.mkdir(parents=True)
  first = _slurm(jobs).start(held)
  assert first.poll() is None  # Then this launcher dies.
  launcher.wait_for(lambda: states.progress(held.folder)[0] == 5)
  again = _slurm(jobs).start(held)
  assert again.known == first.known and again.poll() is None
  assert states.state_of(held).status == 'running'
  assert asking.cancel(held) == 'scancel stops it'
  launcher.wait_for(lambda: again.poll() is not None, 60)
  assert again.ending == jobs_lib.Ending(jobs_lib.End.DONE)
  assert states.state_of(held).status == 'cancelled' and held.status()['status'] == 'stopped'
  # Restored, it goes on at another place.
  asking.restart(held)
  assert scheduler.Scheduler(local.Local(), at_once=1, restarts=0).run(lambda: jobs) == 0
  assert _begun(held) == ['0', '5'] and not held.record()['slurm']


def test_a_run_that_is_warned_of_its_time_limit_is_done_again_by_its_job(service, tmp_path):
  (held,) = jobs = launcher.jobs(tmp_path / 'runs', 'held')
  held.folder.mkdir(parents=True)
  handle = _slurm(jobs).start(held)
  assert handle.poll() is None
  launcher.wait_for(lambda: states.progress(held.folder)[0] == 5)
  # What Slurm does by --signal.
  subprocess.run(['scancel', '--signal=USR2', handle.known], check=True)
  launcher.wait_for(lambda: handle.poll() is not None)
  assert handle.ending == jobs_lib.Ending(jobs_lib.End.DONE) and _begun(held) == ['0', '5']
  assert states.state_of(held).interruptions == 1 and states.state_of(held).status == 'finished'


def test_runs_move_away_while_they_are_at_work_and_while_they_wait(service, tmp_path):
  """Two nodes have an array of four: two wait, of which one is cancelled, and it alone."""
  held, other, late, unwanted = jobs = launcher.jobs(
      tmp_path / 'runs', 'held', 'held', 'fine', 'fine')
  backend = _slurm(jobs)
  for job in jobs:
    job.folder.mkdir(parents=True)
  handles = [backend.start(job) for job in jobs]
  launcher.wait_for(lambda: not any(handle.poll() for handle in handles) and all(
      states.progress(job.folder)[0] == 5 for job in (held, other)) and late.record()['waits'])
  assert late.record()['waits'] == 'with Slurm (Resources)'
  assert asking.cancel(unwanted) == 'scancel stops it'
  state = lambda handle: slurm_words.state_of(handle.known)
  launcher.wait_for(lambda: state(handles[3]) != 'PENDING')
  assert [state(handle) for handle in handles[:3]] == ['RUNNING', 'RUNNING', 'PENDING']
  assert scheduler.Scheduler(local.Local(), at_once=3, restarts=0).run(lambda: jobs) == 0
  assert _begun(held) == _begun(other) == ['0', '5'] and _begun(late) == ['0']
  launcher.wait_for(lambda: not {state(handle) for handle in handles} & set(slurm_words.LIVE))
  assert _begun(held) == _begun(other) == ['0', '5'] and _begun(late) == ['0']
  assert states.state_of(unwanted).status == 'cancelled'
  assert not (unwanted.folder / 'begun.txt').exists()


def _wait_for_update(job, update):
  launcher.wait_for(lambda: states.progress(job.folder)[0] >= update, 200)


def _tiny(workdir, *overrides):
  flags = (f'--config={commands.TINY}:multiplicity=1,seed=0', *overrides)
  return [jobs_lib.Job('tiny', epath.Path(workdir) / 'tiny', flags)]


@pytest.mark.slow
@pytest.mark.skipif(bool(_MISSING), reason='no Slurm')
def test_a_preempted_run_saves_and_ends_as_if_it_had_not_been(tmp_path, cluster, monkeypatch):
  """Its nodes are taken by a job of a partition that comes first; Slurm requeues it."""
  monkeypatch.chdir(commands.ROOT)
  for key, value in {**cluster.environment, **commands.environment()}.items():
    monkeypatch.setenv(key, value)
  longer = ('--config.budget=3000 updates', '--config.eval_every=1500 updates',
            '--config.checkpoint.every=500 updates')
  (job,) = jobs = _tiny(tmp_path / 'runs', *longer)
  backend = _slurm(jobs, partition='idle')
  job.folder.mkdir(parents=True)
  job.note(starts=1)
  handle = backend.start(job)
  assert handle.poll() is None
  _wait_for_update(job, 12)
  cluster.ask('sbatch', '--partition=urgent', '--nodes=2', '--output=/dev/null', '--wrap=sleep 1')
  launcher.wait_for(lambda: job.status()['status'] == 'stopped', 60)
  saved = job.status()['update']
  assert 12 <= saved < 3000
  launcher.wait_for(lambda: handle.poll() is not None, 200)
  assert handle.ending == jobs_lib.Ending(jobs_lib.End.DONE)
  assert (job.record()['starts'], job.record()['interruptions']) == (2, 1)
  starts = json.loads((job.folder / 'run.json').read_text())['starts']
  assert [start['update'] for start in starts] == [0, saved]
  commands.train(tmp_path / 'alone', *longer, config=f'{commands.TINY}:multiplicity=1,seed=0')
  read = lambda folder: [
      {key: value for key, value in json.loads(line).items() if 'second' not in key}
      for line in pathlib.Path(folder, 'metrics.jsonl').read_text().splitlines()]
  assert read(job.folder) == read(tmp_path / 'alone')


@pytest.mark.slow
@pytest.mark.skipif(bool(_MISSING), reason='no Slurm')
def test_two_nodes_find_each_other_and_train_one_run(tmp_path, cluster, monkeypatch):
  monkeypatch.chdir(commands.ROOT)
  for key, value in {**cluster.environment, **commands.environment()}.items():
    monkeypatch.setenv(key, value)
  (job,) = jobs = _tiny(tmp_path / 'runs', '--config.budget=4 updates')
  assert _run(jobs, nodes=2) == 0
  run = json.loads((job.folder / 'run.json').read_text())
  assert run['derived']['devices'] == 2
  assert (job.folder / 'log1.txt').exists() and job.record()['starts'] == 1


def _task(job, nodes=1):
  return slurm_task.Task(
      job.name, os.fspath(job.folder), job.flags, job.program, '', 'mine', nodes, 3)


def test_a_job_does_its_run_again_as_often_as_it_may(tmp_path, monkeypatch):
  (job,) = launcher.jobs(tmp_path, 'fine')
  job.folder.mkdir()
  job.note(slurm={'token': 'mine'})
  asked = []
  monkeypatch.setattr(slurm_task, 'requeue', lambda: asked.append(1) or True)
  stopped = jobs_lib.Ending(jobs_lib.End.AGAIN, 'stopped by a signal')
  for restarts, again in (('0', True), ('2', True), ('3', False)):
    monkeypatch.setenv('SLURM_RESTART_COUNT', restarts)
    assert _task(job)._goes_on(job, stopped) is again
  assert len(asked) == 2 and slurm_task.ending_of(job, 'mine') == jobs_lib.Ending(
      jobs_lib.End.FAILED, 'interrupted 4 times, stopped by a signal')
  # A death of its own is the launcher's to count.
  died = jobs_lib.Ending(jobs_lib.End.AGAIN, 'killed by SIGSEGV', 'SIGSEGV')
  assert not _task(job)._goes_on(job, died) and slurm_task.ending_of(job, 'mine') == died
  # Of a run that is not its own any more it says nothing.
  job.note(slurm={'token': 'another'})
  assert not _task(job)._goes_on(job, stopped) and _task(job)() == 'left to others'
  assert slurm_task.ending_of(job, 'mine') == died and slurm_task.ending_of(job, 'another') is None


def test_a_process_has_all_gpus_of_its_node(tmp_path, monkeypatch):
  """JAX would take the first one alone, as one process of Slurm's for each GPU."""
  (job,) = launcher.jobs(tmp_path, 'fine')
  assert _task(job, 2)._devices() == {}
  monkeypatch.setenv('CUDA_VISIBLE_DEVICES', '2,3,5')
  assert _task(job)._devices() == {}
  assert _task(job, 2)._devices() == {'JAX_LOCAL_DEVICE_IDS': '0,1,2'}
  assert _task(job, 2).command()[-1] == f'--workdir={job.folder}'
  assert '--coordinator=auto' in _task(job, 2).command()


@pytest.mark.parametrize('options, said', [
    ({'time_limit': '30s'}, '--time_limit=30s; allowed: at least 1m'),
    ({'time_limit': '1 day'}, '--time_limit=1 day; allowed'),
    ({'time_limit': '2m', 'save_s': 120}, '--save_s=120 with --time_limit=2m; allowed: less'),
])
def test_options_that_are_wrong_are_refused(tmp_path, options, said):
  with pytest.raises(errors.ConfigError, match=said):
    _slurm(launcher.jobs(tmp_path, 'fine'), **options)


def test_what_slurm_refuses_and_a_path_that_it_reads_are_one_sentence(tmp_path, monkeypatch):
  with pytest.raises(errors.ConfigError, match="holds '%j'"):
    _slurm(launcher.jobs(tmp_path / 'of%job', 'fine'))
  slurm_service.put_before_path(tmp_path, monkeypatch)
  jobs = launcher.jobs(tmp_path / 'runs', 'fine')
  with pytest.raises(errors.UserError, match='refuses such jobs: Invalid partition name'):
    slurm.launch(lambda: jobs, jobs_lib.Options(partition='none'))
  assert not jobs[0].folder.exists()
  assert _run(jobs, partition='none') == 1
  assert states.state_of(jobs[0]).reason == 'not submitted: Invalid partition name specified'
  monkeypatch.setenv('PATH', str(tmp_path))
  with pytest.raises(errors.UserError, match='no sbatch command'):
    slurm.launch(lambda: jobs, jobs_lib.Options())


def test_flags_are_of_their_places_and_the_dry_run_shows_the_script(
    tmp_path, monkeypatch, capsys):
  monkeypatch.chdir(commands.ROOT)
  run = lambda on, **options: places.run(
      on, jobs_lib.Options(**options), experiment='experiments/quickstart.py',
      workdir=str(tmp_path / 'runs'))
  with pytest.raises(errors.UserError, match='--gres=gpu with --on=local; allowed: with --on=sl'):
    run('local', gres='gpu')
  with pytest.raises(errors.UserError, match='--tpu=v6e-8 with --on=slurm; allowed: with --on=gcl'):
    run('slurm', tpu='v6e-8')
  with pytest.raises(errors.ConfigError, match='--devices_per_run with --on=slurm'):
    run('slurm', devices_per_run=1)
  with pytest.raises(errors.ConfigError, match='32 devices'):
    run('slurm', nodes=2, gres='gpu:16')
  monkeypatch.setenv('PATH', os.defpath if _MISSING else '/nowhere')
  assert run('slurm', dry_run=True, jobs=3, gres='gpu:a100:4', nodes=2, time_limit='90m', cpus=8,
             partition='long', account='lab', qos='low', constraint='a&b', memory='64G') == 0
  shown = capsys.readouterr().out
  for line in ('--array=0-2%3', '--gres=gpu:a100:4', '--nodes=2', '--time=90', '--cpus-per-task=8',
               '--partition=long', '--account=lab', '--qos=low', "--constraint='a&b'", '--mem=64G',
               '--signal=USR2@120', '--requeue', '--ntasks-per-node=1'):
    assert f'#SBATCH {line}\n' in shown
  assert shown.count('#!/bin/bash') == 1 and shown.count('--coordinator=auto') == 1
  assert not (tmp_path / 'runs').exists()


@pytest.mark.parametrize('gres, count', [
    ('', 0), ('gpu', 1), ('gpu:4', 4), ('gpu:a100', 1), ('gpu:a100:4', 4),
    ('gpu:a100_3g.20gb:2', 2), ('shard:3', 0), ('tmpfs:2,gpu:2', 2), ('gres/gpu:8', 8)])
def test_gpus_of_a_node(gres, count):
  assert slurm_words.gpus(gres) == count


def test_a_listing_names_jobs_of_arrays_and_others():
  found = slurm_words.parse('12|3|RUNNING|None|2|\n7|N/A|PENDING|Priority|0|\nnoise\n')
  assert found == {'12_3': slurm_words.Listed('RUNNING', '', 2),
                   '7': slurm_words.Listed('PENDING', 'Priority', 0)}
