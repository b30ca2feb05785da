"""Beam search: the best of a few translations that are said word by word, as one compiled loop.

A step of a row looks at its 2 B best continuations. Those among the first B that end are finished,
with the score log p / ((5 + length) / 6)^penalty (Wu et al. 2016), where what ends a sentence
counts as a word; the first B that do not end go on. A row is done with B finished ones, and at its
limit all that go on have to end. One beam is greedy.
"""

from collections.abc import Callable
from typing import Any
from typing import NamedTuple

import jax
import jax.numpy as jnp


class _Beams(NamedTuple):
  """R rows of B beams each; a score of -inf is that of a beam which is not there."""
  step: jax.Array
  words: jax.Array  # int32 [R, B, L], of those that go on.
  log_p: jax.Array  # float32 [R, B]
  finished: jax.Array  # int32 [R, B, L]
  scores: jax.Array  # float32 [R, B], the best first.
  held: Any  # [R * B, ...], what the next step needs of those that go on.


def search(say: Callable[..., tuple[jax.Array, Any]], held: Any, limit: jax.Array, *, length: int,
           bos: jax.typing.ArrayLike, eos: jax.typing.ArrayLike, beam: int, penalty: float
           ) -> tuple[jax.Array, jax.Array]:
  """Searches the best sentence of each row.

  Args:
    say: (words int32 [R B], step, held) -> (logits float32 [R B, K] of the next word, held).
    held: a tree [R B, ...] for the first step; the beams of a row are next to each other.
    limit: int32 [R], words of a row at most, with what ends it; from 1 to `length`.
    length: L, of all rows.
    bos: the word before the first.
    eos: the word that ends a sentence.
    beam: B, at least 1.
    penalty: exponent of the length, at least 0.

  Returns:
    The sentences int32 [R, L], which are `eos` from their end on, and their scores float32 [R].
  """
  rows = len(limit)
  nothing = jnp.full((rows, beam, length), eos, jnp.int32)
  none = jnp.full((rows, beam), -jnp.inf)
  first = _Beams(jnp.int32(0), nothing, none.at[:, 0].set(0.0), nothing, none, held)

  def searching(beams):
    return (beams.step < length) & jnp.isneginf(beams.scores).any()

  def step(beams):
    at = beams.step
    before = jnp.where(at == 0, bos, beams.words[:, :, at - 1])
    logits, held = say(before.reshape(-1), at, beams.held)
    log_p = jax.nn.log_softmax(logits).reshape((rows, beam, -1))
    count = log_p.shape[-1]
    must_end = (at + 1 >= limit)[:, None, None] & (jnp.arange(count) != eos)
    total = beams.log_p[:, :, None] + jnp.where(must_end, -jnp.inf, log_p)
    log_p, place = jax.lax.top_k(total.reshape((rows, -1)), 2 * beam)
    origin, word = place // count, place % count
    words = _of(beams.words, origin).at[:, :, at].set(word)
    ends = word == eos

    full = ~jnp.isneginf(beams.scores).any(axis=1, keepdims=True)
    ending = ends & (jnp.arange(2 * beam) < beam) & ~full
    scores = jnp.where(ending, log_p / ((6.0 + at) / 6) ** penalty, -jnp.inf)
    scores, best = jax.lax.top_k(jnp.concatenate([beams.scores, scores], axis=1), beam)
    finished = _of(jnp.concatenate([beams.finished, words], axis=1), best)

    log_p, on = jax.lax.top_k(jnp.where(ends, -jnp.inf, log_p), beam)
    whose = (jnp.arange(rows)[:, None] * beam + jnp.take_along_axis(origin, on, axis=1)).reshape(-1)
    return _Beams(at + 1, _of(words, on), log_p, finished, scores,
                  jax.tree.map(lambda x: x[whose], held))

  found = jax.lax.while_loop(searching, step, first)
  return found.finished[:, 0], found.scores[:, 0]


def _of(x: jax.Array, which: jax.Array) -> jax.Array:
  """Returns of x [R, B, L] the beams `which` [R, B'] of each row."""
  return jnp.take_along_axis(x, which[:, :, None], axis=1)
