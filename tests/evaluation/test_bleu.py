"""Beam search against enumeration and greedy search, and BLEU against sacrebleu's own."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import sacrebleu

from nfnets_am import models
from nfnets_am.core import errors
from nfnets_am.core import parallel
from nfnets_am.evaluation import beam as beam_lib
from nfnets_am.evaluation import bleu
from nfnets_am.evaluation import evaluation as evaluation_lib
from nfnets_am.evaluation import evaluator
from nfnets_am.models import model as model_lib

WORDS, LENGTH, EOS = 3, 4, 0
ROWS = 5


def _tables(seed=0):
  """Logits of the next word given all before, of each row: a tree of random numbers."""
  return np.random.default_rng(seed).normal(size=(ROWS, (WORDS + 1) ** LENGTH, WORDS)).astype(
      np.float32) * 2


def _say(tables, beam):
  """What is held is the number of all words so far; BOS is the word WORDS."""
  rows = jnp.repeat(jnp.arange(ROWS), beam)

  def say(words, at, held):
    held = jnp.where(at == 0, 0, held * (WORDS + 1) + words + 1)
    return jnp.asarray(tables)[rows, held], held

  return say


def _search(tables, limit, beam, penalty):
  return jax.jit(lambda limit: beam_lib.search(
      _say(tables, beam), jnp.zeros(ROWS * beam, jnp.int32), limit, length=LENGTH, bos=WORDS,
      eos=EOS, beam=beam, penalty=penalty))(jnp.int32(limit))


def _log_p(tables, row, sentence):
  total, held = 0.0, 0
  for place, word in enumerate(sentence):
    logits = np.float64(tables[row, held])
    total += logits[word] - np.log(np.exp(logits).sum())
    held = held * (WORDS + 1) + word + 1
    del place
  return total


def _sentences(limit):
  for size in range(limit):
    for words in itertools.product(range(1, WORDS), repeat=size):
      yield [*words, EOS]


@pytest.mark.parametrize('penalty', [0.0, 1.5])
def test_a_wide_beam_finds_the_best_of_all_sentences(penalty):
  tables, limits = _tables(), [4, 4, 3, 2, 1]
  # As many as there are sentences of up to three words.
  words, scores = _search(tables, limits, 15, penalty)
  for row, limit in enumerate(limits):
    score, best = max((_log_p(tables, row, s) / ((5 + len(s)) / 6) ** penalty, s)
                      for s in _sentences(limit))
    assert float(scores[row]) == pytest.approx(score, rel=1e-5)
    assert words[row].tolist() == best + [EOS] * (LENGTH - len(best))


def test_one_beam_is_greedy():
  tables, limits = _tables(1), [4, 4, 4, 3, 1]
  words, _ = _search(tables, limits, 1, 0.6)
  for row, limit in enumerate(limits):
    said, held = [], 0
    while EOS not in said:
      word = EOS if len(said) + 1 == limit else int(tables[row, held].argmax())
      said.append(word)
      held = held * (WORDS + 1) + word + 1
    assert words[row].tolist() == said + [EOS] * (LENGTH - len(said))


class _Words:
  bos = eos = 0

  @staticmethod
  def text(tokens):
    return ' '.join('abcdef'[token] for token in tokens)


class _Pairs:
  """Five sentences in two widths, the last row of each only fills the batch."""

  vocabulary = _Words()
  preparation = type('AsTheyAre', (), {'prepare_stored': staticmethod(dict)})

  def __init__(self):
    rng = np.random.default_rng(0)
    self.source = [rng.integers(1, 6, size).tolist() + [0] for size in (3, 2, 5, 6, 1)]
    self.written = [' '.join('abcdef'[w] for w in s[:-1]) + ' a b c d' for s in self.source]

  def references(self, split):
    assert split == 'test'
    return self.written

  def eval_batches(self, split, batch, *, host, hosts):
    for numbers, width in (((0, 1, 4, -1), 4), ((2, 3, -1, -1), 7)):
      source, mask = np.zeros((4, width), np.int32), np.zeros((4, width), bool)
      for row, number in enumerate(numbers):
        if number >= 0:
          size = len(self.source[number])
          source[row, :size], mask[row, :size] = self.source[number], True
      yield {'source': source, 'source_mask': mask, 'tokens': source, 'targets': source,
             'mask': mask, 'example': np.int32(numbers)}


def test_bleu_is_that_of_sacrebleu_on_what_is_said():
  model = models.create_model('transformer', 6, layers=1, width=8, heads=2, inner=8)
  params, _ = jax.jit(lambda key: model.init(key, model.blank(1, (2,), None)))(jax.random.key(1))
  # Large weights have opinions.
  params = jax.tree.map(lambda x: 3 * x, params)
  one = evaluation_lib.Evaluation(
      'test', bleu.bleu(beam=2, extra=2), 'test', '', 4, 0, keep=True)
  pairs = _Pairs()
  result, kept = evaluator.Evaluator(one, model, pairs, backend='pmap', seed=0).evaluate(
      {'': parallel.replicate(evaluator.Weights(params, {}))})
  assert result['sentences'] == 5 and sorted(kept['example']) == [0, 1, 2, 3, 4]
  assert kept['translation'].shape == (5, 9)
  found = bleu.texts(kept['translation'], pairs.vocabulary)
  assert any(found)
  own = sacrebleu.corpus_bleu(found, [[pairs.written[number] for number in kept['example']]])
  assert result['bleu'] == pytest.approx(own.score)
  # A sentence by itself, and its score by the whole pass of the model.
  where = kept['example'].tolist().index(2)
  batch = {'source': jnp.int32([pairs.source[2]]), 'source_mask': np.ones((1, 6), bool)}
  apply = lambda inputs: model.apply(
      params, model_lib.State({}, {}), None, inputs, model_lib.EVALUATION)[0]
  alone, score = bleu.translate(apply, batch, pairs.vocabulary, beam=2, penalty=0.6, extra=2)
  assert bleu.texts(alone, pairs.vocabulary) == [found[where]]
  size = int(np.flatnonzero(alone[0] == 0)[0]) + 1
  tokens = jnp.concatenate([jnp.zeros((1, 1), jnp.int32), alone[:, :size - 1]], axis=1)
  logits = apply({**batch, 'tokens': tokens}).logits
  log_p = np.asarray(jax.nn.log_softmax(logits))[0, np.arange(size), alone[0, :size]].sum()
  assert float(score[0]) == pytest.approx(log_p / ((5 + size) / 6) ** 0.6, rel=1e-4)


def test_a_perfect_translation_has_100_and_a_signature():
  rows = np.int32([[1, 2, 3, 4, 5, 0, 0], [5, 4, 3, 2, 1, 1, 0]])
  references = bleu.texts(rows, _Words())
  assert references == ['b c d e f', 'f e d c b b']
  assert bleu.finish(rows, references, _Words())['bleu'] == pytest.approx(100)
  assert f'version:{sacrebleu.__version__}' in bleu.signature()
  assert 'tok:13a' in bleu.signature()


@pytest.mark.parametrize('keys, words', [
    ({'beam': 0}, 'beam=0; allowed: 1 or more'), ({'penalty': -1.0}, 'penalty=-1.0; allowed')])
def test_searches_that_cannot_be_are_refused(keys, words):
  with pytest.raises(errors.ConfigError, match=words):
    bleu.bleu(**keys)
