"""The Transformer (Vaswani et al. 2017) for translation, as the code of Hoffer et al. 2020 has it.

Base: 6 + 6 layers of 512 features, 8 heads and 2048 inner units. One table holds the words of both
languages and those that are said: with 37,000 words 63,119,496 parameters, biases everywhere.
Norms come behind the sums, dropout acts on words, on what every sublayer adds, on attention and
behind the ReLU. Weights start as there: words and linears as torch starts a linear, queries, keys
and values as one Glorot-uniform matrix without biases.

Inputs are a dict of 'source' int32 [R, S] with 'source_mask' [R, S], and 'tokens' int32 [R, T], the
words that are said before each target. Masks are bool or float. In training the keys of
models/noise.py come with them.

A translation is said word by word from what is held of earlier passes: 'tokens' [R, 1] then stand
at the place 'at', an int32 scalar, and 'held', name of an attention -> its keys and values [R, S,
D], takes the place of 'source'. Of the decoder's own words it has as many places as may be said.
"""

from collections.abc import Mapping
import math

import haiku as hk
import jax
import jax.numpy as jnp
import numpy as np

from nfnets_am.core import errors
from nfnets_am.models import layers as layers_lib
from nfnets_am.models import model
from nfnets_am.models import noise as noise_lib
from nfnets_am.models import recurrent

# What a place that may not be looked at gets in place of its score: softmax makes 0 of it, and a
# row of nothing else stays finite.
_HIDDEN = -1e9
# Tokens of a sentence, about.
_SENTENCE = 32

# Name of an attention -> its keys and values [R, S, D].
Held = dict[str, tuple[jax.Array, jax.Array]]


def create(num_classes: int, *, layers: int = 6, width: int = 512, heads: int = 8,
           inner: int = 2048, dropout: float = 0.1) -> model.Model:
  """Returns a Transformer.

  Args:
    num_classes: K, words of both languages.
    layers: of the encoder and of the decoder, each.
    width: features of a word, even.
    heads: of attention, a divisor of `width`.
    inner: units between the two linears of a layer.
    dropout: one rate for all places, each entry by itself.

  Raises:
    ConfigError: a size below 1, a rate out of [0, 1), or a width that cannot be shared out.
  """
  model.check_sizes(layers=layers, width=width, heads=heads, inner=inner)
  model.check_rates(dropout=dropout)
  if width % heads or width % 2:
    raise errors.ConfigError(
        f'model.width={width} with model.heads={heads}; allowed: an even multiple of the heads')

  def blank(rows, shape, dtype):
    del dtype
    tokens, mask = jnp.zeros((rows, shape[0]), jnp.int32), jnp.ones((rows, shape[0]), bool)
    return {'source': tokens, 'source_mask': mask, 'tokens': tokens}

  return model.from_module(
      lambda: Transformer(num_classes, layers, width, heads, inner, dropout), name='transformer',
      num_classes=num_classes, train_size=_SENTENCE, test_size=_SENTENCE, head='transformer/words',
      blank=blank)


class Transformer(hk.Module):
  """Encoder and decoder over one table of words; see the module."""

  def __init__(self, words: int, layers: int, width: int, heads: int, inner: int, dropout: float):
    super().__init__(name='transformer')
    self.words, self.layers, self.width, self.heads = words, layers, width, heads
    self.inner, self.dropout = inner, dropout

  def __call__(self, inputs: Mapping[str, jax.Array], mode: model.Mode) -> model.Outputs:
    """Maps pairs to logits float32 [R, T, K]; the feature 'held' is for the word behind."""
    noise = noise_lib.of(inputs, mode)
    limit = self.width ** -0.5
    words = recurrent.Words(self.words, self.width, 'words', limit=limit,
                            b_init=hk.initializers.RandomUniform(-limit, limit))
    there = (inputs['source_mask'] > 0)[:, None, None, :]
    held, at = inputs.get('held'), inputs.get('at')
    memory = None if held else self._encode(
        self._embed(words, inputs['source'], noise), there, noise)
    x = self._embed(words, inputs['tokens'], noise, held and _places(held), at)
    places = jnp.arange(_places(held) if held else x.shape[1])
    past = places <= (at if held else places[:, None])
    after = {}
    for number in range(self.layers):
      layer = _Layer(f'decoder{number}', self.heads, self.inner, self.dropout, noise, held, after)
      x = layer.attend('self', x, x, past, at)
      x = layer.attend('source', x, memory, there)
      x = layer.feed(x)
    return model.Outputs(words.logits(x), features={'held': after})

  @hk.transparent
  def _encode(self, x, there, noise):
    for number in range(self.layers):
      layer = _Layer(f'encoder{number}', self.heads, self.inner, self.dropout, noise)
      x = layer.feed(layer.attend('self', x, x, there))
    return x

  @hk.transparent
  def _embed(self, words, tokens, noise, places=None, at=None):
    x = words.table()[tokens] * math.sqrt(self.width)
    where = positions(places or x.shape[1], self.width)
    where = where if at is None else jax.lax.dynamic_slice_in_dim(jnp.asarray(where), at, 1)
    return noise.each(x + where, self.dropout)


class _Layer:
  """The sublayers of a layer, each of which adds to its input and normalises the sum."""

  def __init__(self, name: str, heads: int, inner: int, dropout: float, noise: noise_lib.Noise,
               held: Held | None = None, after: Held | None = None):
    """Takes what is held of earlier passes, and where to put what is held after this one."""
    self.name, self.held, self.after = name, held or {}, {} if after is None else after
    self.heads, self.inner, self.dropout, self.noise = heads, inner, dropout, noise

  def attend(self, name: str, x: jax.Array, seen: jax.Array | None, visible: jax.Array,
             at: jax.Array | None = None) -> jax.Array:
    """Maps [R, T, D] to the like of it, looking at `seen` [R, S, D].

    Args:
      name: of the sublayer.
      x: asks.
      seen: answers; with `at` for that place, where others answer with what they are held by.
        None is what is held alone.
      visible: bool that broadcasts to [R, heads, T, S].
      at: int32 scalar.
    """
    key = f'{self.name}_{name}'
    attention = _Attention(self.heads, self.dropout, self.noise, key)
    said, self.after[key] = attention(x, seen, visible, self.held.get(key), at)
    return self._add(name, x, said)

  def feed(self, x: jax.Array) -> jax.Array:
    """Maps [R, T, D] to the like of it through inner units, place by place."""
    hidden = jax.nn.relu(_linear(self.inner, f'{self.name}_inner')(x))
    hidden = self.noise.each(hidden, self.dropout)
    return self._add('feed', x, _linear(x.shape[-1], f'{self.name}_outer')(hidden))

  def _add(self, name, x, more):
    norm = hk.LayerNorm(-1, create_scale=True, create_offset=True, eps=1e-5,
                        name=f'{self.name}_{name}_norm')
    return norm(x + self.noise.each(more, self.dropout))


class _Attention(hk.Module):
  """Scaled dot products of several heads."""

  def __init__(self, heads: int, dropout: float, noise: noise_lib.Noise, name: str):
    super().__init__(name=name)
    self.heads, self.dropout, self.noise = heads, dropout, noise

  def __call__(self, x: jax.Array, seen: jax.Array | None, visible: jax.Array,
               held: tuple[jax.Array, jax.Array] | None, at: jax.Array | None
               ) -> tuple[jax.Array, tuple[jax.Array, jax.Array]]:
    """As of _Layer.attend, without the sum; returns the keys and values as well."""
    size = x.shape[-1]
    w = hk.get_parameter('w', (size, 3 * size), jnp.float32, layers_lib.GLOROT_UNIFORM)
    b = hk.get_parameter('b', (3 * size,), jnp.float32, jnp.zeros)
    if x is seen:
      q, k, v = jnp.split(x @ w + b, 3, axis=-1)
    else:
      q = x @ w[:, :size] + b[:size]
      k, v = held if seen is None else jnp.split(seen @ w[:, size:] + b[size:], 2, axis=-1)
    if held and at is not None:
      k, v = (jax.lax.dynamic_update_slice_in_dim(old, new, at, axis=1)
              for old, new in zip(held, (k, v), strict=True))
    after = k, v
    q, k, v = (y.reshape((*y.shape[:2], self.heads, -1)) for y in (q, k, v))
    scores = jnp.einsum('rthd,rshd->rhts', q, k) / math.sqrt(q.shape[-1])
    weights = jax.nn.softmax(jnp.where(visible, scores, _HIDDEN))
    weights = self.noise.each(weights, self.dropout)
    said = jnp.einsum('rhts,rshd->rthd', weights, v).reshape(x.shape)
    return _linear(size, 'out')(said), after


def _places(held: Held) -> int:
  """Returns how many words of its own a decoder can hold."""
  return held['decoder0_self'][0].shape[1]


def begin(held: Held, times: int, places: int) -> Held:
  """Returns what is held before the first word, of a pass over any words: each row `times` times.

  Args:
    held: the feature of that pass, of R rows.
    times: rows of each row, next to each other.
    places: words that may be said.
  """
  def of(key, kept):
    if key.endswith('_source'):
      return jnp.repeat(kept, times, axis=0)
    return jnp.zeros((len(kept) * times, places, kept.shape[-1]), kept.dtype)

  return {key: tuple(of(key, kept) for kept in pair) for key, pair in held.items()}


def positions(length: int, width: int) -> np.ndarray:
  """Returns what is added for a place: sines, then cosines, of width / 2 wavelengths each.

  The wavelengths rise in equal ratios from 2 pi to 10,000 * 2 pi, as in the public code and in
  tensor2tensor; the paper's formula takes turns of sine and cosine, and a little less for the last.

  Args:
    length: T.
    width: D, even.

  Returns:
    float32 [T, D].
  """
  count = width // 2
  rates = 10_000.0 ** (-np.arange(count) / max(count - 1, 1))
  angles = np.arange(length)[:, None] * rates
  return np.concatenate([np.sin(angles), np.cos(angles)], axis=1).astype(np.float32)


def _linear(size: int, name: str) -> layers_lib.Linear:
  return layers_lib.Linear(size, layers_lib.TORCH, name, b_init=layers_lib.torch_bias)
