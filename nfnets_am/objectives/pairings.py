"""What draws the logits of an image and of its adversarial image together (Summers 2021, sec. 3.4).

A pairing is named by a text in an objective's key, 'squared(coefficient=0.5)'. It makes a loss of
the loss of eq. 3.1 and of both logits, since a decoupled one sets its strength by that loss.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import optax

from nfnets_am.core import calls
from nfnets_am.core import errors
from nfnets_am.core import registry
from nfnets_am.optim import checks

# (loss of eq. 3.1, clean logits [B, K], adversarial logits [B, K]) -> (loss, the pairing's own
# value before it is weighed), float32 scalars.
Pairing = Callable[[jax.Array, jax.Array, jax.Array], tuple[jax.Array, jax.Array]]

_LANGUAGE = calls.Language('pairing', 'a pairing', 'squared(coefficient=0.5)')

# Of squares of one row's K logits, whose mean over rows follows.
REDUCTIONS = registry.Registry('reduction', {
    'mean': lambda squares: squares.mean(axis=-1),
    'sum': lambda squares: squares.sum(axis=-1),
})

# What "the ratio between the adversarial training loss and the pairing loss" r may mean: (loss,
# pairing scaled to the value of the loss, r) -> loss. In the order of plausibility.
READINGS = registry.Registry('reading', {
    # The ratio of the two terms as they stand in the sum: r = loss / pairing.
    'ratio': lambda loss, pairing, r: loss + pairing / r,
    # Their shares, r : 1 - r.
    'shares': lambda loss, pairing, r: r * loss + (1 - r) * pairing,
    # "The strength of the pairing loss as a constant fraction of the adversarial loss".
    'fraction': lambda loss, pairing, r: loss + r * pairing,
})

# Which logits the gradient of a decoupled pairing goes to: clean logits to those that h is of. With
# 'both' h also falls as the network becomes more certain, right or wrong. TensorFlow 1's
# cross-entropy, as the thesis' code may have taken it, has no gradient by its first argument.
DESTINATIONS = registry.Registry('destination', {
    'both': lambda clean: clean,
    'adversarial': jax.lax.stop_gradient,
})


def squared(*, coefficient: float, reduction: str = 'mean') -> Pairing:
  """Adversarial logit pairing (Kannan et al. 2018; eq. 3.2): squared differences of logits.

  Args:
    coefficient: at least 0; Summers 2021 has 0.5 on CIFAR-10 and 5.0 on CIFAR-100.
    reduction: 'mean' over rows and classes, as in the public code, or 'sum' over classes as in
      eq. 3.9, which is K times as much.

  Raises:
    ConfigError: a value out of its range.
  """
  checks.number(f'the pairing squared(coefficient={coefficient!r})', coefficient,
                'a number of at least 0')
  reduce = REDUCTIONS[reduction]

  def pair(loss: jax.Array, clean: jax.Array, moved: jax.Array) -> tuple[jax.Array, jax.Array]:
    value = reduce(jnp.square(clean - moved)).mean()
    return loss + coefficient * value, value

  return pair


def decoupled(*, ratio: float, beta: float, reading: str = 'ratio', to: str = 'both') -> Pairing:
  """Decoupled pairing (eq. 3.11): h and beta (|f(x)|^2 + |f(x')|^2), where h takes its scale.

  h is the cross-entropy of the distribution of the adversarial logits by that of the clean ones.
  Its coefficient is a constant times loss / h, which is not
  differentiated ("a non-differentiable version of the ratio between the losses"): that makes the
  two as great, and `ratio` says how they are weighed then. Both are means over the rows that a
  device (or a micro-batch) has, as batch statistics are.

  Args:
    ratio: r, in (0, 1]; Summers 2021 has 0.125 on CIFAR-10, 0.95 on CIFAR-100 and on SVHN.
    beta: of the squared norms of the logits, at least 0; 1e-3, 3e-5 and 1e-4 there.
    reading: one of READINGS. The thesis does not say which; the first is the words' own.
    to: one of DESTINATIONS of the gradient of h. The thesis does not say that either. Where the
      loss is over `ratio`, 'both' can make logits grow without end, all for one class.

  Raises:
    ConfigError: a value out of its range.
  """
  checks.number(f'the pairing decoupled(ratio={ratio!r})', ratio, 'more than 0 to 1')
  checks.number(f'the pairing decoupled(beta={beta!r})', beta, 'a number of at least 0')
  weigh, drawn = READINGS[reading], DESTINATIONS[to]

  def pair(loss: jax.Array, clean: jax.Array, moved: jax.Array) -> tuple[jax.Array, jax.Array]:
    h = optax.losses.softmax_cross_entropy(moved, jax.nn.softmax(drawn(clean))).mean()
    # Equal one-hot distributions have h = 0, and nothing to be drawn together.
    scale = jax.lax.stop_gradient(jnp.where(h > 0, loss / jnp.where(h > 0, h, 1.0), 0.0))
    return weigh(loss, scale * h, ratio) + beta * squares(clean, moved), h

  return pair


def squares(*logits: jax.Array) -> jax.Array:
  """Returns the sum of |f|^2 over several logits [B, K], a mean over rows: logit squeezing."""
  return sum(REDUCTIONS['sum'](jnp.square(one)).mean() for one in logits)


# Each entry takes its keys and returns a Pairing.
PAIRINGS = registry.Registry('pairing', {
    'decoupled': decoupled,
    'squared': squared,
})


def parse(text: str) -> Pairing | None:
  """Returns the pairing of a config's text; None for ''.

  Raises:
    ConfigError: anything but one call of an entry of PAIRINGS.
  """
  if not text:
    return None
  found = calls.calls(text, _LANGUAGE)
  if len(found) != 1:
    raise errors.ConfigError(
        f'the pairing {text!r} is {len(found)} calls; allowed: one, such as '
        f'{_LANGUAGE.example!r}, or none')
  name, keys = found[0]
  return PAIRINGS.make(name, **keys)
