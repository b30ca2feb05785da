"""Networks of one to four layers without norms (Summers 2021, sec. 5.4.2, 5.6 and B.1).

A linear classifier of pixels, one hidden layer, fully connected or convolutional, and the network
for MNIST of the public code. Weights and biases start as torch starts them. For images of 32x32x3
and 10 classes the first three have 30,730, 1,578,506 and 168,714 parameters, the last has 1,199,882
for images of 28x28x1.
"""

from collections.abc import Callable

import haiku as hk
import jax
import jax.numpy as jnp

from nfnets_am.models import layers
from nfnets_am.models import model


def linear(num_classes: int) -> model.Model:
  """Returns a linear classifier of pixels."""
  return _model('linear', 32, num_classes, _flat)


def one_hidden(num_classes: int, *, hidden: int = 512) -> model.Model:
  """Returns a hidden layer, fully connected, and a linear.

  Args:
    num_classes: K.
    hidden: its units.

  Raises:
    ConfigError: no units.
  """
  model.check_sizes(hidden=hidden)
  return _model('one_hidden', 32, num_classes,
                lambda x: jax.nn.relu(_linear(hidden, 'hidden')(_flat(x))))


def one_hidden_conv(num_classes: int, *, channels: int = 64) -> model.Model:
  """Returns a hidden layer of 5x5 convolutions at stride 2, and a linear.

  Args:
    num_classes: K.
    channels: of the convolution.

  Raises:
    ConfigError: no channels.
  """
  model.check_sizes(channels=channels)
  return _model('one_hidden_conv', 32, num_classes, lambda x: _flat(jax.nn.relu(
      _conv(channels, 5, 2, layers.around(5), 'hidden')(x))))


def two_convs(num_classes: int, *, channels: int = 32, hidden: int = 128) -> model.Model:
  """Returns two 3x3 convolutions without padding, a pool, a hidden layer and a linear, for MNIST.

  Args:
    num_classes: K.
    channels: of the first convolution; the second has twice as many.
    hidden: units of the hidden layer.

  Raises:
    ConfigError: no channels or units.
  """
  model.check_sizes(channels=channels, hidden=hidden)

  def features(x):
    x = jax.nn.relu(_conv(channels, 3, 1, 'VALID', 'conv0')(x))
    x = jax.nn.relu(_conv(2 * channels, 3, 1, 'VALID', 'conv1')(x))
    return jax.nn.relu(_linear(hidden, 'hidden')(_flat(layers.max_pool(x, 2, 2))))

  return _model('two_convs', 28, num_classes, features)


def _flat(x: jax.Array) -> jax.Array:
  return x.reshape((len(x), -1))


def _linear(size: int, name: str) -> layers.Linear:
  return layers.Linear(size, layers.TORCH, name=name, b_init=layers.torch_bias)


def _conv(channels: int, kernel: int, stride: int, padding: layers.Padding, name: str
          ) -> layers.Conv2D:
  return layers.Conv2D(channels, kernel, stride, name=name, padding=padding, w_init=layers.TORCH,
                       b_init=layers.torch_bias)


class _Shallow(hk.Module):
  """Features of images, and a linear of them."""

  def __init__(self, name: str, num_classes: int, features: Callable[[jax.Array], jax.Array]):
    super().__init__(name=name)
    self.num_classes, self.features = num_classes, features

  def __call__(self, x: jax.Array, mode: model.Mode) -> model.Outputs:
    """Maps images [B, H, W, C] to logits float32 [B, K], in training and at inference."""
    del mode
    features = self.features(x)
    logits = _linear(self.num_classes, 'linear')(features).astype(jnp.float32)
    return model.Outputs(logits, features={'features': features})


def _model(name: str, size: int, num_classes: int, features: Callable[[jax.Array], jax.Array]
           ) -> model.Model:
  return model.from_module(
      lambda: _Shallow(name, num_classes, features), name=name, num_classes=num_classes,
      train_size=size, test_size=size, head=f'{name}/linear')
