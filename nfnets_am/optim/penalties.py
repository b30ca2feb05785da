"""What is added to the loss for the parameters themselves, as 'l2(coefficient=5e-4)'.

Unlike an optimiser's decay, a penalty is seen by SAM's ascent and clipped with the gradient.
"""

from collections.abc import Callable
import functools

import jax
import jax.numpy as jnp
import optax

from nfnets_am.core import calls
from nfnets_am.core import registry
from nfnets_am.optim import checks
from nfnets_am.optim import masks

Penalty = Callable[[masks.Params], jax.Array]

_LANGUAGE = calls.Language(
    'penalty', 'a penalty', "l2(coefficient=5e-4) | towards(coefficient=1e-4, mask='norm_scale')")


def l2(*, coefficient: float, mask: str = 'all') -> Penalty:
  """Half the sum of squares of the parameters that a mask names, times `coefficient`.

  Its gradient is what `weight_decay=coefficient` adds. Fort et al. 2021 (app. A) put the decay of
  the Wide-ResNets here.

  Args:
    coefficient: at least 0.
    mask: name in `masks.MASKS`.

  Returns:
    A function of params {module: {name: float array}} that gives a float32 scalar.

  Raises:
    ConfigError: a coefficient out of range, or an unknown mask; from the function, a mask that
      names no parameter.
  """
  return _half_square('l2', coefficient, mask, lambda w: w)


def towards(*, coefficient: float, target: float = 1.0, mask: str = 'norm_scale') -> Penalty:
  """Half the squared distance of parameters to `target`, times `coefficient`.

  Summers 2021 (sec. 4.3.3) draws a norm's scale to 1 and its offset to 0; the half is the public
  code's.

  Args:
    coefficient: at least 0.
    target: where every entry is drawn to.
    mask: name in `masks.MASKS`.

  Returns:
    As of `l2`.

  Raises:
    ConfigError: as of `l2`, or a target that is no number.
  """
  checks.number(f"penalty 'towards': target is {target!r}", target, 'a number')
  return _half_square('towards', coefficient, mask, lambda w: w - target)


def parse(text: str) -> Penalty | None:
  """Returns the sum of the penalties that a text calls.

  Args:
    text: calls of penalties with literal keyword arguments, joined by `|`; '' is none.

  Returns:
    A function of the parameters that gives a float32 scalar. None if nothing is added: the text is
    empty, or its coefficients are 0.

  Raises:
    ConfigError: a text that cannot be read, an unknown penalty, key or mask, a value out of range.
  """
  if text == '':
    return None
  terms = []
  for name, kwargs in calls.calls(text, _LANGUAGE):
    term = PENALTIES.make(name, **kwargs)
    if kwargs['coefficient']:
      terms.append(term)
  if not terms:
    return None
  return lambda params: functools.reduce(jnp.add, [term(params) for term in terms])


def _half_square(penalty: str, coefficient: float, mask: str,
                 of: Callable[[jax.Array], jax.Array]) -> Penalty:
  checks.number(f'penalty {penalty!r}: coefficient is {coefficient!r}', coefficient,
                'a number of at least 0')
  masks.MASKS[mask]  # Refuses an unknown name.

  def value(params: masks.Params) -> jax.Array:
    kept = [of(w.astype(jnp.float32))
            for keep, w in zip(jax.tree.leaves(masks.named(mask, params)),
                               jax.tree.leaves(params), strict=True) if keep]
    return coefficient * (jnp.float32(0.5) * optax.tree.norm(kept, squared=True))

  return value


PENALTIES = registry.Registry('penalty', {
    'l2': l2,
    'towards': towards,
})
