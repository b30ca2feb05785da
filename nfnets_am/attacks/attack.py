"""What an attack is: a pure function of a network and of images in [0, 1], within a ball of L-inf.

The network is a function from images to logits that normalises inside, so that epsilon and the
range mean pixels whatever the network takes. Images are float32, also where the network computes in
bfloat16: its gradient comes back through the cast. Nothing here is differentiated.
"""

from collections.abc import Callable
import dataclasses

import jax
import jax.numpy as jnp
import optax

from nfnets_am.core import errors
from nfnets_am.optim import checks

# Images float32 [B, H, W, C] to logits float32 [B, K].
Predict = Callable[[jax.Array], jax.Array]
# (predict, images, targets, keys) -> images; see Attack.__call__.
Perturb = Callable[[Predict, jax.Array, jax.Array, jax.Array], jax.Array]

# Whose loss is raised: that of the labels, or of what the network says of the clean image. The
# public code takes predictions unless labels are passed (CleverHans), or always (Kannan et al.).
LABELS = ('true', 'predicted')


@dataclasses.dataclass(frozen=True)
class Attack:
  """An attack with its keys.

  Attributes:
    name: as registered, for errors.
    epsilon: how far any value of an image may move, in [0, 1]; 0 leaves images alone.
    labels: one of LABELS.
    perturb: what moves them.
  """

  name: str
  epsilon: float
  labels: str
  perturb: Perturb

  def __post_init__(self):
    require(self.name, '0 to 1', epsilon=self.epsilon)
    if self.labels not in LABELS:
      raise errors.ConfigError(
          f'the attack {self.name}(labels={self.labels!r}); allowed: '
          f'{" or ".join(map(repr, LABELS))}')

  def __call__(self, predict: Predict, images: jax.Array, targets: jax.Array, keys: jax.Array
               ) -> jax.Array:
    """Returns images that the network gets wrong, as far as the attack finds them.

    Args:
      predict: the network. Only FGSM and PGD differentiate it.
      images: float32 [B, H, W, C] in [0, 1].
      targets: label distributions float32 [B, K]; with labels='predicted' they are not looked at.
      keys: random keys [B], one for each image, so that what an image meets depends neither on its
        neighbours nor on how rows are shared out.

    Returns:
      The like of `images`, at most epsilon from them (up to rounding) and in [0, 1].
    """
    if not self.epsilon:
      return images
    if self.labels == 'predicted':
      targets = predicted(predict(images))
    return self.perturb(predict, images, targets, keys)


def require(attack: str, allowed: str, **numbers: float) -> None:
  """Raises ConfigError for a key whose value is not what a sentence of optim/checks.py allows."""
  for key, value in numbers.items():
    checks.number(f'the attack {attack}({key}={value!r})', value, allowed)


def require_counts(attack: str, **counts: int) -> None:
  """Raises ConfigError for a key whose value is no whole number from 1 up."""
  for key, value in counts.items():
    if type(value) is not int or value < 1:
      raise errors.ConfigError(
          f'the attack {attack}({key}={value!r}); allowed: a whole number from 1 up')


def predicted(logits: jax.Array) -> jax.Array:
  """Returns a network's own label distributions [B, K]: ties share, as in CleverHans."""
  most = (logits == logits.max(axis=-1, keepdims=True)).astype(jnp.float32)
  return most / most.sum(axis=-1, keepdims=True)


def uphill(predict: Predict, images: jax.Array, targets: jax.Array) -> jax.Array:
  """Returns the signs of the gradient of the cross-entropy by the images; 0 where that is 0."""
  loss = lambda images: optax.losses.softmax_cross_entropy(predict(images), targets).sum()
  return jnp.sign(jax.grad(loss)(images))


def bounds(images: jax.Array, epsilon: float) -> tuple[jax.Array, jax.Array]:
  """Returns the least and greatest values that each pixel may take: the ball, within [0, 1]."""
  return jnp.maximum(images - epsilon, 0), jnp.minimum(images + epsilon, 1)


def noise(images: jax.Array, epsilon: float, keys: jax.Array) -> jax.Array:
  """Returns uniform noise in [-epsilon, epsilon) like `images`, of a key for each of them."""
  draw = lambda key: jax.random.uniform(key, images.shape[1:], images.dtype, -epsilon, epsilon)
  return jax.vmap(draw)(keys)


def margin(logits: jax.Array, targets: jax.Array) -> jax.Array:
  """Returns how far the best other logit is above that of the label, [B].

  It is over 0 where the network is wrong. A mixed label has the mean logit of its classes, by their
  weights, and the other classes are those without weight.
  """
  own = (targets * logits).sum(axis=-1)
  return jnp.where(targets > 0, -jnp.inf, logits).max(axis=-1) - own
