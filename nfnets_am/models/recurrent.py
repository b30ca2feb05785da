"""Recurrent language models: words, layers that carry a state from segment to segment, words again.

The network around the layers is that of Merity et al. 2018 and of its public code: words dropped
out of the embedding, features dropped out in front of, between and behind the layers for the whole
of a segment, and one table [K, D] for the words that are read and the words that are said.

Inputs are a dict of 'tokens' int32 [R, T], 'mask' bool or float [R, T], true where a row has
tokens, which is at its beginning, and, in training, the keys of models/noise.py. What lies behind
the tokens of a row changes neither its carry nor the outputs in front of it.
"""

from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any
from typing import NamedTuple

import haiku as hk
import jax
import jax.numpy as jnp

from nfnets_am.models import model
from nfnets_am.models import noise as noise_lib

# Segments have about as many tokens: Merity et al.'s bptt.
SEGMENT = 70


class Layer(NamedTuple):
  """A recurrent layer.

  Attributes:
    make: name -> a Haiku module, (x [R, T, D], mask bool [R, T], carry, noise) -> (y [R, T, D'],
      next carry).
    carry: name -> features of a part [R, features] of its carry.
  """

  make: Callable[[str], Callable[..., tuple[jax.Array, dict[str, jax.Array]]]]
  carry: Mapping[str, int]


class Words(hk.Module):
  """One table for the words that are read and for the logits of those that are said."""

  def __init__(self, words: int, size: int, name: str, *, limit: float,
               b_init: hk.initializers.Initializer = jnp.zeros):
    """Makes K words of `size` features, which start uniform within `limit` around 0."""
    super().__init__(name=name)
    self.words, self.size, self.limit, self.b_init = words, size, limit, b_init

  def table(self) -> jax.Array:
    """Returns the table, float32 [K, D]."""
    return hk.get_parameter('w', (self.words, self.size), jnp.float32,
                            hk.initializers.RandomUniform(-self.limit, self.limit))

  def logits(self, x: jax.Array) -> jax.Array:
    """Maps [..., D] to logits float32 [..., K]."""
    b = hk.get_parameter('b', (self.words,), jnp.float32, self.b_init)
    return x @ self.table().T + b


class Recurrent(hk.Module):
  """A language model of layers that are made by name; see the module."""

  def __init__(self, name: str, words: int, embedding: int, layers: Sequence[Layer], *,
               word_dropout: float, input_dropout: float, hidden_dropout: float,
               output_dropout: float):
    """Takes the features of a word and the rates, each in [0, 1)."""
    super().__init__(name=name)
    self.words, self.embedding, self.layers = words, embedding, layers
    self.word_dropout, self.input_dropout = word_dropout, input_dropout
    self.hidden_dropout, self.output_dropout = hidden_dropout, output_dropout

  def __call__(self, inputs: Mapping[str, jax.Array], mode: model.Mode,
               carry: dict[str, Any]) -> tuple[model.Outputs, dict[str, Any]]:
    """Maps a segment to logits and to the next carry.

    Args:
      inputs: see the module.
      mode: of the pass.
      carry: name of a layer -> its carry.

    Returns:
      Outputs of logits float32 [R, T, K], with the features 'raw' and 'dropped' [R, T, D], what
      the last layer says and what dropout leaves of it; and the next carry.
    """
    noise = noise_lib.of(inputs, mode)
    words = Words(self.words, self.embedding, 'words', limit=0.1)
    mask = inputs['mask'] > 0
    x = noise.words(words.table(), self.word_dropout)[inputs['tokens']]
    x = noise.locked(x, self.input_dropout)
    after = {}
    for number, layer in enumerate(self.layers):
      if number:
        x = noise.locked(x, self.hidden_dropout)
      name = f'layer{number}'
      x, after[name] = layer.make(name)(x, mask, carry[name], noise)
    dropped = noise.locked(x, self.output_dropout)
    return model.Outputs(
        words.logits(dropped), features={'raw': x, 'dropped': dropped}), after


def last(x: jax.Array, mask: jax.Array, before: jax.Array) -> jax.Array:
  """Returns x [R, T, D] at the last token of each row, or `before` [R, D] where it has none."""
  count = mask.sum(axis=1)
  at_end = jnp.take_along_axis(x, jnp.maximum(count - 1, 0)[:, None, None], axis=1)[:, 0]
  return jnp.where(count[:, None] > 0, at_end, before)


def create(name: str, words: int, embedding: int, layers: Sequence[Layer], *, weight_dropout: float,
           **dropout: float) -> model.Model:
  """Returns the Model of a recurrent network.

  Args:
    name: as registered.
    words: K.
    embedding: features of a word, and of the last layer.
    layers: from below.
    weight_dropout: of the layers, which is checked here.
    **dropout: the other rates of Recurrent.

  Raises:
    ConfigError: a rate out of its range.
  """
  model.check_rates(weight_dropout=weight_dropout, **dropout)

  def carry(rows):
    return {f'layer{number}': {part: jnp.zeros((rows, size)) for part, size in layer.carry.items()}
            for number, layer in enumerate(layers)}

  def blank(rows, shape, dtype):
    del dtype
    return {'tokens': jnp.zeros((rows, shape[0]), jnp.int32),
            'mask': jnp.ones((rows, shape[0]), bool)}

  return model.from_module(
      lambda: Recurrent(name, words, embedding, layers, **dropout), carry=carry, name=name,
      num_classes=words, train_size=SEGMENT, test_size=SEGMENT, head=f'{name}/words', blank=blank)
