"""What a run's folder says, and that a run of another config counts as not there."""

import json

import pytest

from nfnets_am.config import identity
from nfnets_am.config import schema
from nfnets_am.core import errors
from nfnets_am.storage import metrics
from nfnets_am.sweeps import experiment_file
from nfnets_am.sweeps import outcomes
from nfnets_am.sweeps import reduction
from nfnets_am.training import sections


def _config(**changes):
  config = schema.get_default()
  config.update_from_flattened_dict({'unique': 64, 'schedule.peak': 0.5, **changes})
  return config


def _folder(path, config, status='finished', **stored):
  """Writes a finished run of `config`; `stored` are keys of config.json that differ from it."""
  path.mkdir(parents=True)
  flat = {**identity.to_json(config), **stored}
  for name, value in (('config.json', flat), ('status.json', {'status': status, 'updates': 20}),
                      ('run.json', {'derived': {'views': 64, 'updates': 20, 'scheme': 'growing',
                                                'temperature': None}})):
    (path / name).write_text(json.dumps(value))
  lines = [{'update': update, 'epochs': 1.0, 'split': split, 'top1': update / 100}
           for update in range(1, 21) for split in ('train_views', 'test')]
  (path / 'metrics.jsonl').write_text(''.join(json.dumps(line) + '\n' for line in lines))
  return path


def test_a_default_that_has_changed_under_a_run_is_named(tmp_path):
  config = sections.complete(_config())
  folder = _folder(tmp_path / 'run', config, **{'optimizer.momentum': 0.8})
  found = outcomes.read_run(folder, {}, identity.to_json(config))
  assert (found.status, found.reason) == (
      'other config', 'optimizer.momentum=0.8, expected 0.9')
  assert not found.final and not found.derived and not found.done
  assert outcomes.read_run(folder, {}).status == 'finished'
  # It is not averaged, and the page says so.
  sweep = experiment_file.Sweep('x', ({'seed': 0},))
  run = experiment_file.Run({'seed': 0}, 'run', (), config, identity.to_json(config))
  (cell,) = reduction.reduce(sweep, [run], outcomes.Reader(tmp_path)).cells
  assert cell.state == '1 other config' and not cell.summaries and not cell.scores


@pytest.mark.parametrize('stored, reason', [
    ({'data.data_dir': '/elsewhere', 'sinks': ['tensorboard'], 'tensorboard': True}, ''),
    ({'budget': '7 epochs'}, "budget='7 epochs', expected '1 epochs'"),
    ({'model.depth': 16}, 'model.depth=16, expected none'),
    ({'unique': 32}, 'unique=32, expected 64'),
    ({'unique': 0, 'views': 64}, ''),
    ({'unique': 0, 'views': 128}, 'unique=0, expected 64'),
    ({'seed': 1, 'budget': '2 epochs'}, "budget='2 epochs', expected '1 epochs'")])
def test_what_makes_another_run(stored, reason):
  expected = identity.to_json(_config())
  assert identity.difference({**expected, **stored}, expected) == reason


def test_a_key_that_is_newer_than_the_run_is_no_difference():
  expected = identity.to_json(_config())
  old = {key: value for key, value in expected.items() if key not in ('ema', 'neighbouring')}
  assert identity.difference(old, {**expected, 'ema': 0.9}) == ''
  assert identity.difference({}, expected) == ''


@pytest.mark.parametrize('flat, rows', [
    ({'multiplicity': 0, 'unique': 64}, (64, 64, False)),
    ({'multiplicity': 16, 'unique': 64, 'views': 0}, (64, 1024, False)),
    ({'multiplicity': 16, 'views': 1024, 'neighbouring': False}, (64, 1024, False)),
    ({'multiplicity': 1, 'views': 64, 'neighbouring': True}, (64, 64, False)),
    ({'multiplicity': 4, 'views': 64, 'neighbouring': True}, (64, 64, True))])
def test_rows_of_an_update(flat, rows):
  assert identity.rows(flat) == rows


@pytest.mark.parametrize('changes, scheme, temperature', [
    ({'unique': 64}, 'growing', None),
    ({'unique': 0, 'views': 64}, 'fixed', 0.5),
    ({'unique': 0, 'views': 256, 'multiplicity': 4}, 'fixed', 2.0),
    ({'unique': 0, 'views': 64, 'neighbouring': True}, 'neighbouring', 0.5)])
def test_what_depends_on_how_a_run_is_said_is_the_cells_own(changes, scheme, temperature, tmp_path):
  own = _config(**changes)
  # Trained for an experiment that says it by its unique images.
  folder = _folder(tmp_path / 'run', _config(multiplicity=own.multiplicity))
  found = outcomes.read_run(folder, {}, identity.to_json(own))
  assert found.status == 'finished' and found.final == {
      'train_views/top1': 0.2, 'test/top1': 0.2}
  assert (found.derived['scheme'], found.derived['temperature']) == (scheme, temperature)
  assert found.derived['views'] == 64


def test_a_folder_that_experiments_share_is_read_once(tmp_path, monkeypatch):
  config = _config()
  _folder(tmp_path / 'run', config)
  reader, opened = outcomes.Reader(tmp_path), []
  monkeypatch.setattr(outcomes, '_json', lambda path, real=outcomes._json: (
      opened.append(path), real(path))[1])
  first, second = (reader.read(experiment_file.Run({'n': n}, 'run', (), config)) for n in (1, 2))
  assert first.final == second.final and (first.cell, second.cell) == ({'n': 1}, {'n': 2})
  assert len(opened) == len(set(opened)) == 3
  assert reader.read(experiment_file.Run({}, 'other', (), config)).status == 'missing'


@pytest.mark.parametrize('before, tail', [(0, 1), (3, 1), (500, 3), (2, 200)])
def test_the_end_of_a_file_is_what_reading_all_of_it_gives(before, tail, tmp_path):
  path = tmp_path / 'metrics.jsonl'
  lines = [{'update': i, 'split': 'train_views', 'loss': 0.1 * i} for i in range(before)]
  lines += [{'update': before, 'split': f's{i}', 'loss': 1.0} for i in range(tail)]
  text = ''.join(json.dumps(line) + '\n' for line in lines)
  for unfinished in ('', '{"update": 7'):
    path.write_text(text + unfinished)
    expected = [line for line in metrics.read(path) if line['update'] == before]
    assert metrics.read_end(path, before) == expected == lines[before:]
  assert metrics.read_end(path, before + 1) == []
  assert metrics.read_end(tmp_path / 'none', 1) == []
  path.write_text(text + 'not json\n')
  with pytest.raises(errors.UserError, match='its end'):
    metrics.read_end(path, before)
