"""A report that is asked for the wrong runs says so; one of other runs overwrites nothing."""

import json

import pytest

from nfnets_am.core import errors
from nfnets_am.reporting import forgotten
from nfnets_am.reporting import pages
from nfnets_am.sweeps import experiment_file
from nfnets_am.sweeps import outcomes
from nfnets_am.sweeps import reduction

_FILE = 'experiments/quickstart.py'
_SWEEP = experiment_file.Sweep('By hand', ({'seed': 0}, {'seed': 1}))


def _launched(workdir, name, *flags, finished=False):
  """A run's folder, as a launcher on another machine leaves it."""
  (workdir / name).mkdir(parents=True)
  (workdir / name / 'run.json').write_text(json.dumps({
      'name': name, 'derived': {},
      'starts': [{'command': ['/there/nfnets_am/train.py', *flags, f'--workdir=/there/{name}']}]}))
  if finished:
    (workdir / name / 'status.json').write_text(json.dumps({'status': 'finished', 'updates': 2}))


def _results(workdir):
  runs = [experiment_file.Run(cell, f'asked-{cell["seed"]}', (), None) for cell in _SWEEP.cells]
  return reduction.reduce(_SWEEP, runs, outcomes.Reader(workdir))


def test_runs_of_another_scale_and_other_overrides_are_counted_and_named(tmp_path):
  for i in range(3):
    _launched(tmp_path, f'small-{i}', f'--config=/there/{_FILE}:scale=smoke,seed={i}')
  _launched(tmp_path, 'longer', f'--config={_FILE}:multiplicity=4', '--config.budget=9 updates')
  _launched(tmp_path, 'another', '--config=experiments/own_images.py:scale=smoke')
  _launched(tmp_path, 'other-name', f'--config={_FILE}')
  (tmp_path / 'other-name').rename(tmp_path / 'by-hand')
  (tmp_path / 'report').mkdir()
  with pytest.raises(errors.UserError) as raised:
    forgotten.Launched(tmp_path).check(_results(tmp_path), f'elsewhere/{_FILE}')
  assert str(raised.value) == (
      f'{tmp_path} holds none of the 2 runs of elsewhere/{_FILE} as asked for, but 4 other runs of '
      "this experiment: 3 with --scale=smoke; 1 with '--set=budget=9 updates'; say the same here")


def test_runs_without_flags_are_found_where_flags_are_said(tmp_path):
  _launched(tmp_path, 'plain', f'--config={_FILE}:multiplicity=4,seed=0')
  with pytest.raises(errors.UserError, match='1 other runs of this experiment: 1 with no flags'):
    pages.read(_FILE, tmp_path, 'smoke')


def test_a_sweep_that_has_begun_or_has_not_is_no_forgotten_flag(tmp_path):
  forgotten.Launched(tmp_path).check(_results(tmp_path), _FILE)
  _launched(tmp_path, 'small', f'--config={_FILE}:scale=smoke')
  _launched(tmp_path, 'asked-0', f'--config={_FILE}', finished=True)
  forgotten.Launched(tmp_path).check(_results(tmp_path), _FILE)


def test_a_misspelt_workdir_is_refused_and_not_made(tmp_path):
  (tmp_path / 'quickstart').mkdir()
  with pytest.raises(errors.UserError, match=r"no folder .*quikstart \(did you mean 'quickstart'"):
    pages.read(_FILE, tmp_path / 'quikstart')
  assert [path.name for path in tmp_path.iterdir()] == ['quickstart']


def test_the_page_of_all_names_what_was_not_asked_for(tmp_path):
  folder, workdir = tmp_path / 'experiments', tmp_path / 'runs'
  folder.mkdir()
  (folder / 'quickstart.py').write_text(open(_FILE).read())
  _launched(workdir, 'full', '--config=experiments/quickstart.py:multiplicity=4')
  summary = pages.write_all(folder, workdir, 'smoke', 'the command')
  assert '| quickstart | ' in summary.path.read_text()
  assert '1 with no flags; say the same here' in summary.path.read_text()
