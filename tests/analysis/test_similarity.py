"""Linear CKA against its definition and its invariances (pitfall P90)."""

import itertools

import numpy as np
import pytest

from nfnets_am.analysis import similarity


def _by_definition(x, y):
  """With the N x N centring matrix and Gram matrices (Kornblith et al. 2019, eq. 3 and 4)."""
  centre = np.eye(len(x)) - 1 / len(x)
  k, m = centre @ x @ x.T @ centre, centre @ y @ y.T @ centre
  return np.trace(k @ m) / np.sqrt(np.trace(k @ k) * np.trace(m @ m))


def test_the_number_of_the_pitfall():
  rng = np.random.RandomState(1337)
  x = rng.randn(100, 10)
  y = rng.randn(100, 10) + x
  assert similarity.linear_cka(x, y) == pytest.approx(0.55761, abs=5e-6)
  assert similarity.linear_cka(x + 5, y) == pytest.approx(0.55761, abs=5e-6)


@pytest.mark.parametrize('examples, width', [(40, 7), (7, 40)])
def test_rotated_and_scaled_features_are_the_same(examples, width):
  rng = np.random.default_rng(0)
  x = rng.normal(size=(examples, width)) + 3
  rotation, _ = np.linalg.qr(rng.normal(size=(width, width)))
  assert similarity.linear_cka(x, -2.5 * x @ rotation + 1) == pytest.approx(1, abs=1e-12)
  y = rng.normal(size=(examples, width + 2))
  assert similarity.linear_cka(x, y) == pytest.approx(_by_definition(x, y), abs=1e-12)
  assert similarity.linear_cka(y, x) == pytest.approx(_by_definition(x, y), abs=1e-12)


def test_orthogonal_features_are_similar_in_nothing():
  x, y = np.zeros((4, 1)), np.zeros((4, 1))
  x[:, 0], y[:, 0] = (1, -1, 1, -1), (1, 1, -1, -1)
  assert similarity.linear_cka(x, y) == 0
  assert np.isnan(similarity.linear_cka(x, np.ones((4, 1))))


@pytest.mark.parametrize('shape', [(30, 2, 3, 2), (9, 5, 4, 3)])
def test_all_pairs_of_maps_in_their_order(shape):
  features = np.random.default_rng(0).normal(size=(4, *shape)).astype(np.float32)
  found = similarity.pairwise_cka(iter(features))
  flat = [np.float64(x).reshape((shape[0], -1)) for x in features]
  np.testing.assert_allclose(
      found, [_by_definition(x, y) for x, y in itertools.combinations(flat, 2)], atol=1e-9)
