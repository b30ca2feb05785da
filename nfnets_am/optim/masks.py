"""Which parameters are decayed, clipped, slowed down: told by their names and shapes.

A mask function maps params {module: {name: array}} to the same structure of bools. Names are
Haiku's and this project's: a kernel of a convolution (HWIO) or of a linear layer is 'w', its bias
'b' or 'bias', a norm has 'scale' and 'offset', weight standardisation 'gain', SkipInit 'skip_gain'.
"""

from collections.abc import Callable
from collections.abc import Mapping

import jax

from nfnets_am.core import errors
from nfnets_am.core import registry

Params = Mapping[str, Mapping[str, jax.Array]]
Mask = dict[str, dict[str, bool]]

_BIAS = ('b', 'bias')


def every_weight(params: Params) -> Mask:
  """True for every parameter, gains and biases too."""
  return _where(params, lambda module, name, w: True)


def no_gain_bias(params: Params) -> Mask:
  """False for gains and biases (scale, offset, b, *gain*, *bias*), as Brock et al. 2021b decay."""
  return _where(
      params,
      lambda module, name, w: not (name in ('scale', 'offset', 'b') or 'gain' in name
                                   or 'bias' in name))


def not_norm_bias(params: Params) -> Mask:
  """False for norms and biases, as Hoffer et al. 2020 decay their ResNets (public code)."""
  return _where(params, lambda module, name, w: name not in ('scale', 'offset', *_BIAS))


def not_norm(params: Params) -> Mask:
  """False for norms alone: biases are decayed (Hoffer et al. 2020, supplement B)."""
  return _where(params, lambda module, name, w: name not in ('scale', 'offset'))


def kernels(params: Params) -> Mask:
  """True for the kernels of convolutions and linear layers alone, as Madry et al. 2018 decay."""
  return _where(params, lambda module, name, w: name == 'w' and w.ndim > 1)


def kernels_not_depthwise(params: Params) -> Mask:
  """True for kernels, but for those of depthwise convolutions, as MobileNet decays.

  A depthwise kernel HWIO has I = 1. So has the first convolution on grey images.
  """
  return _where(
      params,
      lambda module, name, w: name == 'w' and w.ndim > 1 and not (w.ndim == 4 and w.shape[2] == 1))


def bias(params: Params) -> Mask:
  """True for the biases of convolutions and linear layers; a norm's offset is none."""
  return _where(params, lambda module, name, w: name in _BIAS)


def norm_scale(params: Params) -> Mask:
  """True for the scale (gamma) of every norm."""
  return _where(params, lambda module, name, w: name == 'scale')


def norm_scale_not_shortcut(params: Params) -> Mask:
  """True for the scale of every norm that is in no module named *shortcut*.

  What the public code of Summers 2021, ch. 5, slows down: it looks for 'bn' in a name, and the norm
  of its shortcuts is called otherwise.
  """
  return _where(params, lambda module, name, w: name == 'scale' and 'shortcut' not in module)


def norm_offset(params: Params) -> Mask:
  """True for the offset (beta) of every norm."""
  return _where(params, lambda module, name, w: name == 'offset')


def not_head(params: Params, head: str) -> Mask:
  """False for the weight of the last linear only, which AGC leaves alone.

  Its bias is clipped, and so are other linears, such as those inside squeeze-and-excite, as in the
  code that Brock et al. 2021b (sec. 4.1) published.

  Args:
    params: of the whole model, or a tree like them.
    head: path of the module of the last linear, such as 'NFNet/~/linear'; a fact of the model.

  Raises:
    ConfigError: the parameters have no such module.
  """
  if head not in params:
    raise errors.ConfigError(
        f'the head {head!r} is no module of the parameters; allowed: {", ".join(params)}')
  return _where(params, lambda module, name, w: not (module == head and name == 'w'))


def named(name: str, params: Params) -> Mask:
  """Returns the mask `name` of `params`; it holds something.

  Args:
    name: in `MASKS`.
    params: {module: {name: array}}.

  Raises:
    ConfigError: unknown mask, or one that names none of the parameters: it would do nothing.
  """
  mask = MASKS[name](params)
  if not any(jax.tree.leaves(mask)):
    holding = [other for other in MASKS if any(jax.tree.leaves(MASKS[other](params)))]
    raise errors.ConfigError(
        f'the mask {name!r} names no parameter of this model; allowed: {", ".join(holding)}')
  return mask


def _where(params: Params, choose: Callable[[str, str, jax.Array], bool]) -> Mask:
  return {module: {name: choose(module, name, w) for name, w in weights.items()}
          for module, weights in params.items()}


# What decay, penalties and rates may cover.
MASKS = registry.Registry('mask', {
    'all': every_weight,
    'bias': bias,
    'kernels': kernels,
    'kernels_not_depthwise': kernels_not_depthwise,
    'no_gain_bias': no_gain_bias,
    'norm_offset': norm_offset,
    'norm_scale': norm_scale,
    'norm_scale_not_shortcut': norm_scale_not_shortcut,
    'not_norm': not_norm,
    'not_norm_bias': not_norm_bias,
})
