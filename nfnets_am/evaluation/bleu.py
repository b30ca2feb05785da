"""BLEU of translations that beam search finds, by sacrebleu on detokenised text."""

from collections.abc import Mapping
from collections.abc import Sequence
import functools
from types import ModuleType
from typing import Any

from absl import logging
import jax
import jax.numpy as jnp
import numpy as np

from nfnets_am.core import errors
from nfnets_am.evaluation import beam as beam_lib
from nfnets_am.evaluation import evaluation
from nfnets_am.models import model
from nfnets_am.models import transformer
from nfnets_am.optim import checks


def bleu(*, beam: int = 4, penalty: float = 0.6, extra: int = 50) -> evaluation.Evaluate:
  """Translates a split and compares it with the references; Vaswani et al. 2017, section 6.1.

  The metric 'bleu' is sacrebleu's with its own tokenisation, so that it does not depend on the
  vocabulary; `signature` says how it is computed. It is that of one set of weights, not of an
  average of checkpoints.

  Args:
    beam: translations that are followed at once; 1 is greedy.
    penalty: exponent of the length in a translation's score, see beam.py; at least 0.
    extra: words by which a translation may be longer than its source.

  Raises:
    ConfigError: a value out of its range.
  """
  for key, value, least in (('beam', beam, 1), ('extra', extra, 0)):
    if isinstance(value, bool) or value < least:
      raise errors.ConfigError(f'evaluation bleu: {key}={value!r}; allowed: {least} or more')
  checks.number(f'evaluation bleu: penalty={penalty!r}', penalty, 'a number of at least 0')

  def evaluate(vocabulary: Any, apply: Any, params: Any, state: model.State, rng: jax.Array,
               batch: Mapping[str, Any]) -> evaluation.Rows:
    del rng
    found, _ = translate(
        lambda inputs: apply(params, state, None, inputs, model.EVALUATION)[0], batch, vocabulary,
        beam=beam, penalty=penalty, extra=extra)
    return {}, {'translation': found}

  return evaluation.OfSentences(evaluate, finish, ('bleu',))


def translate(say: Any, batch: Mapping[str, Any], vocabulary: Any, *, beam: int, penalty: float,
              extra: int) -> tuple[jax.Array, jax.Array]:
  """Returns the translations int32 [R, S + extra] of a batch and their scores float32 [R].

  Args:
    say: inputs of a Transformer -> its Outputs.
    batch: 'source' int32 and 'source_mask' [R, S].
    vocabulary: with `bos` and `eos`.
    beam, penalty, extra: as of `bleu`.
  """
  rows, width = batch['source'].shape
  first = say({'source': batch['source'], 'source_mask': batch['source_mask'],
               'tokens': jnp.full((rows, 1), vocabulary.bos, jnp.int32)})
  held = transformer.begin(first.features['held'], beam, width + extra)
  # Beams of a row look at the same source: what is held of it stays where it is.
  of_source = {key: kept for key, kept in held.items() if key.endswith('_source')}
  source_mask = jnp.repeat(batch['source_mask'], beam, axis=0)

  def step(words, at, of_words):
    outputs = say({'tokens': words[:, None], 'at': at, 'held': of_words | of_source,
                   'source_mask': source_mask})
    after = outputs.features['held']
    return outputs.logits[:, 0], {key: after[key] for key in of_words}

  # The source's own end is no word.
  limit = jnp.maximum(batch['source_mask'].sum(axis=1, dtype=jnp.int32) - 1, 1) + extra
  return beam_lib.search(
      step, {key: kept for key, kept in held.items() if key not in of_source}, limit,
      length=width + extra, bos=vocabulary.bos, eos=vocabulary.eos, beam=beam, penalty=penalty)


def finish(translations: np.ndarray, references: Sequence[str], vocabulary: Any
           ) -> dict[str, float]:
  """Returns the metrics of translations int32 [N, L], which end at the first EOS, and references.

  Raises:
    UserError: sacrebleu is not installed.
  """
  scorer = _scorer()
  score = scorer.corpus_score(texts(translations, vocabulary), [list(references)])
  logging.info('BLEU %.2f, %s', score.score, signature())
  return {'bleu': float(score.score)}


def texts(translations: np.ndarray, vocabulary: Any) -> list[str]:
  """Returns the text of each row of tokens up to its first EOS, or to its end."""
  found = []
  for row in np.asarray(translations):
    ends = np.flatnonzero(row == vocabulary.eos)
    found.append(vocabulary.text(row[:ends[0]] if len(ends) else row[row >= 0]))
  return found


def signature() -> str:
  """Returns sacrebleu's signature of the metric, which belongs beside its value.

  Raises:
    UserError: sacrebleu is not installed.
  """
  scorer = _scorer()
  # The signature says how many references there are once it has seen them.
  scorer.corpus_score(['a'], [['a']])
  return str(scorer.get_signature())


def _scorer() -> Any:
  return _sacrebleu().BLEU()


@functools.cache
def _sacrebleu() -> ModuleType:
  try:
    from sacrebleu import metrics
  except ImportError:
    raise errors.UserError(
        'the evaluation bleu needs sacrebleu: pip install sacrebleu') from None
  return metrics
