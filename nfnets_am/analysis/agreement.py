"""How much models of one recipe differ: functions of their logits (Summers 2021, sec. 5.3.1).

R models' logits on the same N examples lie in one array, float32 [R, N, K]. What is made of a pair
is made block by block: besides that array the memory is that of two blocks, whatever R is, and R^2
numbers. For 100 models of 10,000 x 10 that is one block, and about ten seconds of a core.
"""

from collections.abc import Mapping
import dataclasses
from typing import NamedTuple

import numpy as np

# Bytes of a block: logits, answers and ranks of as many models as fit.
BLOCK_BYTES = 2 ** 27
# Resamples that are drawn at a time.
_CHUNK = 500
# What a reduction of variability is the mean of (Summers 2021, table 5.5).
MEASURES = ('top1_sd', 'loss_sd', 'disagreement', 'correlation', 'top1_delta')


@dataclasses.dataclass(frozen=True)
class Models:
  """Models, or ensembles of disjoint models, by their logits.

  An ensemble of n averages the logits of n models in a row; those that fill none are left out. A
  model in two ensembles would make them alike (Summers 2021, table 5.5).

  Attributes:
    logits: float32 [R, N, K].
    size: n, models in an ensemble.
  """

  logits: np.ndarray
  size: int = 1

  def __len__(self) -> int:
    return len(self.logits) // self.size

  def __getitem__(self, i: int) -> np.ndarray:
    """Returns the logits float32 [N, K] of one of them."""
    if i >= len(self):
      raise IndexError(i)
    members = self.logits[i * self.size:(i + 1) * self.size]
    return members[0] if self.size == 1 else members.mean(0, dtype=np.float64).astype(np.float32)


class Pairs(NamedTuple):
  """What pairs of models are to each other; float64 [P], of (0, 1), (0, 2), ... in this order.

  Attributes:
    disagreement: share of the examples on which they say different classes.
    correlation: Spearman's, over all N K logits of both.
    top1_delta: accuracy of their mean logits less the mean of their accuracies (eq. 5.1).
    loss_delta: the same of the cross-entropy, in nats.
  """

  disagreement: np.ndarray
  correlation: np.ndarray
  top1_delta: np.ndarray
  loss_delta: np.ndarray


def scores(logits: np.ndarray, label: np.ndarray) -> tuple[float, float]:
  """Returns accuracy and cross-entropy in nats of a model.

  Args:
    logits: [N, K]; of equal ones the lowest class is its answer.
    label: int [N].
  """
  return float((logits.argmax(1) == label).mean()), _cross_entropy(logits, label)


def deviation(values: np.ndarray, *, resamples: int = 10_000, seed: int = 1
              ) -> tuple[float, float]:
  """Returns the standard deviation (ddof 0) of R values, and the bootstrap's error of it.

  Args:
    values: [R].
    resamples: of R values each, drawn with replacement; the error is the deviation of their
      deviations. For normal values it is about the deviation over the root of 2 R.
    seed: of the resamples.
  """
  values = np.asarray(values, np.float64)
  rng = np.random.Generator(np.random.Philox(key=np.array([seed, 0], np.uint64)))
  drawn = []
  for first in range(0, resamples, _CHUNK):
    shape = min(_CHUNK, resamples - first), len(values)
    drawn.append(values[rng.integers(0, len(values), shape)].std(1))
  return float(values.std()), float(np.concatenate(drawn).std())


def pairs_error(values: np.ndarray, count: int) -> float:
  """Returns the standard error of a mean over pairs, which share models: the jackknife's.

  Each model is left out once, with all its pairs. For values that are sums of one number of each
  model it is twice the error of the mean of these numbers.

  Args:
    values: [P], of the pairs (0, 1), (0, 2), ... of `count` models.
    count: R; NaN below 3, where no pair is left.
  """
  if count < 3:
    return float('nan')
  matrix = np.zeros((count, count))
  matrix[np.triu_indices(count, 1)] = values
  own = matrix.sum(0) + matrix.sum(1)
  left = (own.sum() / 2 - own) / ((count - 1) * (count - 2) / 2)
  return float(np.sqrt((count - 1) * left.var()))


def ranks(values: np.ndarray) -> np.ndarray:
  """Returns ranks with zero mean and unit norm, so that products of them are Spearman's rho.

  Equal values have the mean of the ranks that they take up.

  Args:
    values: [M], finite.

  Returns:
    float64 [M]; NaN if all values are equal, of which there is no correlation.
  """
  order = np.argsort(values)
  ordered = values[order]
  starts = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]]))
  counts = np.diff(np.append(starts, len(values)))
  found = np.empty(len(values))
  # Of k equal values from place s on the mean rank is s + (k - 1) / 2, and M - 1 is twice the mean.
  found[order] = np.repeat(starts + (counts - len(values)) / 2, counts)
  norm = np.linalg.norm(found)
  return found / norm if norm else np.full(len(values), np.nan)


def pairwise(models: Models, label: np.ndarray, block_bytes: int = BLOCK_BYTES,
             correlation: bool = True) -> Pairs:
  """Compares every two of R models.

  Args:
    models: at least 2.
    label: int [N].
    block_bytes: memory of one of two blocks; a block has one model at least.
    correlation: whether it is computed, which takes most of the time; else it is NaN.
  """
  count, elements = len(models), models.logits[0].size
  own = np.array([scores(models[i], label) for i in range(count)])
  found = np.zeros((4, count, count))
  size = max(1, block_bytes // (elements * 12))
  for a in range(0, count, size):
    rows = _Block.of(models, a, min(a + size, count), correlation)
    for b in range(a, count, size):
      columns = rows if b == a else _Block.of(models, b, min(b + size, count), correlation)
      found[1, a:a + size, b:b + size] = (
          rows.ranks @ columns.ranks.T if correlation else np.nan)
      for i, one in enumerate(rows.logits, a):
        for j, other in enumerate(columns.logits, b):
          if i < j:
            both = (one + other) / 2
            found[0, i, j] = (rows.answers[i - a] != columns.answers[j - b]).mean()
            found[2:, i, j] = np.array(scores(both, label)) - (own[i] + own[j]) / 2
  upper = np.triu_indices(count, 1)
  return Pairs(*(matrix[upper] for matrix in found))


class _Block(NamedTuple):
  """Some models: logits [n, N, K], answers [n, N], ranks [n, N K]."""

  logits: list[np.ndarray]
  answers: list[np.ndarray]
  ranks: np.ndarray | None

  @classmethod
  def of(cls, models: Models, start: int, stop: int, ranked: bool) -> '_Block':
    logits = [models[i] for i in range(start, stop)]
    return cls(logits, [x.argmax(1) for x in logits],
               np.stack([ranks(x.ravel()) for x in logits]) if ranked else None)


def summary(models: Models, label: np.ndarray, *, resamples: int = 10_000) -> dict[str, float]:
  """Returns the row of table 5.1: means, deviations with errors, and means over pairs.

  Args:
    models: at least 2.
    label: int [N].
    resamples: of the bootstrap.

  Returns:
    'models', 'top1', 'top1_sd', 'top1_sd_error', the same of 'loss', and the mean of each of Pairs,
    of three models or more with 'disagreement_error' and the like.
  """
  own = np.array([scores(models[i], label) for i in range(len(models))])
  found: dict[str, float] = {'models': len(models)}
  for name, values in zip(('top1', 'loss'), own.T, strict=True):
    found[name] = float(values.mean())
    found[f'{name}_sd'], found[f'{name}_sd_error'] = deviation(values, resamples=resamples)
  for name, values in pairwise(models, label)._asdict().items():
    found[name], error = float(values.mean()), pairs_error(values, len(models))
    if error == error:
      found[f'{name}_error'] = error
  return found


def of_tokens(models: Models, label: np.ndarray, *, resamples: int = 10_000) -> dict[str, float]:
  """Returns the row of table 5.2, of models of language: as `summary`, in perplexities.

  There is no correlation, as in the thesis: with 10,000 words a token has as many logits as a
  thousand images.

  Args:
    models: at least 2; an example is a token.
    label: int [N], the words that came.
    resamples: of the bootstrap.

  Returns:
    'models', 'perplexity', 'perplexity_sd', 'perplexity_sd_error', 'disagreement', 'tokens' (N) and
    'perplexity_delta': that of the mean logits of two models, less the mean of theirs.
  """
  losses = np.array([_cross_entropy(models[i], label) for i in range(len(models))])
  own = np.exp(losses)
  deviating, error = deviation(own, resamples=resamples)
  pairs = pairwise(models, label, correlation=False)
  first, second = np.triu_indices(len(models), 1)
  together = np.exp(pairs.loss_delta + (losses[first] + losses[second]) / 2)
  return {
      'models': len(models), 'perplexity': float(own.mean()), 'perplexity_sd': deviating,
      'perplexity_sd_error': error, 'disagreement': float(pairs.disagreement.mean()),
      'perplexity_delta': float((together - (own[first] + own[second]) / 2).mean()),
      'tokens': len(label)}


def reduction(found: Mapping[str, float], baseline: Mapping[str, float]) -> float:
  """Returns the mean relative reduction of five measures (Summers 2021, table 5.5).

  Of the correlation it is 1 - correlation that is reduced. NaN where a measure of the baseline is
  0, of which nothing is a share.

  Args:
    found: a summary.
    baseline: the summary of the models whose variability was to be reduced.
  """
  of = lambda row, name: 1 - row[name] if name == 'correlation' else row[name]
  if not all(of(baseline, name) for name in MEASURES):
    return float('nan')
  return float(np.mean([1 - of(found, name) / of(baseline, name) for name in MEASURES]))


def _cross_entropy(logits: np.ndarray, label: np.ndarray) -> float:
  shifted = logits - logits.max(1, keepdims=True)
  total = np.exp(shifted).sum(1, dtype=np.float64)
  return float((np.log(total) - shifted[np.arange(len(label)), label]).mean())
