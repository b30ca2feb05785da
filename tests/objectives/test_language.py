"""The objective of tokens: smoothing, means over an update's tokens, carries that begin or stay."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nfnets_am import objectives
from nfnets_am.core import errors
from nfnets_am.models import model
from nfnets_am.objectives import language
from nfnets_am.objectives import smoothing


def _batch(rows=3, length=4, words=5):
  rng = np.random.default_rng(0)
  return {'tokens': rng.integers(0, words, (rows, length)).astype(np.int32),
          'targets': rng.integers(0, words, (rows, length)).astype(np.int32),
          'mask': np.arange(length) < np.array([[4], [2], [3]])}, rng.normal(
              size=(rows, length, words)).astype(np.float32)


def _run(objective, batch, logits, features=None, carry=None):
  """Calls an objective with a model that says `logits` and adds 1 to its carry."""
  def apply(params, state, rng, inputs, mode):
    assert mode.is_training and set(inputs) <= {'tokens', 'mask'}
    return (model.Outputs(jnp.asarray(logits), features=features or {}),
            state._replace(carry=jax.tree.map(lambda x: x + 1, state.carry)))

  return objective(apply, {}, model.State({}, carry or {}), jax.random.key(0), batch, 0.0)


@pytest.mark.parametrize('spread', ['all', 'others'])
def test_smoothing_is_that_of_distributions(spread):
  batch, logits = _batch()
  objective = language.language(label_smoothing=0.3, spread=spread)
  value, (_, metrics) = _run(objective, batch, logits)
  log_p = np.float64(logits) - np.log(np.exp(np.float64(logits)).sum(-1, keepdims=True))
  counts = batch['mask']
  labels = np.eye(5)[batch['targets']]
  smoothed = np.asarray(smoothing.SPREADS[spread](labels[counts], 0.3))
  assert float(value) == pytest.approx(-(smoothed * log_p[counts]).sum(1).mean(), rel=1e-5)
  assert float(metrics['loss']) == pytest.approx(
      -(labels[counts] * log_p[counts]).sum(1).mean(), rel=1e-5)


def test_a_carry_begins_or_stays_where_the_batch_says_so():
  batch, logits = _batch()
  batch |= {'reset': np.array([True, False, False]), 'hold': np.array([False, False, True]),
            'length': np.int32(4)}
  carry = {'hidden': jnp.float32([[5.0], [6.0], [7.0]])}
  _, (state, metrics) = _run(language.language(), batch, logits, carry=carry)
  np.testing.assert_array_equal(state.carry['hidden'], [[1], [7], [7]])
  assert float(metrics['length']) == 4


def test_a_row_that_counts_nothing_and_numbers_behind_the_tokens_do_no_harm():
  batch, logits = _batch()
  batch['mask'] = np.zeros((3, 4), bool)
  value, _ = _run(language.language(), batch, np.full_like(logits, np.nan))
  assert float(value) == 0


@pytest.mark.parametrize('keys, words', [
    ({'label_smoothing': 1.0}, r'objective\.label_smoothing=1.0; allowed: 0 to less than 1'),
    ({'temporal': -1.0}, r'objective\.temporal=-1.0; allowed'),
    ({'spread': 'some'}, "unknown spread 'some'")])
def test_values_that_cannot_be_are_refused(keys, words):
  with pytest.raises(errors.ConfigError, match=words):
    objectives.OBJECTIVES.make('language', **keys)


def test_regularisation_needs_a_recurrent_layer():
  batch, logits = _batch()
  with pytest.raises(errors.ConfigError, match=r'objective\.activation=2.0 with a model'):
    _run(language.language(activation=2.0), batch, logits)
