"""Optimisers by name: decay, what is remembered of past gradients, learning rate, in this order.

A factory takes the schedule, update's number -> learning rate, and the config's keys. What clips a
gradient (`clips.CLIPS`) stands before the optimiser in a chain, so that decay is never clipped.

Keys that all of them take:
  weight_decay: coefficient of the weights that are added, at least 0.
  decay_mask: name in `masks.MASKS`: which parameters are decayed.
  decay_until: updates that decay; Hoffer's AlexNet stops at epoch 15 (public code).
  rates: see `rates.scale_by_rates`; '' is one rate for all (nt_asgd has no such key).
"""

import functools
import math
from typing import Any

import jax.numpy as jnp
import optax

from nfnets_am.core import errors
from nfnets_am.core import registry
from nfnets_am.optim import asgd
from nfnets_am.optim import checks
from nfnets_am.optim import masks
from nfnets_am.optim import rates as rates_lib
from nfnets_am.optim.schedules import parts

# Where TensorFlow 1 and torch differ: what the mean of squares starts at, and where eps is added.
_RMSPROP_FORMS = registry.Registry('form of rmsprop', {
    'tensorflow': functools.partial(
        optax.scale_by_rms, initial_scale=1.0, eps_in_sqrt=True),
    'torch': functools.partial(
        optax.scale_by_rms, initial_scale=0.0, eps_in_sqrt=False),
})


def sgd(schedule: optax.Schedule, *, momentum: float = 0.9, nesterov: bool = False,
        weight_decay: float = 0.0, decay_mask: str = 'all', decay_until: float = math.inf,
        rates: str = '', segment: float = 0.0) -> optax.GradientTransformation:
  """Stochastic gradient descent with coupled decay, as all papers here run it.

  `weight_decay` times the weights is added to the gradient, so that the decay goes through the
  momentum and the learning rate (Brock et al. 2021b and its published code; torch's SGD).

  Args:
    schedule: update's number -> learning rate.
    momentum: decay of the momentum buffer in [0, 1); 0 keeps no buffer.
    nesterov: whether to look ahead with the buffer, else heavy ball.
    weight_decay, decay_mask, decay_until, rates: see the module.
    segment: tokens of running text that take the whole rate, others in proportion to their length;
      0 is the same rate for all lengths.

  Returns:
    An optax transformation; its update needs the params and, with `segment`, the metrics.

  Raises:
    ConfigError: a value out of range, an unknown mask, or Nesterov without momentum.
  """
  _check('momentum', momentum, '0 to less than 1')
  _check('segment', segment, 'a number of at least 0')
  if nesterov and not momentum:
    raise errors.ConfigError(
        'optimizer.nesterov=True with optimizer.momentum=0; allowed: a momentum over 0')
  return optax.chain(
      *_coupled(weight_decay, decay_mask, decay_until),
      optax.sgd(schedule, momentum=momentum or None, nesterov=nesterov),
      *_rates(rates), *([asgd.scale_by_length(segment)] if segment else []))


def nt_asgd(schedule: optax.Schedule, *, watch: str = 'validation/loss', nonmono: int = 5,
            form: str = 'torch', segment: float = 0.0, weight_decay: float = 0.0,
            decay_mask: str = 'all', decay_until: float = math.inf) -> optax.GradientTransformation:
  """SGD that goes over to averaging when a metric stalls (Merity et al. 2018); see asgd.py.

  The metrics of the average have the prefix 'ema_'; until the change they are those of the weights.

  Args:
    schedule: update's number -> learning rate.
    watch: the metric, 'EVALUATION/METRIC', low ones are better: looked at whenever the evaluation
      is due. Merity et al. take the validation loss of every epoch.
    nonmono: evaluations that may stall, at least 1.
    form: one of asgd.FORMS.
    segment: as of `sgd`. As in the public code the rate of a step of ASGD is that of the segment
      before, with form='torch'.
    weight_decay, decay_mask, decay_until: see the module; decay is added to the gradient.

  Returns:
    An optax transformation; its update needs the params and, with `segment`, the metrics.

  Raises:
    ConfigError: a value out of range, an unknown form or mask.
  """
  del watch  # Whoever evaluates reads it.
  asgd.FORMS[form]  # Refuses an unknown name.
  if isinstance(nonmono, bool) or nonmono < 1:
    raise errors.ConfigError(f'optimizer.nonmono={nonmono!r}; allowed: a whole number from 1 up')
  _check('segment', segment, 'a number of at least 0')
  return optax.chain(
      *_coupled(weight_decay, decay_mask, decay_until),
      asgd.averaged(schedule, nonmono=nonmono, form=form, segment=segment))


def adam(schedule: optax.Schedule, *, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8,
         weight_decay: float = 0.0, decay_mask: str = 'all', decay_until: float = math.inf,
         rates: str = '') -> optax.GradientTransformation:
  """Adam (Kingma and Ba 2015); its decay is added to the gradient, as torch's Adam does.

  The Transformer takes b1=0.9, b2=0.98, eps=1e-9 (Vaswani et al. 2017, sec. 5.3).

  Args:
    schedule: update's number -> learning rate.
    b1, b2: decay of the means of the gradient and of its square, in [0, 1).
    eps: is added to the root of the mean square, over 0.
    weight_decay, decay_mask, decay_until, rates: see the module.

  Returns:
    An optax transformation; its update needs the params.

  Raises:
    ConfigError: a value out of range, or an unknown mask.
  """
  _check_adam(b1, b2, eps)
  return optax.chain(
      *_coupled(weight_decay, decay_mask, decay_until),
      optax.adam(schedule, b1=b1, b2=b2, eps=eps),
      *_rates(rates))


def adamw(schedule: optax.Schedule, *, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8,
          weight_decay: float = 0.01, decay_mask: str = 'all', decay_until: float = math.inf,
          rates: str = '') -> optax.GradientTransformation:
  """Adam with decay of the weights themselves (Loshchilov and Hutter 2019).

  An update takes learning rate times `weight_decay` times the weights away, past the moments.

  Args:
    schedule: update's number -> learning rate; decay follows it.
    b1, b2, eps: as of `adam`.
    weight_decay, decay_mask, decay_until, rates: see the module.

  Returns:
    An optax transformation; its update needs the params.

  Raises:
    ConfigError: a value out of range, or an unknown mask.
  """
  _check_adam(b1, b2, eps)
  decay, mask = _decay(weight_decay, decay_mask, decay_until)
  return optax.chain(
      optax.adamw(schedule, b1=b1, b2=b2, eps=eps, weight_decay=decay, mask=mask),
      *_rates(rates))


def rmsprop(schedule: optax.Schedule, *, decay: float = 0.9, eps: float = 1.0,
            momentum: float = 0.9, form: str = 'tensorflow', weight_decay: float = 0.0,
            decay_mask: str = 'all', decay_until: float = math.inf,
            rates: str = '') -> optax.GradientTransformation:
  """RMSProp, by default as TensorFlow's slim trains Inception-v3 (Summers 2021, ch. 2).

  With v the running mean of squared gradients:
    'tensorflow': v starts at 1, the gradient is divided by sqrt(v + eps), and the momentum buffer
      holds steps that the learning rate has been multiplied into.
    'torch': v starts at 0, the gradient is divided by sqrt(v) + eps, and the learning rate is
      multiplied into the momentum buffer.

  Args:
    schedule: update's number -> learning rate.
    decay: of v, in [0, 1).
    eps: over 0.
    momentum: decay of the momentum buffer in [0, 1); 0 keeps no buffer.
    form: 'tensorflow' or 'torch'.
    weight_decay, decay_mask, decay_until, rates: see the module; decay is added to the gradient.

  Returns:
    An optax transformation; its update needs the params.

  Raises:
    ConfigError: a value out of range, an unknown form or mask.
  """
  _check('decay', decay, '0 to less than 1')
  _check('eps', eps, 'a number over 0')
  _check('momentum', momentum, '0 to less than 1')
  scale = _RMSPROP_FORMS[form](decay=decay, eps=eps)
  steps = [optax.trace(momentum)] if momentum else []
  steps.insert(len(steps) if form == 'torch' else 0, optax.scale_by_learning_rate(schedule))
  return optax.chain(
      *_coupled(weight_decay, decay_mask, decay_until), scale, *steps, *_rates(rates))


def _check(key: str, value: Any, allowed: str) -> None:
  checks.number(f'optimizer.{key}={value!r}', value, allowed)


def _check_adam(b1: float, b2: float, eps: float) -> None:
  _check('b1', b1, '0 to less than 1')
  _check('b2', b2, '0 to less than 1')
  _check('eps', eps, 'a number over 0')


def _decay(weight_decay: float, decay_mask: str,
           decay_until: float) -> tuple[float | optax.Schedule, Any]:
  """Returns the checked coefficient, or a schedule of it, and the mask function."""
  _check('weight_decay', weight_decay, 'a number of at least 0')
  masks.MASKS[decay_mask]  # Refuses an unknown name.
  if not weight_decay:
    for key, found, default in [('decay_mask', decay_mask, 'all'),
                                ('decay_until', decay_until, math.inf)]:
      if found != default:
        raise errors.ConfigError(
            f'optimizer.{key}={found!r} is without effect at optimizer.weight_decay=0; '
            'allowed: a weight_decay over 0 with it')
  mask = functools.partial(masks.named, decay_mask)
  if decay_until == math.inf:
    return weight_decay, mask
  _check('decay_until', decay_until, 'a number over 0')
  end = parts.first_update(decay_until)
  return lambda t: jnp.where(t < end, jnp.float32(weight_decay), 0.0), mask


def _coupled(weight_decay: float, decay_mask: str,
             decay_until: float) -> list[optax.GradientTransformation]:
  decay, mask = _decay(weight_decay, decay_mask, decay_until)
  return [optax.add_decayed_weights(decay, mask=mask)] if weight_decay else []


def _rates(text: str) -> list[optax.GradientTransformation]:
  return [rates_lib.scale_by_rates(text)] if text != '' else []


# schedule -> what makes updates of gradients.
OPTIMIZERS = registry.Registry('optimizer', {
    'adam': adam,
    'adamw': adamw,
    'nt_asgd': nt_asgd,
    'rmsprop': rmsprop,
    'sgd': sgd,
})
