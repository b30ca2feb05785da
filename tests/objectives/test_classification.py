"""Losses and evaluation sums, by hand (pitfalls P3, P25)."""

import jax.numpy as jnp
import numpy as np
import pytest

from nfnets_am.core import errors
from nfnets_am.evaluation import sums as sums_lib
from nfnets_am.objectives import classification


def test_smoothing_comes_after_mixing():
  batch = {'label': jnp.array([0]), 'partner_label': jnp.array([2]), 'weight': jnp.array([0.7])}
  np.testing.assert_allclose(classification.targets(batch, 4), [[0.7, 0, 0.3, 0]], rtol=1e-6)
  logits = jnp.array([[1.0, 2.0, 3.0, 4.0]])
  log_p = np.log(np.exp([1, 2, 3, 4]) / np.exp([1, 2, 3, 4]).sum())
  loss = classification.LOSSES.make('cross_entropy', label_smoothing=0.1)(logits, batch)
  np.testing.assert_allclose(loss, [-(np.array([0.655, 0.025, 0.295, 0.025]) @ log_p)], rtol=1e-6)


def test_unmixed_smoothing():
  smoothed = classification.LOSSES.make('cross_entropy', label_smoothing=0.1)
  plain = classification.LOSSES.make('cross_entropy')
  logits, batch = jnp.zeros((1, 10)).at[0, 3].set(2.0), {'label': jnp.array([3])}
  log_p = np.asarray(logits[0]) - np.log(np.exp(np.asarray(logits[0])).sum())
  np.testing.assert_allclose(plain(logits, batch), [-log_p[3]], rtol=1e-6)
  expected = -(0.91 * log_p[3] + 0.01 * (log_p.sum() - log_p[3]))
  np.testing.assert_allclose(smoothed(logits, batch), [expected], rtol=1e-6)


def test_an_unknown_loss_or_option_lists_what_there_is():
  with pytest.raises(errors.ConfigError, match='cross_entropy'):
    classification.LOSSES.make('crossentropy')
  with pytest.raises(errors.ConfigError, match='label_smoothing'):
    classification.LOSSES.make('cross_entropy', smoothing=0.1)


def test_evaluation_sums_by_hand():
  logits = jnp.array([
      [3.0, 1, 0, 0, 0, 0, 0],  # right
      [3.0, 1, 0, 0, 0, 0, 0],  # second
      [5.0, 4, 3, 2, 1, 0, 0],  # sixth: not in the top 5
      [0.0, 0, 0, 0, 0, 0, 0],  # a tie goes to the lowest class, as argmax does
      [9.0, 0, 0, 0, 0, 0, 0],  # padding
      [np.nan, 0, 0, 0, 0, 0, 0],  # never a hit
  ])
  batch = {'label': jnp.array([0, 1, 5, 1, 0, 0]), 'mask': jnp.array([1.0, 1, 1, 1, 0, 0])}
  sums = sums_lib.evaluation_sums(logits.at[5].set(0.0), batch)
  assert float(sums['examples']) == 4
  assert float(sums['top1']) == 1
  assert float(sums['top5']) == 3
  batch['mask'] = jnp.array([0.0, 0, 0, 0, 0, 1])
  sums = sums_lib.evaluation_sums(logits, batch)
  assert float(sums['top1']) == float(sums['top5']) == 0
  assert 'top5' not in sums_lib.evaluation_sums(jnp.zeros((1, 5)), {
      'label': jnp.array([0]), 'mask': jnp.ones(1)})
