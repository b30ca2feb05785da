"""A quasi-recurrent language model (Bradbury et al. 2017), as Summers 2021, ch. 5, trains it.

The public code is that of AWD-LSTM with `--model QRNN`: the same network around layers that look at
one or two tokens and recur element by element. Layers of 512, 512 and 256 units over words of 256
features have 4,539,920 parameters with 10,000 words. Weights and biases of layers start as torch
starts a linear. There is no zoneout, which the public code leaves at 0.
"""

from typing import Any

import haiku as hk
import jax
import jax.numpy as jnp

from nfnets_am.models import layers as layers_lib
from nfnets_am.models import model
from nfnets_am.models import noise as noise_lib
from nfnets_am.models import recurrent


def create(num_classes: int, *, hidden: int = 512, layers: int = 3, embedding: int = 256,
           word_dropout: float = 0.1, input_dropout: float = 0.4, hidden_dropout: float = 0.3,
           output_dropout: float = 0.4, weight_dropout: float = 0.1) -> model.Model:
  """Returns a QRNN; the thesis does not say the rates, which are those of the public command.

  Args:
    num_classes: K, words.
    hidden: units of all layers but the last.
    layers: how many there are; the first looks at two tokens, the others at one.
    embedding: features of a word, and units of the last layer.
    word_dropout: of words of the embedding, one mask for all rows of an update.
    input_dropout: of the features of words, a mask for each row.
    hidden_dropout: between layers, a mask for each row.
    output_dropout: behind the last layer, a mask for each row.
    weight_dropout: of all weights of the layers, one mask for all rows of an update.

  Raises:
    ConfigError: a size below 1, or a rate out of [0, 1).
  """
  model.check_sizes(hidden=hidden, layers=layers, embedding=embedding)

  def layer(number: int) -> recurrent.Layer:
    units = hidden if number < layers - 1 else embedding
    carry = {'cell': units} | ({} if number else {'before': embedding})
    return recurrent.Layer(lambda name: Qrnn(units, weight_dropout, name), carry)

  return recurrent.create(
      'qrnn', num_classes, embedding, [layer(number) for number in range(layers)],
      word_dropout=word_dropout, input_dropout=input_dropout, hidden_dropout=hidden_dropout,
      output_dropout=output_dropout, weight_dropout=weight_dropout)


class Qrnn(hk.Module):
  """Candidates and gates of one or two tokens, and a mean that runs on under a forget gate."""

  def __init__(self, units: int, weight_dropout: float, name: str):
    super().__init__(name=name)
    self.units, self.weight_dropout = units, weight_dropout

  def __call__(self, x: jax.Array, mask: jax.Array, carry: dict[str, jax.Array],
               noise: noise_lib.Noise) -> tuple[jax.Array, dict[str, Any]]:
    """Maps [R, T, D] to [R, T, units].

    Args:
      x: the segment.
      mask: bool [R, T], where a row has tokens; elsewhere its carry stays as it is.
      carry: 'cell' [R, units] and, of a layer that looks at two tokens, 'before' [R, D], the last
        of the segment before. It comes with that segment's dropout and gets no gradient.
      noise: of the pass.
    """
    source, after = x, {}
    if 'before' in carry:
      after['before'] = recurrent.last(x, mask, carry['before'])
      source = jnp.concatenate(
          [x, jnp.concatenate([carry['before'][:, None], x[:, :-1]], axis=1)], axis=-1)
    size = source.shape[-1]
    w = hk.get_parameter('w', (size, 3 * self.units), jnp.float32, layers_lib.TORCH)
    b = hk.get_parameter('b', (3 * self.units,), jnp.float32, layers_lib.torch_bias(size))
    z, f, o = jnp.split(source @ noise.weights(w, self.weight_dropout) + b, 3, axis=-1)
    z, f, o = jnp.tanh(z), jax.nn.sigmoid(f), jax.nn.sigmoid(o)

    def step(cell, now):
      z, f, present = now
      cell = jnp.where(present[:, None], f * z + (1 - f) * cell, cell)
      return cell, cell

    times = lambda y: jnp.moveaxis(y, 1, 0)
    after['cell'], cells = jax.lax.scan(step, carry['cell'], (times(z), times(f), mask.T))
    return o * times(cells), after
