"""AWD-LSTM (Merity et al. 2018), the language model of Hoffer et al. 2020.

As its public code has it: three LSTM layers of 1150, 1150 and 400 units, the last as wide as the
embedding, since one table holds the words that are read and said. With 10,000 words it has
24,221,600 parameters. LSTM weights and biases start as torch starts them, uniform within
1 / sqrt(units), and so does the bias of the forget gate; words within 0.1.
"""

from typing import Any

import haiku as hk
import jax
import jax.numpy as jnp

from nfnets_am.models import model
from nfnets_am.models import noise as noise_lib
from nfnets_am.models import recurrent


def create(num_classes: int, *, hidden: int = 1150, layers: int = 3, embedding: int = 400,
           word_dropout: float = 0.1, input_dropout: float = 0.4, hidden_dropout: float = 0.25,
           output_dropout: float = 0.4, weight_dropout: float = 0.5) -> model.Model:
  """Returns an AWD-LSTM; the rates are those of Hoffer et al. 2020 on the Penn Treebank.

  Args:
    num_classes: K, words.
    hidden: units of all layers but the last.
    layers: how many there are.
    embedding: features of a word, and units of the last layer.
    word_dropout: of words of the embedding, one mask for all rows of an update.
    input_dropout: of the features of words, a mask for each row.
    hidden_dropout: between layers, a mask for each row.
    output_dropout: behind the last layer, a mask for each row.
    weight_dropout: of the recurrent weights, one mask for all rows of an update.

  Raises:
    ConfigError: a size below 1, or a rate out of [0, 1).
  """
  model.check_sizes(hidden=hidden, layers=layers, embedding=embedding)

  def layer(units: int) -> recurrent.Layer:
    return recurrent.Layer(lambda name: Lstm(units, weight_dropout, name),
                           {'hidden': units, 'cell': units})

  return recurrent.create(
      'awd_lstm', num_classes, embedding,
      [*(layer(hidden) for _ in range(layers - 1)), layer(embedding)],
      word_dropout=word_dropout, input_dropout=input_dropout, hidden_dropout=hidden_dropout,
      output_dropout=output_dropout, weight_dropout=weight_dropout)


class Lstm(hk.Module):
  """An LSTM layer with dropout of its recurrent weights."""

  def __init__(self, units: int, weight_dropout: float, name: str):
    super().__init__(name=name)
    self.units, self.weight_dropout = units, weight_dropout

  def __call__(self, x: jax.Array, mask: jax.Array, carry: dict[str, jax.Array],
               noise: noise_lib.Noise) -> tuple[jax.Array, dict[str, Any]]:
    """Maps [R, T, D] to [R, T, units]; gates come in the order input, forget, cell, output.

    Args:
      x: the segment.
      mask: bool [R, T], where a row has tokens; elsewhere its carry stays as it is.
      carry: 'hidden' and 'cell' [R, units].
      noise: of the pass.
    """
    w, b = _Gates(x.shape[-1], self.units, 'input')()
    w_hidden, b_hidden = _Gates(self.units, self.units, 'hidden')()
    w_hidden = noise.weights(w_hidden, self.weight_dropout)
    # All times at once, and outside the loop: the loop is left with one product.
    gates = x @ w + (b + b_hidden)

    def step(held, now):
      hidden, cell = held
      gates, present = now
      i, f, g, o = jnp.split(gates + hidden @ w_hidden, 4, axis=-1)
      next_cell = jax.nn.sigmoid(f) * cell + jax.nn.sigmoid(i) * jnp.tanh(g)
      said = jax.nn.sigmoid(o) * jnp.tanh(next_cell)
      present = present[:, None]
      return (jnp.where(present, said, hidden), jnp.where(present, next_cell, cell)), said

    (hidden, cell), said = jax.lax.scan(
        step, (carry['hidden'], carry['cell']), (jnp.moveaxis(gates, 1, 0), mask.T))
    return jnp.moveaxis(said, 0, 1), {'hidden': hidden, 'cell': cell}


class _Gates(hk.Module):
  """Weights and biases to the four gates."""

  def __init__(self, size: int, units: int, name: str):
    super().__init__(name=name)
    self.size, self.units = size, units

  def __call__(self) -> tuple[jax.Array, jax.Array]:
    """Returns w [size, 4 units] and b [4 units]."""
    init = hk.initializers.RandomUniform(-self.units ** -0.5, self.units ** -0.5)
    return (hk.get_parameter('w', (self.size, 4 * self.units), jnp.float32, init),
            hk.get_parameter('b', (4 * self.units,), jnp.float32, init))
