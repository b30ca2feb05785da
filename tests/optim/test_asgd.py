"""NT-ASGD against the public code's lists and torch's update, one weight at a time."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from nfnets_am.core import errors
from nfnets_am.optim import asgd
from nfnets_am.optim import optimizers


def _change(history, nonmono):
  """The epoch after which the public code changes, from 1; None if it does not."""
  best = []
  for epoch, loss in enumerate(history, 1):
    if len(best) > nonmono and loss > min(best[:-nonmono]):
      return epoch
    best.append(loss)
  return None


def _optimizer(**keys):
  return optimizers.OPTIMIZERS.make('nt_asgd', lambda t: jnp.float32(0.5), **keys)


def _changes_after(history, nonmono):
  state = _optimizer(nonmono=nonmono).init({'net': {'w': jnp.zeros(2)}})
  for epoch, loss in enumerate(history, 1):
    state = asgd.observe(state, loss, np.asarray)
    if jax.tree.leaves(state, is_leaf=lambda x: isinstance(x, asgd.State))[-1].steps >= 0:
      return epoch
  return None


@pytest.mark.parametrize('history, nonmono, epoch', [
    ([9, 8, 7, 6, 5, 4, 10], 5, 7),  # Never before the seventh.
    ([1, 8, 7, 6, 5, 4, 1], 5, None),  # As low as the best is not worse.
    ([5, 4, 3, 9, 9, 9, 9, 9, 9], 5, 7),
    ([5, 4, 3, 3.5, 2.9, 2.8, 3.1], 2, 7),
    ([3, 2, 1], 5, None)])
def test_it_changes_when_the_public_code_does(history, nonmono, epoch):
  assert _change(history, nonmono) == _changes_after(history, nonmono) == epoch


def test_it_changes_when_the_public_code_does_on_any_history():
  rng = np.random.default_rng(0)
  found = set()
  for _ in range(200):
    nonmono = int(rng.integers(1, 6))
    # Few values, so that they are equal now and then.
    history = [float(x) for x in rng.integers(0, 40, 15) - 3 * np.arange(15)]
    found.add(_change(history, nonmono))
    assert _changes_after(history, nonmono) == _change(history, nonmono)
  assert len(found) > 5


def _torch(weight, gradients, rates, change, decay):
  """torch's SGD, then its ASGD with t0=0 and lambd=0, of one number: weights and averages."""
  weights, averages = [], []
  eta = mu = average = None
  for t, (gradient, rate) in enumerate(zip(gradients, rates, strict=True)):
    gradient = gradient + decay * weight
    if t < change:
      weight -= rate * gradient
      average = weight
    else:
      if t == change:
        eta, mu, average = rate, 1.0, 0.0
      weight -= eta * gradient
      average = weight if mu == 1 else average + (weight - average) * mu
      eta, mu = rate, 1 / max(1, t - change + 1)
    weights.append(weight)
    averages.append(average)
  return weights, averages


def _run(gradients, lengths, change, **keys):
  optimizer = _optimizer(segment=10.0, weight_decay=0.1, **keys)
  params = {'net': {'w': jnp.float32([1.0])}}
  state = optimizer.init(params)
  weights, averages = [], []
  step = jax.jit(optimizer.update)
  for t, (gradient, length) in enumerate(zip(gradients, lengths, strict=True)):
    if t == change:
      # Higher than all before.
      for loss in (1.0, 0.5, 2.0):
        state = asgd.observe(state, loss, jnp.asarray)
    updates, state = step({'net': {'w': jnp.float32([gradient])}}, state, params,
                          metrics={'length': jnp.float32(length)})
    params = optax.apply_updates(params, updates)
    weights.append(float(params['net']['w'][0]))
    averages.append(float(asgd.average_of(state)['net']['w'][0]))
  return weights, averages


def test_steps_and_averages_are_torchs():
  rng = np.random.default_rng(1)
  gradients, lengths = rng.normal(size=9), rng.integers(5, 20, 9)
  found = _run(gradients, lengths, 3, nonmono=1)
  np.testing.assert_allclose(
      found, _torch(1.0, gradients, 0.5 * lengths / 10, 3, 0.1), rtol=1e-4, atol=1e-6)
  weights, averages = found
  assert averages[4] == weights[4]  # The first iterate is left out.
  np.testing.assert_allclose(averages[-1], np.mean(weights[4:]), rtol=1e-5)


def test_a_plain_average_has_all_iterates_and_a_step_its_own_rate():
  rng = np.random.default_rng(2)
  gradients, lengths = rng.normal(size=7), rng.integers(5, 20, 7)
  weights, averages = _run(gradients, lengths, 3, nonmono=1, form='plain')
  w = 1.0
  for gradient, length, found in zip(gradients, lengths, weights, strict=True):
    w -= 0.5 * length / 10 * (gradient + 0.1 * w)
    assert found == pytest.approx(w, rel=1e-4)
  assert averages[:4] == weights[:4]
  np.testing.assert_allclose(averages[-1], np.mean(weights[3:]), rtol=1e-5)


def test_lengths_need_segments():
  optimizer = optimizers.OPTIMIZERS.make('sgd', lambda t: 0.1, segment=70.0)
  params = {'net': {'w': jnp.zeros(1)}}
  with pytest.raises(errors.ConfigError, match=r'optimizer\.segment=70.0 with updates that have'):
    optimizer.update(params, optimizer.init(params), params, metrics={'loss': 1.0})
  assert asgd.average_of(optimizer.init(params)) is None
