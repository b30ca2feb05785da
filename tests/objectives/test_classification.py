"""Objectives of class labels, by hand (pitfalls P3, P25)."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nfnets_am import objectives
from nfnets_am.core import errors
from nfnets_am.models import model
from nfnets_am.objectives import classification


def _apply(logits, auxiliary=None):
  """A model that says the same whatever it sees, and whose averages count its passes."""
  def apply(params, state, rng, inputs, mode):
    assert mode.is_training and len(inputs) == len(logits)
    return (model.Outputs(logits + params, auxiliary or {}, {}),
            model.State({'passes': state.averages['passes'] + 1}, state.carry))

  return apply


def _compute(logits, batch, others=None, **keys):
  objective = objectives.OBJECTIVES.make('cross_entropy', **keys)
  rows = {**batch, 'inputs': jnp.zeros((len(logits), 2))}
  loss, (state, metrics) = objective(
      _apply(logits, others), jnp.zeros(()), model.State({'passes': 0}, {}), jax.random.key(0),
      rows, jnp.float32(0))
  assert state.averages == {'passes': 1}
  return loss, metrics


def test_smoothing_comes_after_mixing():
  batch = {'label': jnp.array([0]), 'partner_label': jnp.array([2]), 'weight': jnp.array([0.7])}
  np.testing.assert_allclose(classification.targets(batch, 4), [[0.7, 0, 0.3, 0]], rtol=1e-6)
  logits = jnp.array([[1.0, 2.0, 3.0, 4.0]])
  log_p = np.log(np.exp([1, 2, 3, 4]) / np.exp([1, 2, 3, 4]).sum())
  loss, _ = _compute(logits, batch, label_smoothing=0.1)
  np.testing.assert_allclose(loss, -(np.array([0.655, 0.025, 0.295, 0.025]) @ log_p), rtol=1e-6)


def test_unmixed_smoothing():
  logits, batch = jnp.zeros((1, 10)).at[0, 3].set(2.0), {'label': jnp.array([3])}
  log_p = np.asarray(logits[0]) - np.log(np.exp(np.asarray(logits[0])).sum())
  np.testing.assert_allclose(_compute(logits, batch)[0], -log_p[3], rtol=1e-6)
  expected = -(0.91 * log_p[3] + 0.01 * (log_p.sum() - log_p[3]))
  loss, metrics = _compute(logits, batch, label_smoothing=0.1)
  np.testing.assert_allclose(loss, expected, rtol=1e-6)
  np.testing.assert_allclose(metrics['loss'], expected, rtol=1e-6)


def test_the_mean_over_rows_and_the_hits_of_their_own_labels():
  rng = np.random.default_rng(0)
  logits, label = rng.normal(size=(6, 5)).astype(np.float32), rng.integers(0, 5, 6)
  losses = [np.log(np.exp(row.astype(np.float64)).sum()) - row[k]
            for row, k in zip(logits, label, strict=True)]
  loss, metrics = _compute(jnp.asarray(logits), {'label': jnp.asarray(label)})
  assert float(loss) == pytest.approx(np.mean(losses), rel=1e-6)
  assert float(metrics['top1']) == pytest.approx(np.mean(logits.argmax(1) == label))
  assert set(metrics) == {'loss', 'top1'}


def test_auxiliary_logits_are_trained_on_and_not_reported():
  rng = np.random.default_rng(0)
  logits, *others = (jnp.asarray(rng.normal(size=(4, 3)), jnp.float32) for _ in range(3))
  batch = {'label': jnp.array([0, 1, 2, 0])}
  alone = [float(_compute(x, batch, label_smoothing=0.1)[0]) for x in (logits, *others)]
  heads = dict(zip(('first', 'second'), others, strict=True))
  loss, metrics = _compute(logits, batch, heads, label_smoothing=0.1, auxiliary=0.4)
  assert float(loss) == pytest.approx(alone[0] + 0.4 * (alone[1] + alone[2]), rel=1e-5)
  assert float(metrics['loss']) == pytest.approx(alone[0], rel=1e-6)
  assert float(_compute(logits, batch, heads, label_smoothing=0.1)[0]) == pytest.approx(
      alone[0], rel=1e-6)


def test_an_unknown_objective_key_or_value_is_refused():
  with pytest.raises(errors.ConfigError, match="unknown objective 'crossentropy'.*cross_entropy"):
    objectives.OBJECTIVES.make('crossentropy')
  with pytest.raises(errors.ConfigError, match='label_smoothing'):
    objectives.OBJECTIVES.make('cross_entropy', smoothing=0.1)
  for keys in ({'label_smoothing': 1.0}, {'label_smoothing': float('nan')}, {'auxiliary': -0.1}):
    (key, value), = keys.items()
    with pytest.raises(errors.ConfigError, match=f'objective.{key}={value}; allowed'):
      objectives.OBJECTIVES.make('cross_entropy', **keys)
