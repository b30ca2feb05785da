"""Smoothed labels by hand (pitfall P63)."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nfnets_am.core import errors
from nfnets_am.objectives import smoothing


def test_the_label_gives_to_the_other_classes_or_to_all():
  label = jax.nn.one_hot(jnp.array([3]), 10)
  expected = np.full((1, 10), 0.1 / 9)
  expected[0, 3] = 0.9
  np.testing.assert_allclose(smoothing.over_others(label, 0.1), expected, rtol=1e-6)
  # The form over all classes says the same with s K / (K - 1).
  np.testing.assert_allclose(smoothing.over_all(label, 1 / 9), expected, rtol=1e-5)
  np.testing.assert_allclose(smoothing.over_others(label, 0.9), np.full((1, 10), 0.1), rtol=1e-6)
  np.testing.assert_array_equal(smoothing.over_others(label, 0.0), label)


def test_a_mixture_is_smoothed_as_its_parts_are():
  a, b = (jax.nn.one_hot(jnp.array([k]), 4) for k in (0, 2))
  mixed = smoothing.over_others(0.7 * a + 0.3 * b, 0.3)
  parts = 0.7 * smoothing.over_others(a, 0.3) + 0.3 * smoothing.over_others(b, 0.3)
  np.testing.assert_allclose(mixed, parts, rtol=1e-6)
  np.testing.assert_allclose(mixed, [[0.7 * 0.7 + 0.03, 0.1, 0.3 * 0.7 + 0.07, 0.1]], rtol=1e-6)


@pytest.mark.parametrize('classes', [2, 3, 7, 10, 100])
def test_more_than_all_as_likely_is_refused(classes):
  label = jax.nn.one_hot(jnp.array([1]), classes)
  np.testing.assert_allclose(
      smoothing.over_others(label, 1 - 1 / classes), np.full((1, classes), 1 / classes), rtol=1e-5)
  with pytest.raises(errors.ConfigError, match=f'{classes} classes.*allowed: 0 to 1 - 1/{classes}'):
    smoothing.over_others(label, 1 - 1 / classes + 0.01)
