"""Checkpoints: the last few and the best stay, and what comes back is what went in."""

import jax
import jax.numpy as jnp
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
      state={},
      opt_state=(np.full(4, value + 0.2, np.float32), ()),
      ema={'linear': {'w': np.full((2, 3), value + 0.3, np.float32)}}))


def _names(folder):
  return sorted(int(path.name) for path in folder.iterdir() if path.name.isdigit())


def test_every_leaf_comes_back(tmp_path):
  store = checkpoints.Checkpoints(tmp_path, keep=1)
  store.save(7, _state(7), {'sums': {'loss': 0.1 + 0.2}})
  store.wait()
  other = checkpoints.Checkpoints(tmp_path, read_only=True)
  assert other.latest() == 7
  state, loop = other.restore(7, jax.eval_shape(lambda: jax.tree.map(jnp.asarray, _state(0))))
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


def test_of_a_loss_the_lowest_is_best(tmp_path):
  store = checkpoints.Checkpoints(tmp_path, keep=1, best='test/loss')
  for update, loss in ((1, 3.0), (2, 1.0), (3, 2.0), (4, 5.0)):
    store.save(update, _state(update), {}, {'test/loss': loss})
  store.close()
  assert _names(tmp_path) == [2, 4]


def test_a_checkpoint_of_another_model_is_refused(tmp_path):
  store = checkpoints.Checkpoints(tmp_path, keep=1)
  store.save(7, _state(7), {})
  store.wait()
  other = _state(0)._replace(params={'linear': {'w': np.zeros((5, 3), np.float32)}})
  with pytest.raises(errors.UserError, match='7 cannot be read.*begin again'):
    store.restore(7, jax.eval_shape(lambda: jax.tree.map(jnp.asarray, other)))
