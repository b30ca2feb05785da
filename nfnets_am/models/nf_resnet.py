"""NF-ResNets (Brock et al. 2021a, arXiv:2101.08692) and the ResNet-50 with SkipInit.

Pre-activation bottleneck ResNets without normalisers. NF-ResNets standardise their weights and keep
the signal's variance by constants; the SkipInit one has plain convolutions and only the scalar, at
first zero, on each branch (De and Smith 2020).
"""

import dataclasses
import functools

import haiku as hk
import jax
import jax.numpy as jnp

from nfnets_am.core import errors
from nfnets_am.models import layers
from nfnets_am.models import model
from nfnets_am.models import nfnet


@dataclasses.dataclass(frozen=True)
class Variant:
  """What tells the family's members apart.

  Attributes:
    depths: blocks of the four stages.
    width: channels of the stem; stage i has 4 * 2^i times as many.
    skipinit: plain convolutions instead of standardised ones.
    size: pixels of training and test images.
    stem_stride: of the first convolution.
  """

  depths: tuple[int, int, int, int]
  width: int = 64
  skipinit: bool = False
  size: int = 224
  stem_stride: int = 2


VARIANTS = {
    'nf_resnet50': Variant((3, 4, 6, 3)),
    'nf_resnet101': Variant((3, 4, 23, 3)),
    'nf_resnet152': Variant((3, 8, 36, 3)),
    'nf_resnet200': Variant((3, 24, 36, 3)),
    'nf_resnet288': Variant((24, 24, 24, 24)),
    'nf_resnet_tiny': Variant((1, 2, 0, 0), width=4, size=28, stem_stride=1),
    'skipinit_resnet50': Variant((3, 4, 6, 3), skipinit=True),
}


class NFResBlock(hk.Module):
  """act, 1x1, 3x3 (strided), 1x1, skip gain; a quarter of the channels inside."""

  def __init__(self, in_channels: int, channels: int, *, stride: int, beta: float, alpha: float,
               skipinit: bool, activation: str, stochastic_depth: float, name: str):
    super().__init__(name=name)
    self.alpha, self.beta, self.rate = alpha, beta, stochastic_depth
    conv = layers.Conv2D if skipinit else layers.WSConv2D
    self.activation = _activation(activation, skipinit)
    self.conv0 = conv(channels // 4, 1, name='conv0')
    self.conv1 = conv(channels // 4, 3, stride, name='conv1')
    self.conv2 = conv(channels, 1, name='conv2')
    self.shortcut = None
    if stride > 1 or in_channels != channels:
      self.shortcut = conv(channels, 1, stride, name='conv_shortcut')

  def __call__(self, x: jax.Array, mode: model.Mode) -> jax.Array:
    out = self.activation(x) * self.beta
    shortcut = self.shortcut(out) if self.shortcut else x
    out = self.conv0(out)
    out = self.conv1(self.activation(out))
    # The skip gain scales weights and bias, and not the map: its gradient is then a sum over
    # weights, and the unscaled map is neither written forwards nor read again backwards.
    gain = hk.get_parameter('skip_gain', (), jnp.float32, jnp.zeros)
    out = self.conv2(self.activation(out), scale=self.alpha * gain)
    return layers.stochastic_depth(out, self.rate, mode.is_training) + shortcut


class NFResNet(hk.Module):
  """7x7 stem, max-pool, four stages of blocks, act, mean, dropout, linear."""

  def __init__(self, num_classes: int, variant: Variant, *, activation: str, dropout: float,
               stochastic_depth: float, remat: bool):
    super().__init__(name=_module_name(variant))
    self.dropout, self.remat, self.skipinit = dropout, remat, variant.skipinit
    self.activation = _activation(activation, variant.skipinit)
    alpha = 1.0 if variant.skipinit else 0.2
    betas = ([1.0] * sum(variant.depths) if variant.skipinit
             else layers.signal_betas(variant.depths, alpha))
    stem = variant.width, 7, variant.stem_stride
    # The public SkipInit stem has no bias; the standardised one always has.
    self.stem = (layers.Conv2D(*stem, with_bias=False, name='initial_conv') if variant.skipinit
                 else layers.WSConv2D(*stem, name='initial_conv'))
    channels = variant.width
    self.blocks: list[NFResBlock] = []
    for stage, depth in enumerate(variant.depths):
      for block in range(depth):
        index, width = len(self.blocks), 4 * variant.width * 2 ** stage
        self.blocks.append(NFResBlock(
            channels, width, stride=2 if stage and not block else 1, beta=betas[index],
            alpha=alpha, skipinit=variant.skipinit, activation=activation,
            stochastic_depth=stochastic_depth * index / len(betas),
            name=f'nf_res_block_{index}' if index else 'nf_res_block'))
        channels = width
    w_init = (hk.initializers.Constant(0.0) if variant.skipinit
              else hk.initializers.RandomNormal(0.01))
    self.linear = layers.Linear(num_classes, w_init, name='linear')

  def __call__(self, x: jax.Array, mode: model.Mode) -> model.Outputs:
    """Maps images [B, H, W, C] to logits float32 [B, K]."""
    pool = functools.partial(layers.max_pool, window=3, stride=2, pad='SAME')
    x = pool(self.stem(x)) if self.skipinit else self.stem(x, pool=pool)
    x = nfnet.run_blocks(self.blocks, x, mode, self.remat)
    features = self.activation(x).mean((1, 2))
    x = layers.dropout(features, self.dropout, mode.is_training)
    return model.Outputs(self.linear(x).astype(jnp.float32), features={'features': features})


def _module_name(variant: Variant) -> str:
  return 'SkipInit_ResNet' if variant.skipinit else 'NF_ResNet'


def _activation(name: str, skipinit: bool):
  """The constant of a scaled activation has no place without standardised weights."""
  return jax.nn.relu if skipinit else layers.ACTIVATIONS[name]


def create(variant: str, num_classes: int, *, activation: str = 'relu', dropout: float = 0.25,
           stochastic_depth: float = 0.1, remat: bool = False) -> model.Model:
  """Returns an NF-ResNet or a SkipInit ResNet.

  Args:
    variant: one of VARIANTS.
    num_classes: K.
    activation: 'relu' as published, or 'gelu'; a SkipInit ResNet has the plain 'relu' only.
    dropout: rate before the final linear in [0, 1); Fort et al. 2021 take 0.25.
    stochastic_depth: rate of the block after the last; block i of N has i / N of it.
    remat: recompute the inside of every block in the backward pass, to save memory.

  Raises:
    ConfigError: a rate outside [0, 1), or another activation.
  """
  model.check_rates(dropout=dropout, stochastic_depth=stochastic_depth)
  layers.ACTIVATIONS[activation]  # Refuses an unknown name.
  facts = VARIANTS[variant]
  if facts.skipinit and activation != 'relu':
    raise errors.ConfigError(f"model.activation={activation!r} with {variant}; allowed: 'relu'")
  return model.from_module(
      lambda: NFResNet(num_classes, facts, activation=activation, dropout=dropout,
                       stochastic_depth=stochastic_depth, remat=remat),
      name=variant, num_classes=num_classes, train_size=facts.size, test_size=facts.size,
      head=f'{_module_name(facts)}/~/linear')
