"""What each row of an evaluation counts, by hand (pitfall P25)."""

import jax.numpy as jnp
import numpy as np

from nfnets_am.evaluation import accuracy


def test_hits_and_losses_by_hand():
  logits = jnp.array([
      [3.0, 1, 0, 0, 0, 0, 0],  # right
      [3.0, 1, 0, 0, 0, 0, 0],  # second
      [5.0, 4, 3, 2, 1, 0, 0],  # sixth: not in the top 5
      [0.0, 0, 0, 0, 0, 0, 0],  # a tie goes to the lowest class, as argmax does
      [np.nan, 0, 0, 0, 0, 0, 0],  # never a hit
      [0.0, 0, 0, 0, 0, 0, np.inf],  # nor this
  ])
  found = accuracy.scores(logits, jnp.array([0, 1, 5, 1, 0, 6]))
  assert found['top1'].tolist() == [True, False, False, False, False, False]
  assert found['top5'].tolist() == [True, True, False, True, False, False]
  rows = np.asarray(logits[:4], np.float64)
  expected = [np.log(np.exp(row).sum()) - row[k] for row, k in zip(rows, (0, 1, 5, 1), strict=True)]
  np.testing.assert_allclose(found['loss'][:4], expected, rtol=1e-6)
  assert not np.isfinite(found['loss'][4:]).any()


def test_five_classes_have_no_top_5():
  assert set(accuracy.scores(jnp.zeros((1, 5)), jnp.array([0]))) == {'loss', 'top1'}
  assert set(accuracy.scores(jnp.zeros((1, 6)), jnp.array([0]))) == {'loss', 'top1', 'top5'}


def test_ranks_agree_with_argmax_and_sorting():
  logits = np.random.default_rng(0).integers(0, 4, (200, 9)).astype(np.float32)
  label = np.random.default_rng(1).integers(0, 9, 200)
  found = accuracy.scores(jnp.asarray(logits), jnp.asarray(label))
  np.testing.assert_array_equal(found['top1'], logits.argmax(1) == label)
  first = np.argsort(-logits, axis=1, kind='stable')[:, :5]
  np.testing.assert_array_equal(found['top5'], (first == label[:, None]).any(axis=1))
