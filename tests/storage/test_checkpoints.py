"""Checkpoints: the last few and the best stay, and what comes back is what went in."""

import jax
import numpy as np
import pytest

from nfnets_am.core import errors
from nfnets_am.core import parallel
from nfnets_am.storage import checkpoints
from nfnets_am.training import step as step_lib


def _state(value):
  """A state of which every leaf has a value of its own."""
  return parallel.replicate(step_lib.TrainState(
      update=np.int32(value),
      params={'linear': {'w': np.full((2, 3), value + 0.1, np.float32)}},
      averages={'norm': {'mean': np.full(3, value + 0.4, np.float32)}},
      carry={},
      opt_state=(np.full(4, value + 0.2, np.float32), ()),
      ema={'linear': {'w': np.full((2, 3), value + 0.3, np.float32)}}))


def _shapes(state):
  return parallel.shardings(step_lib.AXES, jax.tree.map(
      lambda x: jax.ShapeDtypeStruct(np.shape(x), x.dtype), state))


def _names(folder):
  return sorted(int(path.name) for path in folder.iterdir() if path.name.isdigit())


def test_every_leaf_comes_back(tmp_path):
  store = checkpoints.Checkpoints(tmp_path, keep=1)
  store.save(7, _state(7), {'sums': {'loss': 0.1 + 0.2}})
  store.wait()
  other = checkpoints.Checkpoints(tmp_path, read_only=True)
  assert other.latest() == 7
  state, loop = other.restore(7, _shapes(_state(0)))
  assert loop == {'sums': {'loss': 0.1 + 0.2}}
  for mine, back in zip(jax.tree.leaves(_state(7)), jax.tree.leaves(state), strict=True):
    np.testing.assert_array_equal(mine, back)


def test_the_last_and_the_best_stay_even_after_a_restart(tmp_path):
  for updates in ((1, 2, 3), (4, 5, 6)):
    store = checkpoints.Checkpoints(tmp_path, keep=2, best='test/top1')
    for update in updates:
      metrics = {'test/top1': 1.0 if update == 2 else update / 10, 'test/loss': 1.0}
      store.save(update, _state(update), {}, metrics if update != 5 else None)
    store.close()
  assert _names(tmp_path) == [2, 5, 6]


@pytest.mark.parametrize('metric', ['test/loss', 'test/ema_loss', 'test/perplexity', 'test/error'])
def test_of_what_is_better_when_low_the_lowest_is_best(tmp_path, metric):
  store = checkpoints.Checkpoints(tmp_path, keep=1, best=metric)
  for update, value in ((1, 3.0), (2, 1.0), (3, 2.0), (4, 5.0)):
    store.save(update, _state(update), {}, {metric: value})
  store.close()
  assert _names(tmp_path) == [2, 4]


def test_what_is_neither_better_high_nor_low_chooses_nothing(tmp_path):
  with pytest.raises(errors.ConfigError, match="nothing can be chosen by 'test/images'"):
    checkpoints.Checkpoints(tmp_path, best='test/images')


def test_named_updates_stay(tmp_path):
  store = checkpoints.Checkpoints(tmp_path, keep=1, at=(2, 4))
  for update in (1, 2, 3, 4, 5, 6):
    store.save(update, _state(update), {})
  store.close()
  assert _names(tmp_path) == [2, 4, 6]


def test_each_device_has_its_carry_back(tmp_path):
  carry = {'core': {'hidden': np.arange(12, dtype=np.float32).reshape((4, 3))}}
  state = _state(3)._replace(carry=parallel.shard(carry, 'pmap'))
  store = checkpoints.Checkpoints(tmp_path, keep=1)
  store.save(3, state, {})
  store.wait()
  back, _ = store.restore(3, _shapes(state))
  np.testing.assert_array_equal(
      parallel.local_rows(back.carry['core']['hidden']), carry['core']['hidden'])


def test_a_checkpoint_of_another_model_is_refused(tmp_path):
  store = checkpoints.Checkpoints(tmp_path, keep=1)
  store.save(7, _state(7), {})
  store.wait()
  other = _state(0)._replace(params={'linear': {'w': np.zeros((5, 3), np.float32)}})
  with pytest.raises(errors.UserError, match='7 cannot be read.*begin again'):
    store.restore(7, _shapes(other))


def test_the_newest_that_can_be_read_takes_over(tmp_path, caplog):
  store = checkpoints.Checkpoints(tmp_path, keep=3)
  for update in (1, 2, 3):
    store.save(update, _state(update), {'sums': {}})
  store.wait()
  for update in (2, 3):
    for path in (tmp_path / str(update) / 'train_state').rglob('*'):
      if path.is_file() and path.stat().st_size:
        path.write_bytes(path.read_bytes()[:path.stat().st_size // 2])
  update, state, loop = store.newest(_shapes(_state(0)))
  assert (update, int(state.update), loop) == (1, 1, {'sums': {}})
  assert 'the run goes on from update 1' in caplog.text
  assert store.all() == [1]
  store.save(2, _state(2), {'sums': {}})
  store.wait()
  assert store.all() == [1, 2]


@pytest.mark.parametrize('bit', [0, 7, 31])
def test_one_flipped_bit_is_noticed(tmp_path, monkeypatch, bit):
  store = checkpoints.Checkpoints(tmp_path, keep=1)
  store.save(7, _state(7), {})
  store.wait()
  read = store._manager.restore

  def flipped(*args, **kwargs):
    found = read(*args, **kwargs)
    w = np.array(found['train_state'].params['linear']['w'])
    w.view(np.uint32)[1, 2] ^= np.uint32(1 << bit)
    found['train_state'].params['linear']['w'] = parallel.replicate(w)
    return found

  monkeypatch.setattr(store._manager, 'restore', flipped)
  with pytest.raises(checkpoints.DamagedError, match='1 of its 5 arrays are not what was saved'):
    store.restore(7, _shapes(_state(0)))
