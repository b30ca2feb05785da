"""Learning rates of their own for some parameters, as 'bias(times=0.1) | norm_scale(times=0.1)'."""

import functools

import jax
import optax

from nfnets_am.core import calls
from nfnets_am.core import errors
from nfnets_am.core import registry
from nfnets_am.optim import checks
from nfnets_am.optim import masks

_LANGUAGE = calls.Language('rates', 'a mask', 'bias(times=0.1) | norm_scale(times=0.1)')


def scale_by_rates(text: str) -> optax.GradientTransformation:
  """Multiplies the updates of the parameters that masks name.

  The last link of an optimiser's chain, so that a factor acts as a learning rate of the parameter's
  own: on its decay too, and not on what momentum and moments remember. Summers 2021, ch. 5, trains
  biases and most norm scales at a tenth (public code); 0 keeps parameters as they start.

  Args:
    text: calls of masks of `masks.MASKS` with `times`, at least 0; '' changes nothing. A parameter
      that no mask names has factor 1.

  Raises:
    ConfigError: a text that cannot be read, an unknown mask, a factor that is none. From `init`: a
      mask that names no parameter, or a parameter that two masks name.
  """
  if text == '':
    return optax.identity()
  factors = {}
  for name, kwargs in calls.calls(text, _LANGUAGE):
    masks.MASKS[name]  # Refuses an unknown name.
    registry.check_kwargs(f'the rate of {name!r}', _factor, kwargs)
    if name in factors:
      raise errors.ConfigError(f'the rates {text!r} name {name!r} twice; allowed: once')
    checks.number(f'the rates {text!r} have {name}(times={kwargs["times"]!r})', kwargs['times'],
                  'a number of at least 0')
    factors[name] = _factor(**kwargs)
  chain = optax.chain(*[optax.masked(optax.scale(times), functools.partial(masks.named, name))
                        for name, times in factors.items()])

  def init(params: masks.Params) -> optax.OptState:
    _refuse_overlap(text, list(factors), params)
    return chain.init(params)

  return optax.GradientTransformation(init, chain.update)


def _factor(*, times: float) -> float:
  return times


def _refuse_overlap(text: str, names: list[str], params: masks.Params) -> None:
  counts = jax.tree.map(lambda *named: sum(named), *[masks.named(name, params) for name in names])
  for module, weights in counts.items():
    for name, count in weights.items():
      if count > 1:
        raise errors.ConfigError(
            f'the rates {text!r} name {name!r} of {module!r} {count} times; '
            'allowed: masks that have no parameter in common')
