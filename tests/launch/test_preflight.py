"""What a sweep is asked before it starts anything, and when it stops by itself."""

import pytest

from launch import equal_failures
from launch import jobs as jobs_lib
from launch import local
from launch import places
from launch import preflight
from launch import scheduler
from launch import states
from nfnets_am.core import errors
from nfnets_am.data import inputs
from nfnets_am.training import run as run_lib
from tests import commands
from tests.launch import launcher
from tests.launch import tpu_service

_QUICKSTART = 'experiments/quickstart.py'
_FIGURE2 = 'experiments/fort2021/figure2.py'


def _jobs(tmp_path, *overrides, experiment=_QUICKSTART, scale='', **kwargs):
  return jobs_lib.jobs_of(
      str(commands.ROOT / experiment), str(tmp_path / 'runs'), scale, list(overrides), **kwargs)


@pytest.fixture
def run_sweep(tmp_path, monkeypatch):
  """Runs a sweep in this process, with nothing to start."""
  monkeypatch.chdir(commands.ROOT)

  def run(on='local', experiment=_QUICKSTART, workdir=tmp_path / 'runs', scale='', overrides=(),
          **options):
    return places.run(on, jobs_lib.Options(**options), experiment=experiment, workdir=str(workdir),
                      scale=scale, overrides=overrides)

  return run


@pytest.mark.parametrize('override, words', [
    ('unique=0', ['unique=0']), ('schedule.peak=-1', ['peak is -1.0', 'at least 0']),
    ('budget=0 epochs', ["budget='0 epochs'"]), ('model.dropout=2', ['model.dropout=2.0']),
    ('objective.label_smoothing=nan', ['objective.label_smoothing=nan']),
    ('measure=variance()', ["unknown measure 'variance'", 'gradient_variance']),
])
@pytest.mark.parametrize('dry_run', [True, False])
def test_a_bad_value_is_refused_before_anything_starts(
    run_sweep, tmp_path, capsys, override, words, dry_run):
  with pytest.raises(errors.ConfigError) as e:
    run_sweep(overrides=[override], dry_run=dry_run)
  assert str(e.value).startswith('nothing is started, as multiplicity=1,seed=0 would fail: ')
  assert all(word in str(e.value) for word in words) and '\n' not in str(e.value)
  assert not capsys.readouterr().out and not (tmp_path / 'runs').exists()


def test_each_distinct_config_is_checked_once(tmp_path, monkeypatch):
  checked = []
  monkeypatch.setattr(run_lib, 'check', lambda config, **kwargs: checked.append(config))
  jobs = _jobs(tmp_path)
  preflight.configs(jobs)
  assert len(jobs) == 4 and [config.multiplicity for config in checked] == [1, 4]


def test_missing_data_are_one_sentence_for_a_whole_sweep(run_sweep, tmp_path, capsys):
  where = tmp_path / 'none'
  for dry_run in (False, True):
    with pytest.raises(errors.UserError) as e:
      run_sweep(experiment=_FIGURE2, overrides=[f'data.data_dir={where}'], dry_run=dry_run)
    assert 'nothing is started' in str(e.value)
    assert f'{str(where)!r} is not a folder' in str(e.value)
    assert not (tmp_path / 'runs').exists()
    printed = capsys.readouterr().out.splitlines()
    assert len(printed) == (1904 if dry_run else 0)


def test_data_are_opened_once_and_only_where_they_can_be_seen(tmp_path, monkeypatch):
  opened, build = [], inputs.INPUTS.build
  monkeypatch.setattr(inputs.INPUTS, 'build',
                      lambda data, *args: opened.append(data.to_dict()) or build(data, *args))
  preflight.data(_jobs(tmp_path))
  assert [data['set'] for data in opened] == ['fashion_mnist_small']
  del opened[:]
  # A bucket is not touched by a dry run; a folder of a cloud's machines is not here.
  cifar = {'experiment': _FIGURE2}
  preflight.data(_jobs(tmp_path, 'data.data_dir=gs://b/data', **cifar)[:9], dry=True)
  preflight.data(_jobs(tmp_path, 'data.data_dir=/mnt/data', **cifar)[:9], here=False)
  preflight.data(_jobs(tmp_path, 'data.download=True', **cifar)[:9], here=False)
  assert not opened
  with pytest.raises(errors.UserError, match='new and hold no cifar100.*gs://BUCKET/DIR'):
    preflight.data(_jobs(tmp_path, **cifar)[:9], here=False)
  # What comes with the code is there.
  preflight.data(_jobs(tmp_path), here=False)
  assert len(opened) == 1


def test_too_few_images_for_the_devices_of_a_slice_are_seen_here(tmp_path):
  jobs = _jobs(tmp_path, 'unique=64', experiment='tests/tiny.py')
  preflight.configs(jobs, devices=64, hosts=8)
  preflight.data(jobs, devices=64, hosts=8)
  with pytest.raises(errors.ConfigError, match='64 unique.*128 devices'):
    preflight.configs(jobs, devices=128, hosts=16)


def test_weights_that_are_missing_are_seen_before_the_first_run(tmp_path):
  jobs = _jobs(tmp_path, 'start.name=weights', f'start.file={tmp_path / "none.npz"}')
  preflight.configs(jobs)
  with pytest.raises(errors.UserError, match='nothing is started.*none.npz'):
    preflight.data(jobs)


def test_a_key_of_the_cells_is_not_for_all_runs(run_sweep):
  for key in ('multiplicity', 'peak'):
    with pytest.raises(errors.ConfigError, match=f'{key} is a key of the cells of .*figure2.py'):
      run_sweep(experiment=_FIGURE2, overrides=[f'{key}=1'], dry_run=True)


def test_what_is_measured_is_measured_and_a_file_without_a_sweep_is_refused(run_sweep, capsys):
  assert run_sweep(experiment='experiments/fort2021/figure9.py', scale='smoke', dry_run=True) == 0
  first, *others = capsys.readouterr().out.splitlines()
  assert ' -m nfnets_am.measure ' in first and len(others) == 5
  assert all(line.startswith('# scheme=') and '--workdir=' in line for line in others)
  with pytest.raises(errors.ConfigError, match='has no get_config.*quickstart'):
    run_sweep(experiment='experiments/summers2021/figure2_1.py')


@pytest.mark.parametrize('values, sentence', [
    ({'tpu': 'v3-32'}, '--tpu=v3-32 with --on=local; allowed: with --on=gcloud or --on=skypilot'),
    ({'zone': 'z'}, '--zone=z with --on=local; allowed: with --on=gcloud or --on=skypilot'),
    ({'on': 'gcloud', 'tpu': 'v3-32', 'zone': 'z', 'devices': 2},
     '--devices=2 with --on=gcloud; allowed: with --on=local'),
])
def test_an_option_of_another_place_is_refused(run_sweep, values, sentence):
  with pytest.raises(errors.UserError) as e:
    run_sweep(**values)
  assert str(e.value) == sentence


def test_a_dry_run_touches_no_bucket(run_sweep, monkeypatch, capsys):
  def touched(*_, **__):
    raise AssertionError('a bucket was looked at')

  for name in ('exists', 'is_dir', 'iterdir', 'read_text', 'read_bytes', 'mkdir', 'write_text'):
    monkeypatch.setattr(type(jobs_lib.epath.Path('gs://b/x')), name, touched)
  for on in ('gcloud', 'skypilot', 'local'):
    cloud = {} if on == 'local' else {'tpu': 'v3-8', 'zone': 'z'}
    assert run_sweep(workdir='gs://b/runs', on=on, dry_run=True, **cloud) == 0
    out = capsys.readouterr().out
    assert out.count('gs://b/runs/') >= 4
    # One script of a machine, not four.
    assert out.count('nfnets_am.train') == 1
    assert sum(line.startswith('# multiplicity=') for line in out.splitlines()) == 3


def test_gcloud_is_asked_once_whether_the_zone_is_there(run_sweep, tmp_path, monkeypatch):
  service = tpu_service.put_before_path(tmp_path, monkeypatch)
  service.begin({}, refusal='NOT_FOUND: Location nowhere-1 is not found or access is unauthorized')
  with pytest.raises(errors.UserError) as e:
    run_sweep(on='gcloud', tpu='v3-8', zone='nowhere-1', project='p')
  assert str(e.value).startswith(
      'nothing is started, as gcloud cannot use --zone=nowhere-1 of --project=p: ')
  assert 'Location nowhere-1 is not found' in str(e.value)
  assert [call[0] for call in service.read()['calls']] == ['list']
  assert not (tmp_path / 'runs').exists()


def _run(jobs, **kwargs):
  return scheduler.Scheduler(local.Local(), at_once=2, restarts=0, **kwargs).run(lambda: jobs)


def _begun(jobs):
  return sum(job.record()['starts'] for job in jobs)


def test_a_sweep_whose_first_runs_fail_alike_stops(tmp_path):
  jobs = launcher.jobs(tmp_path, *['crash'] * 8)
  with pytest.raises(errors.UserError) as e:
    _run(jobs)
  assert 3 <= _begun(jobs) <= 4  # Two at a time: one may be under way.
  assert 'runs failed for the same reason and none has ended well, so no more are' in str(e.value)
  assert str(e.value).endswith('started: this config is refused')
  assert [states.state_of(job).status for job in jobs[5:]] == ['queued'] * 3


def test_a_sweep_goes_on_if_it_is_told_to_or_a_run_ended_well(tmp_path):
  jobs = launcher.jobs(tmp_path / 'told', *['crash'] * 5)
  assert _run(jobs, give_up=0) == 1 and _begun(jobs) == 5
  jobs = launcher.jobs(tmp_path / 'well', 'fine', *['crash'] * 5)
  assert scheduler.Scheduler(local.Local(), at_once=1, restarts=0).run(lambda: jobs) == 1
  assert _begun(jobs) == 6


def test_reasons_are_equal_where_only_the_run_differs():
  failures = equal_failures.Failures(3)
  jobs = [jobs_lib.Job(f'n={i}', jobs_lib.epath.Path(f'/runs/n{i}-x'), ()) for i in range(5)]
  for job in jobs[:2]:
    failures.note(job, f'{job.folder}/a is full (exit status 1, {job.folder}/log.txt)')
    failures.note(job, f'{job.folder}/a is full (exit status 1, {job.folder}/log.txt)')
  failures.note(jobs[2], 'another thing (exit status 1, x)')
  assert not failures.sentence
  failures.note(jobs[3], f'{jobs[3].folder}/a is full (exit status 2, {jobs[3].folder}/log.txt)')
  assert failures.sentence.startswith('3 runs failed for the same reason')
  assert failures.sentence.endswith('n3-x/a is full')
