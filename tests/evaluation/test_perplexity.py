"""Perplexity of streams: each token once, with the state of what stood before it."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nfnets_am import models
from nfnets_am.core import parallel
from nfnets_am.evaluation import evaluation as evaluation_lib
from nfnets_am.evaluation import evaluator
from nfnets_am.evaluation import perplexity
from nfnets_am.models import model as model_lib
from nfnets_am.objectives import language

WORDS = 6


class Streams:
  """Two streams of 11 and 9 tokens behind a first one, in segments, the last ones padded."""

  preparation = type('AsTheyAre', (), {'prepare_stored': staticmethod(dict)})

  def __init__(self, segment):
    rng = np.random.default_rng(0)
    self.text = [rng.integers(0, WORDS, size).astype(np.int32) for size in (12, 10)]
    self.segment = segment

  def eval_batches(self, split, batch, *, host, hosts):
    assert (split, batch, host, hosts) == ('test', 2, 0, 1)
    for first in range(0, 11, self.segment):
      rows = np.zeros((2, 2, self.segment), np.int32)
      mask = np.zeros((2, self.segment), bool)
      for row, text in enumerate(self.text):
        tokens = text[first:first + self.segment + 1]
        size = max(len(tokens) - 1, 0)
        rows[row, 0, :size], rows[row, 1, :size] = tokens[:size], tokens[1:size + 1]
        mask[row, :size] = True
      yield {'tokens': rows[:, 0], 'targets': rows[:, 1], 'mask': mask,
             'reset': np.full(2, first == 0)}


def _evaluate(model, params, segment, **weights):
  one = evaluation_lib.Evaluation(
      'test', perplexity.perplexity(), 'test', '', 2, 0, keep=bool(weights.pop('keep', False)))
  placed = {prefix: parallel.replicate(evaluator.Weights(part, {}))
            for prefix, part in {'': params, **weights}.items()}
  return evaluator.Evaluator(one, model, Streams(segment), backend='pmap', seed=0).evaluate(placed)


@pytest.mark.parametrize('name', ['awd_lstm', 'qrnn'])
def test_every_token_counts_once_behind_all_that_stood_before_it(name):
  model = models.create_model(name, WORDS, hidden=4, layers=2, embedding=3)
  params, _ = jax.jit(lambda key: model.init(key, model.blank(1, (2,), None)))(jax.random.key(0))
  params = jax.tree.map(lambda x: 4 * x, params)
  found, kept = _evaluate(model, params, 4, ema_=jax.tree.map(jnp.zeros_like, params), keep=True)
  losses = []
  for text in Streams(4).text:
    inputs = {'tokens': text[None, :-1], 'mask': np.ones((1, len(text) - 1), bool)}
    state = model_lib.State({}, model.init_carry(1))
    outputs, _ = model.apply(params, state, None, inputs, model_lib.EVALUATION)
    losses += [*np.asarray(language.losses(outputs.logits, text[None, 1:])[0][0])]
  loss = np.mean(np.float64(losses))
  assert found['tokens'] == len(losses) == 20 and 'images' not in found
  assert found['loss'] == pytest.approx(loss, rel=1e-5)
  assert found['perplexity'] == pytest.approx(math.exp(loss), rel=1e-5)
  assert found['bits'] == pytest.approx(loss / math.log(2), rel=1e-5)
  # Weights of zero know nothing of words, and have a carry of their own.
  assert found['ema_perplexity'] == pytest.approx(WORDS, rel=1e-5)
  assert kept['logits'].shape == (20, WORDS) and kept['label'].shape == (20,)
  again = np.log(np.exp(kept['logits']).sum(1)) - kept['logits'][np.arange(20), kept['label']]
  assert again.mean() == pytest.approx(loss, rel=1e-5)


def test_a_perplexity_that_no_float_holds_is_infinite():
  assert perplexity.finish({'loss': 1e4})['perplexity'] == math.inf
  assert math.isinf(perplexity.finish({'loss': math.inf})['perplexity'])
  assert math.isnan(perplexity.finish({'loss': math.nan})['loss'])
