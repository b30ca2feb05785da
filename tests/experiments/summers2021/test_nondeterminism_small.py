"""The miniature of chapter 5: its cells, and what its measures and verdicts say of made-up runs."""

import collections
import math

import numpy as np
import pytest

from experiments.summers2021 import nondeterminism_small as small
from experiments.summers2021 import nondeterminism_small_measures as measures
from experiments.summers2021 import nondeterminism_small_report as report
from nfnets_am.analysis import agreement
from nfnets_am.config import derived as derived_lib
from nfnets_am.config import seeds
from nfnets_am.sweeps import experiment_file
from nfnets_am.training import sections
from tests import commands

_PATH = commands.ROOT / 'experiments' / 'summers2021' / 'nondeterminism_small.py'


def _config(cell):
  return sections.complete(experiment_file.get_config(f'{_PATH}:{cell}'))


def test_every_kind_has_twenty_runs_that_are_all_different():
  sweep = experiment_file.get_sweep(_PATH)
  counts = collections.Counter(
      (cell['source'], cell['cycles'], cell['onset']) for cell in sweep.cells if cell['seed'])
  assert len(counts) == 5 + 1 + 5 and set(counts.values()) == {20}
  assert [cell['peak'] for cell in sweep.cells if not cell['seed']] == list(small.PEAKS)
  assert small.PEAK in small.PEAKS[1:-1]
  assert len({run.name for run in experiment_file.get_runs(_PATH, sweep)}) == len(sweep.cells)


def test_an_onset_is_the_deterministic_run_until_its_pass():
  config = _config('source=augment,onset=16,seed=3')
  found = seeds.of(config)
  assert [(found.at(name, 15), found.at(name, 16)) for name in ('shuffle', 'augment', 'noise')] == [
      (0, 0), (0, 3), (0, 0)]
  assert found.init == 0
  derived = derived_lib.derive(config, train_images=256)
  assert (derived.updates_per_pass, derived.updates) == (16, small.PASSES * 16)
  # From the first pass on it is the run of that source.
  assert seeds.of(_config('source=augment,seed=3')).at('augment', 0) == 3


def _runs(count, noise, seed=0):
  """Logits of models that share their means, [R, N, K], and labels."""
  rng = np.random.default_rng(seed)
  label = rng.integers(0, 5, 300)
  mean = 2 * np.eye(5)[label] + rng.normal(size=(300, 5))
  return (mean + noise * rng.normal(size=(count, 300, 5))).astype(np.float32), label


def test_the_five_are_those_of_the_measure_agreement_and_their_errors_the_jackknife():
  logits, label = _runs(6, 1.0)
  one = measures.sample(logits, label)
  expected = agreement.summary(agreement.Models(logits), label, resamples=2)
  five = [expected[name] if name != 'correlation' else 1 - expected[name]
          for name in measures.MEASURES]
  np.testing.assert_allclose(one.five(), five, rtol=1e-12)
  # Leaving a run out is measuring the others.
  left = np.array([measures.sample(np.delete(logits, i, 0), label).five() for i in range(6)])
  np.testing.assert_allclose(one.five(2), left[2], rtol=1e-12)
  np.testing.assert_allclose([found.error for found in measures.five(one)],
                             np.sqrt(5 * left.var(0)), rtol=1e-9)


def test_the_error_of_a_mean_is_its_closed_form():
  values = np.array([1.0, 4.0, 2.0, 9.0])
  error = measures.jackknife(
      lambda i: values.mean() if i is None else np.delete(values, i).mean(), 4)
  assert error == pytest.approx(values.std(ddof=1) / 2)


def test_verdicts_need_two_errors():
  assert [measures.Value(x, 0.2).over(0) for x in (0.5, 0.3, -0.5)] == [
      measures.HOLDS, measures.UNKNOWN, measures.FAILS]
  assert [measures.Value(x, 0.1).within(0.69) for x in (-0.2, 0.6, -1.2)] == [
      measures.HOLDS, measures.UNKNOWN, measures.FAILS]


def test_what_does_not_vary_at_all_does_not_do_as_much():
  logits, label = _runs(4, 1.0)
  alike = measures.sample(np.repeat(logits[:1], 4, 0), label)
  found = measures.log_ratios(alike, measures.sample(logits, label))
  assert [found[i].within(math.log(2)) for i in (0, 1, 2)] == [measures.FAILS] * 3


def test_a_made_up_world_is_judged_as_it_was_made():
  """One bit does nearly nothing, onsets fall, and ensembles of two halve the noise's variance."""
  of = lambda noise, seed, size=1: measures.sample(*_runs(20, noise, seed), size)
  sources = {'init': of(1.0, 0), 'all': of(1.0, 1), 'bit': of(0.05, 2)}
  onsets = {0: of(1.0, 3), 2: of(0.95, 4), 19: of(0.1, 5)}
  reducing = {'ensembles of 2': measures.sample(*_runs(20, 1.0, 1), 2),
              'the mirror image': measures.sample(*_runs(20, 1.0, 6))}
  reduced = {name: measures.reduction(one, sources['all'], paired=False)
             for name, one in reducing.items()}
  assert 0.15 < reduced['ensembles of 2'].value < 0.55
  rows = measures.claims(sources, onsets, reduced)
  verdicts = collections.defaultdict(set)
  for claim, what, number, verdict in rows:
    verdicts[claim.split()[0], what.split(':')[0]].add(verdict)
    assert '±' in number
  for measure in ('disagreement', 'correlation'):
    assert verdicts['Each', measure] == {measures.HOLDS}
    assert verdicts['One', measure] == {measures.FAILS}
    assert verdicts['Variability', measure] == verdicts['The', measure] == {measures.HOLDS}
  assert verdicts['Ensembles,', 'ensembles of 2'] == {measures.HOLDS}
  assert verdicts['Ensembles,', 'the mirror image'] == {measures.UNKNOWN}
  text = '\n'.join(report.page(sources, onsets, reducing))
  # The thesis' numbers stand beside ours: table 5.1, all sources, and 39% of two models.
  assert '(0.26)' in text and '(10.7)' in text and '(39%)' in text
  assert math.isclose(sum(row[-1] == measures.HOLDS for row in rows),
                      int(text.split(' holds')[0].split()[-1].strip(',')))
