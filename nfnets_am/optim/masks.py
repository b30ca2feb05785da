"""Which parameters are decayed and which are clipped, told by their names.

A mask function maps params {module: {name: array}} to the same structure of bools.
"""

from collections.abc import Callable
from collections.abc import Mapping

import jax

from nfnets_am.core import registry

Params = Mapping[str, Mapping[str, jax.Array]]
Mask = dict[str, dict[str, bool]]


def every_weight(params: Params) -> Mask:
  """True for every parameter, gains and biases too."""
  return _by_name(params, lambda module, name: True)


def no_gain_bias(params: Params) -> Mask:
  """False for gains and biases (scale, offset, b, *gain*, *bias*), as Brock et al. 2021b decay."""
  return _by_name(
      params,
      lambda module, name: not (name in ('scale', 'offset', 'b') or 'gain' in name
                                or 'bias' in name))


def not_final_linear(params: Params) -> Mask:
  """False for the last linear's weight only, which AGC leaves alone (Brock et al. 2021b, sec. 4.1).

  Its bias is clipped, and so are the linears inside squeeze-and-excite, as in the published code.
  """
  return _by_name(params, lambda module, name: not (is_final_linear(module) and name == 'w'))


def is_final_linear(module: str) -> bool:
  """Whether a module is the last linear, and not one inside squeeze-and-excite."""
  return 'linear' in module and 'squeeze_excite' not in module


def _by_name(params: Params, choose: Callable[[str, str], bool]) -> Mask:
  return {module: {name: choose(module, name) for name in weights}
          for module, weights in params.items()}


# What weight decay and the L2 term may cover.
MASKS = registry.Registry('mask', {
    'all': every_weight,
    'no_gain_bias': no_gain_bias,
})
