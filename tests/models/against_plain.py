"""Holds a model against the same written down plainly in float64: see plain.py."""

import jax
import jax.numpy as jnp
import numpy as np

from nfnets_am.models import model as model_lib
from tests.models import plain


def check(model, by_hand, images, classes):
  """Fails unless logits, gradients and moved statistics of both modes are the same.

  Args:
    model: narrow, so that float32 rounds little.
    by_hand: (params, averages, images, whether it trains) -> (logits, moved statistics).
    images: float64 [B, H, W, C].
    classes: K of the model.
  """
  params, state = jax.jit(model.init)(jax.random.key(0), np.float32(images))
  params, averages = plain.disturb(params), plain.disturb(state.averages, 1)
  cotangent = np.random.default_rng(4).normal(size=(len(images), classes))
  float32 = lambda tree: jax.tree.map(jnp.float32, tree)

  def found(params):
    apply = lambda mode: model.apply(
        params, model_lib.State(float32(averages), {}), None, jnp.float32(images), mode)
    (training, after), (testing, same) = apply(model_lib.TRAINING), apply(model_lib.EVALUATION)
    loss = (training.logits * jnp.float32(cotangent)).sum()
    return loss, (training.logits, after.averages, testing.logits, same.averages)

  def expected(params):
    logits, moved = by_hand(params, averages, jnp.asarray(images), True)
    testing, _ = by_hand(params, averages, jnp.asarray(images), False)
    return (logits * cotangent).sum(), (logits, moved, testing, averages)

  gradient, values = jax.jit(jax.grad(found, has_aux=True))(float32(params))
  with jax.enable_x64(True):
    # As the tests compile fusions, the older way, XLA gets some gradients of maxima wrong.
    true_gradient, true_values = jax.jit(
        jax.grad(expected, has_aux=True),
        compiler_options={'xla_cpu_use_fusion_emitters': True})(params)
  plain.assert_same(values, true_values, 1e-4)
  # What stands before a norm and no ReLU has no gradient but that of rounding.
  rounding = 1e-6 * max(np.abs(g).max() for g in jax.tree.leaves(true_gradient))
  for (path, a), b in zip(jax.tree_util.tree_leaves_with_path(gradient),
                          jax.tree.leaves(true_gradient), strict=True):
    np.testing.assert_allclose(a, b, rtol=0, atol=2e-3 * np.abs(b).max() + rounding,
                               err_msg=jax.tree_util.keystr(path))


def assert_uniform(w, fan_in):
  """Fails unless weights or biases fill the interval of 1 / sqrt(fan_in) around 0 evenly."""
  w, bound = np.float64(w).ravel(), fan_in ** -0.5
  assert np.abs(w).max() <= bound * (1 + 1e-6)
  # Six standard errors of the second moment of so many uniform numbers.
  assert abs((w ** 2).mean() * 3 / bound ** 2 - 1) < 6 * 0.9 / np.sqrt(w.size)
