"""Measures of several models' logits against brute force, closed forms, and the thesis' numbers."""

import itertools
import tracemalloc

import numpy as np
import pytest
from scipy import stats

from nfnets_am.analysis import agreement

# Pitfall P84: two classes, three examples, three models.
_TOY = np.float32([[[2, 1], [0, 1], [3, 0]], [[1, 2], [0, 2], [1, 0]], [[2, 0], [1, 0], [0, 1]]])
_TOY_LABEL = np.array([0, 1, 0])


def _logits(models, examples=60, classes=5, seed=0, own=1.0):
  """Logits that models share, with noise of each one's own, rounded so that there are ties."""
  rng = np.random.default_rng(seed)
  shared = rng.normal(size=(examples, classes))
  return np.float32(np.round(shared + own * rng.normal(size=(models, examples, classes)), 1))


def _rho(a, b):
  return stats.spearmanr(a.ravel(), b.ravel()).statistic


def _accuracy(logits, label):
  return np.mean([int(np.argmax(row)) == k for row, k in zip(logits, label, strict=True)])


def _loss(logits, label):
  return np.mean([-row[k] + np.log(np.exp(row).sum())
                  for row, k in zip(np.float64(logits), label, strict=True)])


def test_the_toy_of_three_models():
  models = agreement.Models(_TOY)
  np.testing.assert_allclose(
      [agreement.scores(models[i], _TOY_LABEL)[0] for i in range(3)], [1, 2 / 3, 1 / 3])
  pairs = agreement.pairwise(models, _TOY_LABEL)
  np.testing.assert_allclose(pairs.disagreement, np.array([1, 2, 3]) / 3)
  np.testing.assert_allclose(pairs.top1_delta, [1 / 6, 0, 1 / 2], atol=1e-15)
  np.testing.assert_allclose(pairs.correlation, [0.4924, -0.2543, -0.6455], atol=5e-5)
  row = agreement.summary(models, _TOY_LABEL, resamples=10)
  assert row['top1_sd'] == pytest.approx(0.272166, abs=1e-6)


@pytest.mark.parametrize('block_bytes', [1, 3 * 60 * 5 * 12, 2 ** 27])
@pytest.mark.parametrize('size', [1, 2])
def test_pairs_against_brute_force_however_they_are_cut(block_bytes, size):
  logits, label = _logits(9), np.random.default_rng(1).integers(0, 5, 60)
  found = agreement.pairwise(agreement.Models(logits, size), label, block_bytes)
  whole = [np.float32(np.float64(logits[i:i + size]).mean(0))
           for i in range(0, 9 - size + 1, size)]
  pairs = list(itertools.combinations(whole, 2))
  assert len(pairs) == len(found.disagreement) == (36 if size == 1 else 6)
  expected = []
  for a, b in pairs:
    both = (a + b) / 2
    expected.append((
        np.mean([np.argmax(x) != np.argmax(y) for x, y in zip(a, b, strict=True)]), _rho(a, b),
        *(f(both, label) - (f(a, label) + f(b, label)) / 2 for f in (_accuracy, _loss))))
  for x, y in zip(found, np.array(expected).T, strict=True):
    np.testing.assert_allclose(x, y, atol=2e-6)


def test_models_of_language_against_brute_force():
  logits, label = _logits(4), np.random.default_rng(1).integers(0, 5, 60)
  found = agreement.of_tokens(agreement.Models(logits), label, resamples=50)
  own = [np.exp(_loss(one, label)) for one in logits]
  deltas, apart = [], []
  for i, j in itertools.combinations(range(4), 2):
    both = np.exp(_loss((logits[i] + logits[j]) / 2, label))
    deltas.append(both - (own[i] + own[j]) / 2)
    apart.append(np.mean(logits[i].argmax(1) != logits[j].argmax(1)))
  assert found.pop('perplexity_sd_error') > 0
  assert found == pytest.approx({
      'models': 4, 'tokens': 60, 'perplexity': np.mean(own), 'perplexity_sd': np.std(own),
      'disagreement': np.mean(apart), 'perplexity_delta': np.mean(deltas)}, rel=1e-6)
  assert found['perplexity_delta'] < 0


def test_identical_models_differ_in_nothing():
  logits = np.repeat(_logits(1), 4, axis=0)
  row = agreement.summary(agreement.Models(logits), np.zeros(60, int), resamples=20)
  assert row['correlation'] == pytest.approx(1, abs=1e-12) and row['models'] == 4
  for name in ('disagreement', 'top1_delta', 'loss_delta', 'top1_sd', 'loss_sd', 'top1_sd_error'):
    assert row[name] == 0, name


def test_independent_models_disagree_as_chance_has_it():
  """Of 4 classes 3 in 4 answers differ, logits are uncorrelated, and two guessers stay guessers."""
  rng = np.random.default_rng(0)
  logits, label = np.float32(rng.normal(size=(12, 4000, 4))), rng.integers(0, 4, 4000)
  row = agreement.summary(agreement.Models(logits), label, resamples=200)
  assert row['disagreement'] == pytest.approx(0.75, abs=0.004)
  assert abs(row['correlation']) < 0.003 and abs(row['top1_delta']) < 0.005
  assert row['top1'] == pytest.approx(0.25, abs=0.006)
  # Of a share p of N examples.
  assert row['top1_sd'] == pytest.approx((0.25 * 0.75 / 4000) ** 0.5, rel=0.6)
  # The mean of two logits of variance 1 has variance 1/2; E log sum exp falls with it.
  spread = lambda scale: np.log(np.exp(scale * rng.normal(size=(200_000, 4))).sum(1)).mean()
  assert row['loss_delta'] == pytest.approx(spread(0.5 ** 0.5) - spread(1.0), abs=0.01)


def test_ranks_are_scipys_with_zero_mean_and_unit_norm():
  values = np.random.default_rng(0).integers(-3, 3, 50).astype(np.float32)
  found, expected = agreement.ranks(values), stats.rankdata(values)
  expected -= expected.mean()
  np.testing.assert_allclose(found, expected / np.linalg.norm(expected), atol=1e-15)
  np.testing.assert_allclose(
      agreement.ranks(np.float32([3, 1, 2])), np.array([1, -1, 0]) / 2 ** 0.5)
  assert np.isnan(agreement.ranks(np.ones(4))).all()


def test_the_bootstraps_error_is_that_of_normal_values():
  """sigma over the root of 2 R: 0.018 of 0.26 at R = 100 (P83); the same draws again."""
  errors = []
  for seed in range(20):
    values = np.random.default_rng(seed).normal(0.9, 0.26, 100)
    sd, error = agreement.deviation(values, resamples=2000)
    assert sd == values.std(ddof=0)
    errors.append(error / sd)
  assert np.mean(errors) == pytest.approx(1 / 200 ** 0.5, rel=0.05)
  assert agreement.deviation(values, resamples=2000) == (sd, error)
  assert agreement.deviation(values, resamples=2000, seed=2)[1] == pytest.approx(error, rel=0.1)
  assert agreement.deviation([5.0, 5.0]) == (0, 0)


def test_ensembles_are_of_disjoint_models_and_average_logits():
  logits = np.float32([[[4, 3, 0]], [[0, 1.5, 4]], [[9, 9, 9]]])
  models = agreement.Models(logits, 2)
  assert len(models) == 1
  np.testing.assert_array_equal(models[0], [[2, 2.25, 2]])
  # Probabilities would say another class (P84).
  softmax = np.exp(logits[:2]) / np.exp(logits[:2]).sum(-1, keepdims=True)
  assert models[0].argmax() == 1 and softmax.mean(0).argmax() == 2
  assert [len(agreement.Models(np.zeros((20, 1, 2)), n)) for n in (2, 3, 4, 5)] == [10, 6, 5, 4]
  with pytest.raises(IndexError):
    models[1]


def _row(top1_sd, loss_sd, disagreement, correlation, top1_delta):
  return {'top1_sd': top1_sd, 'loss_sd': loss_sd, 'disagreement': disagreement,
          'correlation': correlation, 'top1_delta': top1_delta}


@pytest.mark.parametrize('row, printed', [
    ((.19, .0044, 6.9, .929, .89), 39.5), ((.15, .0033, 5.5, .951, .59), 54.9),
    ((.17, .0030, 4.6, .963, .43), 59.5), ((.12, .0028, 4.1, .970, .34), 66.9),
    ((.19, .0044, 6.1, .957, .63), 48.2), ((.24, .0061, 8.2, .905, 1.20), 21.4),
    ((.19, .0049, 6.9, .922, .92), 36.7), ((.15, .0039, 5.0, .967, .45), 58.2),
    ((.16, .0033, 4.6, .972, .38), 61.4)])
def test_the_reductions_of_table_5_5(row, printed):
  single = _row(.26, .0072, 10.7, .871, 1.82)
  assert 100 * agreement.reduction(_row(*row), single) == pytest.approx(printed, abs=0.06)
  assert agreement.reduction(single, single) == 0
  assert np.isnan(agreement.reduction(single, _row(0, .0072, 10.7, .871, 1.82)))


def test_memory_beside_the_logits_does_not_grow_with_the_models():
  """Blocks of two models; twice the models take as much but for their R^2 numbers."""
  label, peaks = np.zeros(400, int), []
  for count in (6, 12):
    logits = _logits(count, 400)
    tracemalloc.start()
    agreement.pairwise(agreement.Models(logits), label, 2 * 400 * 5 * 12)
    peaks.append(tracemalloc.get_traced_memory()[1])
    tracemalloc.stop()
  assert peaks[1] < 1.15 * peaks[0]


def test_the_error_of_a_mean_over_pairs_is_that_of_its_models():
  own = np.random.default_rng(3).normal(size=7)
  i, j = np.triu_indices(7, 1)
  # Twice the mean of the models' own numbers.
  assert agreement.pairs_error(own[i] + own[j], 7) == pytest.approx(2 * own.std(ddof=1) / 7 ** 0.5)
  assert np.isnan(agreement.pairs_error(np.ones(1), 2))
