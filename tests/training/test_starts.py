"""Where a run starts: at another run's state, a bit elsewhere; how it is left and gone on with."""

import json

import jax
import ml_collections
import numpy as np
import pytest

from nfnets_am.core import errors
from nfnets_am.training import loop
from nfnets_am.training import run as run_lib
from nfnets_am.training import sections
from nfnets_am.training import starts
from tests import commands
from tests import tiny

_PARAMS = {'a': {'w': np.linspace(-1, 1, 6, dtype=np.float32).reshape(2, 3)},
           'b': {'b': np.zeros(4, np.float32)}}


def _config(**changes):
  config = tiny.get_config('multiplicity=1')
  return sections.override(config, {
      'budget': '8 updates', 'checkpoint.every': '8 updates', 'eval_every': '8 updates',
      'log_every': '2 updates', **changes})


def _lines(folder):
  return [json.loads(line) for line in (folder / 'metrics.jsonl').read_text().splitlines()]


def test_one_bit_is_one_weight_one_step_up_or_down():
  changed, directions = set(), set()
  for seed in range(200):
    after = starts.change_one_bit(_PARAMS, seed)
    differing = [(module, name, index) for module, held in _PARAMS.items()
                 for name, w in held.items() for index in np.ndindex(w.shape)
                 if w[index] != after[module][name][index]]
    ((module, name, index),) = differing
    old, new = _PARAMS[module][name][index], after[module][name][index]
    assert new in (np.nextafter(old, np.float32(np.inf)), np.nextafter(old, np.float32(-np.inf)))
    changed.add((module, name, index))
    directions.add(bool(new > old))
  assert len(changed) == 10 and directions == {True, False}
  again = starts.change_one_bit(_PARAMS, 7), starts.change_one_bit(_PARAMS, 7)
  jax.tree.map(np.testing.assert_array_equal, *again)


def test_one_bit_keeps_to_its_module():
  for seed in range(20):
    after = starts.change_one_bit(_PARAMS, seed, 'b')
    np.testing.assert_array_equal(after['a']['w'], _PARAMS['a']['w'])
    assert (after['b']['b'] != 0).sum() == 1


@pytest.mark.parametrize('changes, words', [
    ({'start.bit_change': -2}, ['start.bit_change=-2', 'from 0 up']),
    ({'start.bit_change_in': 'stem'}, ['start.bit_change_in', 'without start.bit_change']),
    ({'start.bit_change': 1, 'start.bit_change_in': 'wide_resnet/stm'},
     ['start.bit_change_in', 'did you mean', 'stem']),
    ({'start.name': 'run', 'start.workdir': 'nowhere'}, ['nowhere', 'no checkpoint']),
    ({'start.name': 'weights', 'start.file': 'none.npz'}, ['none.npz', 'cannot be read']),
])
def test_a_start_that_cannot_be_is_refused_before_any_work(changes, words):
  with pytest.raises(errors.UserError) as e:
    run_lib.build(_config(**changes))
  for word in words:
    assert word in str(e.value)


@pytest.fixture(scope='module')
def source(tmp_path_factory):
  """A run that keeps the state of update 3."""
  folder = tmp_path_factory.mktemp('source') / 'run'
  loop.train(_config(**{'checkpoint.at': ('3 updates',), 'checkpoint.keep': 1}), folder)
  return folder


def test_a_checkpoint_that_is_asked_for_stays(source):
  assert {path.name for path in (source / 'checkpoints').iterdir()} == {'3', '8'}


def test_a_run_goes_on_from_another_as_if_it_had_been_it(source, tmp_path):
  start = {'start.name': 'run', 'start.workdir': str(source), 'start.update': 3}
  status = loop.train(_config(**start), tmp_path / 'on')
  assert status['status'] == 'finished'
  commands.assert_same(commands.final_state(source), commands.final_state(tmp_path / 'on'))
  assert json.loads((tmp_path / 'on' / 'run.json').read_text())['starts'][0]['update'] == 3
  # Lines that count updates of this run alone: the first one is of update 4.
  after = [line for line in _lines(source) if line['update'] > 4]
  assert [line for line in _lines(tmp_path / 'on') if line['update'] > 4] == after

  changed = loop.train(_config(**start, **{'start.bit_change': 5}), tmp_path / 'bit')
  assert changed['status'] == 'finished'
  a, b = commands.final_state(source), commands.final_state(tmp_path / 'bit')
  assert any((a[key] != b[key]).any() for key in a)


def test_other_noise_from_a_pass_on_leaves_what_was_before(source, tmp_path):
  # 100 images and 8 in an update: the pass 0 has 12 updates, so that nothing changes.
  loop.train(_config(**{'reseed.noise': 9, 'reseed.epoch': 1}), tmp_path / 'later')
  commands.assert_same(commands.final_state(source), commands.final_state(tmp_path / 'later'))
  loop.train(_config(**{'reseed.shuffle': 9, 'reseed.epoch': 0}), tmp_path / 'now')
  a, b = commands.final_state(source), commands.final_state(tmp_path / 'now')
  assert any((a[key] != b[key]).any() for key in a)


def test_until_leaves_a_run_that_the_same_command_ends(source, tmp_path):
  status = loop.train(_config(), tmp_path / 'run', until='3 updates')
  assert (status['status'], status['update'], status['updates']) == ('stopped', 3, 8)
  # Again: it is there already.
  assert loop.train(_config(), tmp_path / 'run', until='3 updates')['update'] == 3
  assert loop.train(_config(), tmp_path / 'run')['status'] == 'finished'
  assert _lines(tmp_path / 'run') == _lines(source)
  commands.assert_same(commands.final_state(source), commands.final_state(tmp_path / 'run'))


def test_predictions_are_those_of_the_last_evaluation(tmp_path):
  config = _config()
  config.evals.kept = ml_collections.ConfigDict({'name': 'accuracy', 'split': 'test', 'keep': True})
  loop.train(config, tmp_path / 'run')
  with np.load(tmp_path / 'run' / 'predictions' / 'kept.npz') as found:
    kept = dict(found)
  assert kept['logits'].shape == kept['ema_logits'].shape == (2000, 10)
  last = [line for line in _lines(tmp_path / 'run') if line['split'] == 'kept'][-1]
  for prefix in ('', 'ema_'):
    hits = (kept[f'{prefix}logits'].argmax(axis=1) == kept['label']).mean()
    assert hits == pytest.approx(last[f'{prefix}top1'], abs=1e-9)
