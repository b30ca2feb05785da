"""Holds a model against the same written down plainly in float64: see plain.py."""

import jax
import jax.numpy as jnp
import numpy as np

from nfnets_am.models import model as model_lib
from tests.models import by_numpy
from tests.models import plain


def check(model, by_hand, images, classes):
  """Fails unless logits, gradients and moved statistics of both modes are the same.

  Args:
    model: narrow, so that float32 rounds little.
    by_hand: (params, averages, images, whether it trains) -> (logits, moved statistics).
    images: float64 [B, H, W, C].
    classes: K of the model.
  """
  params, averages = by_numpy.draw(model, images)
  cotangent = np.random.default_rng(4).normal(size=(len(images), classes))
  float32 = lambda tree: jax.tree.map(jnp.float32, tree)

  def found(params):
    apply = lambda mode: model.apply(
        params, model_lib.State(float32(averages), {}), None, jnp.float32(images), mode)
    (training, after), (testing, same) = apply(model_lib.TRAINING), apply(model_lib.EVALUATION)
    loss = (training.logits * jnp.float32(cotangent)).sum()
    return loss, (training.logits, after.averages, testing.logits, same.averages)

  gradient, values = jax.jit(jax.grad(found, has_aux=True))(float32(params))
  plain.assert_same(values, (*by_hand(params, averages, images, True),
                             by_hand(params, averages, images, False)[0], averages), 1e-4)
  plain.assert_slopes(gradient, params, lambda params: (
      by_hand(params, averages, images, True)[0] * cotangent).sum())


def assert_uniform(w, fan_in):
  """Fails unless weights or biases fill the interval of 1 / sqrt(fan_in) around 0 evenly."""
  w, bound = np.float64(w).ravel(), fan_in ** -0.5
  assert np.abs(w).max() <= bound * (1 + 1e-6)
  # Six standard errors of the second moment of so many uniform numbers.
  assert abs((w ** 2).mean() * 3 / bound ** 2 - 1) < 6 * 0.9 / np.sqrt(w.size)
