"""SPSA, an attack without gradients (Uesato et al. 2018), as CleverHans 3.1 has it."""

import jax
import jax.numpy as jnp
import optax

from nfnets_am.attacks import attack
from nfnets_am.core import errors


def spsa(*, epsilon: float = 0.03, iterations: int = 100, samples: int = 128, batches: int = 1,
         delta: float = 0.01, learning_rate: float = 0.01, labels: str = 'true') -> attack.Attack:
  """Adam on estimates of the gradient of the margin of the logits, from a random start.

  An estimate is the mean over +-1 directions s of margin(x + delta s) s, which is delta times the
  gradient in expectation; Adam's steps do not depend on that factor. Directions come in pairs s and
  -s, which take the margin itself out of the noise. The points x + delta s may lie outside of the
  ball and of [0, 1], the image does not. Images are attacked one after the other, each by a batch
  of its own, and no success stops the search.

  Args:
    epsilon: radius of the ball, in [0, 1].
    iterations: steps of Adam. Neither CleverHans nor Summers 2021 says how many.
    samples: points of a batch, an even number: twice the pairs.
    batches: for each step; their estimates are summed.
    delta: how far the points are from the image, over 0.
    learning_rate: of Adam, over 0.
    labels: one of attack.LABELS.

  Raises:
    ConfigError: a value out of its range.
  """
  attack.require_counts('spsa', iterations=iterations, samples=samples, batches=batches)
  if samples % 2:
    raise errors.ConfigError(f'the attack spsa(samples={samples}); allowed: an even number')
  attack.require('spsa', 'a number over 0', delta=delta, learning_rate=learning_rate)
  optimizer = optax.adam(learning_rate, eps=1e-9)

  def perturb(predict: attack.Predict, images: jax.Array, targets: jax.Array, keys: jax.Array
              ) -> jax.Array:
    of_one = lambda row: _of_one(predict, *row)
    return jax.lax.map(of_one, (images, targets, keys))

  def _of_one(predict, image, target, key):
    low, high = (bound[0] for bound in attack.bounds(image[None], epsilon))
    start, directions = jax.random.split(key)

    def step(iteration, carry):
      moved, state = carry
      key = jax.random.fold_in(directions, iteration)
      add = lambda batch, total: total + estimate(
          predict, moved, target, jax.random.fold_in(key, batch), samples, delta)
      slope = jax.lax.fori_loop(0, batches, add, jnp.zeros_like(moved))
      # Adam goes downhill.
      update, state = optimizer.update(-slope, state)
      return jnp.clip(moved + update, low, high), state

    first = jnp.clip(image + attack.noise(image[None], epsilon, start[None])[0], low, high)
    return jax.lax.fori_loop(0, iterations, step, (first, optimizer.init(first)))[0]

  return attack.Attack('spsa', epsilon, labels, perturb)


def estimate(predict: attack.Predict, image: jax.Array, target: jax.Array, key: jax.Array,
             samples: int, delta: float) -> jax.Array:
  """Returns an estimate of delta times the gradient of the margin by an image.

  Args:
    predict: the network.
    image: float32 [H, W, C].
    target: label distribution float32 [K].
    key: of the directions.
    samples: how many points, half of them mirror images of the other half.
    delta: how far they are, in each value of the image.

  Returns:
    The like of `image`.
  """
  signs = jax.random.rademacher(key, (samples // 2, *image.shape), image.dtype)
  signs = jnp.concatenate([signs, -signs])
  margin = attack.margin(predict(image + delta * signs), target)
  return (margin[:, None, None, None] * signs).mean(axis=0)
