"""Tables 3.2, 3.4 and 3.6, figures 3.1 and 3.2, section 3.4: cells, folders, made-up worlds."""

import dataclasses

import numpy as np
import pytest

from experiments.summers2021 import robust
from nfnets_am import analysis
from nfnets_am.analysis import logits as logits_lib
from nfnets_am.core import calls
from nfnets_am.core import errors
from nfnets_am.evaluation import predictions
from nfnets_am.sweeps import experiment_file
from nfnets_am.sweeps import paper
from nfnets_am.training import sections
from tests import made_up

_FOLDER = 'experiments/summers2021'
# Runs that train, cells that measure them, printed numbers.
_SIZES = {'table3_2': (10, 5, 25), 'table3_4': (10, 5, 25), 'table3_6': (6, 11, 16),
          'figure3_1': (14, 4, 2), 'figure3_2': (14, 8, 4), 'section3_4': (5, 0, 6)}


def _sweep(name, scale='full'):
  return experiment_file.get_sweep(f'{_FOLDER}/{name}.py', scale)


def _runs(name, scale='full'):
  return experiment_file.get_runs(f'{_FOLDER}/{name}.py', _sweep(name, scale))


@pytest.mark.parametrize('scale', ['full', 'smoke'])
def test_cells_that_measure_name_runs_of_their_sweep(scale):
  trained = {}
  for name, (training, measuring, numbers) in _SIZES.items():
    sweep, runs = _sweep(name, scale), _runs(name, scale)
    own = {run.name: run for run in runs if not run.config.measure}
    assert (len(own), len(runs) - len(own), len(sweep.numbers)) == (training, measuring, numbers)
    trained[name] = set(own)
    for run in runs:
      for call, keys in calls.calls(run.config.measure) if run.config.measure else ():
        analysis.MEASURES.make(call, **keys)
        target = keys.get('target', ())
        named = [keys.get('run', keys.get('source')), *(
            target.values() if isinstance(target, dict) else [target] if target else [])]
        assert all(folder in own for folder in named)
        assert own[named[0]].config.seed == run.cell['seed'] or call == 'black_box'
        if call == 'black_box':
          assert {own[folder].config.seed for folder in named[1:]} == {0}
          assert own[named[0]].config.seed == 1
        elif call == 'logits':
          assert own[named[0]].config.evals[keys.get('evaluation', 'test')].keep
    for number in sweep.numbers:
      assert any(paper.matches(cell, number.cell) for cell in sweep.cells), number
  # What Table 3.1 has trained is not trained again.
  first = {run.name for run in _runs('table3_1', scale)}
  for name, shared in (('table3_2', 5), ('table3_6', 5), ('figure3_1', 2), ('figure3_2', 2),
                       ('section3_4', 3)):
    assert len(first & trained[name]) == shared
  assert trained['table3_6'] <= trained['table3_2']


def test_squeezing_smoothing_and_decoupled_pairing_are_said_as_keys():
  of = lambda name, cell: sections.complete(
      experiment_file.get_config(f'{_FOLDER}/{name}.py:{cell}')).objective
  assert of('figure3_1', 'method=alp,squeezing=0.01').squeezing == 0.01
  assert of('figure3_2', 'smoothing=0.3').label_smoothing == 0.3
  assert of('figure3_2', 'smoothing=0.3').spread == 'others'
  alone = of('section3_4', 'method=decoupled')
  assert (alone.label_smoothing, alone.pairing) == (
      0.0, "decoupled(ratio=0.125, beta=0.001, to='adversarial')")
  assert of('section3_4', 'method=mixup').name == 'cross_entropy'
  for name, cell, words in (('figure3_2', 'logits=all', "logits='all'; allowed: '', 'test'"),
                            ('table3_6', 'attack=cw', "attack='cw'; allowed: '', 'pgd1000'"),
                            ('section3_4', 'method=lmr', "method='lmr'")):
    with pytest.raises(errors.ConfigError, match=words):
      of(name, cell)


def _outcomes(name, value):
  results = made_up.results(_sweep(name), value)
  # Every split has the images of CIFAR-10.
  cells = tuple(dataclasses.replace(cell, summaries={
      metric: dataclasses.replace(one, examples=10_000)
      for metric, one in cell.summaries.items()}) for cell in results.cells)
  results = dataclasses.replace(results, cells=cells)
  return [claim.check(results).outcome for claim in results.sweep.claims]


_BLACK = {'regular': (27, 32, 78, 73, 67), 'label_smoothing': (67, 68, 80, 74, 68),
          'pgd': (70, 69, 61, 57, 52), 'alp': (69, 69, 61, 56, 51), 'lrm': (71, 71, 61, 56, 50)}
_CIFAR100 = {**dict.fromkeys(robust.ROBUST, (37, 34, 33, 32, 31)),
             **dict.fromkeys(('regular', 'label_smoothing'), (33, 32, 50, 45, 44))}


def _black(table, add=0.0, sign=1):
  def value(cell, metric):
    target = metric.removeprefix('black_box_').removesuffix('/top1')
    return add + sign * table[target][robust.METHODS.index(cell['method'])]
  return value


def _strong(pgd1000, spsa):
  weak = {'regular': 0, 'label_smoothing': 34.4, 'pgd': 45.3, 'alp': 48.5, 'lrm': 51}
  def value(cell, metric):
    if metric == 'pgd20/top1':
      return weak[cell['method']]
    return {'spsa': spsa, 'pgd1000': pgd1000}.get(cell['attack'], {}).get(cell['method'], 5)
  return value


def _squeezed(pgd, alp, variance):
  def value(cell, metric):
    if metric.startswith('logits'):
      return variance[cell['method']]
    best, plain = {'pgd': pgd, 'alp': alp}[cell['method']]
    return plain if not cell['squeezing'] else best - 4 * (cell['squeezing'] != 0.01)
  return value


def _smoothed(fgsm, pgd10, clean, spans):
  def value(cell, metric):
    s = cell['smoothing']
    of = lambda pair: pair[0] if not s else pair[1]
    return {'fgsm/top1': of(fgsm), 'test/top1': of(clean), 'logits/range': of(spans),
            'pgd10/top1': pgd10[(s > 0) + (s > 0.01)]}.get(metric, 1)
  return value


def _by_method(rows):
  return lambda cell, metric: dict(zip(
      ('fgsm/top1', 'pgd10/top1'), rows[cell['method']], strict=True)).get(metric, 50)


_EVEN = dict.fromkeys(robust.METHODS, (60,) * 5)
# Experiment -> worlds with the verdicts of its claims, in order: true, false, undecided.
_H, _F, _O = paper.HOLDS, paper.FAILS, paper.OPEN
_WORLDS = {
    'table3_2': [(_black(_BLACK), [_H] * 4), (_black(_BLACK, 100, -1), [_F] * 4),
                 (_black(_EVEN), [_O, _O, _F, _O])],
    'table3_4': [(_black(_CIFAR100), [_H]), (_black(_CIFAR100, 100, -1), [_F]),
                 (_black(_EVEN), [_O])],
    'table3_6': [
        (_strong({'label_smoothing': 7.2, 'pgd': 45.2, 'alp': 48.3, 'lrm': 51.1},
                 {'pgd': 45.4, 'alp': 47.9, 'lrm': 49.9}), [_H] * 3),
        (_strong({'label_smoothing': 34, 'pgd': 20, 'alp': 20, 'lrm': 20},
                 {'pgd': 45.4, 'alp': 40, 'lrm': 40}), [_F] * 3),
        (_strong({'label_smoothing': 14.4, 'pgd': 43.3, 'alp': 46.5, 'lrm': 49},
                 {'pgd': 45.4, 'alp': 45.4, 'lrm': 45.4}), [_O] * 3)],
    'figure3_1': [
        (_squeezed((50, 45), (48, 52), {'pgd': 8.31, 'alp': 4.02}), [_H] * 4),
        (_squeezed((40, 45), (56.5, 52), {'pgd': 4, 'alp': 8}), [_F] * 4),
        (_squeezed((45, 45), (45, 45), {'pgd': 8, 'alp': 8}), [_O] * 4)],
    'figure3_2': [
        (_smoothed((6.1, 38.3), (1, 5, 45), (87, 87.9), (20, 1.2)), [_H] * 5),
        (_smoothed((6.1, 10), (1, 25, 30), (87, 80), (20, 8)), [_F] * 5),
        (_smoothed((6.1, 26.1), (19.5, 29.5, 39.5), (87, 86), (20, 4)), [_O] * 5)],
    'section3_4': [
        (_by_method({'regular': (6.1, 0.2), 'mixup': (30.8, 0.3), 'pgd': (1, 46), 'alp': (1, 48),
                     'decoupled': (1, 52)}), [_H] * 4),
        (_by_method({'regular': (30, 0), 'mixup': (6, 9), 'pgd': (1, 52), 'alp': (1, 50),
                     'decoupled': (1, 46)}), [_F] * 4),
        (_by_method({'regular': (30, 40), 'mixup': (30, 41), 'pgd': (1, 50), 'alp': (1, 50),
                     'decoupled': (1, 50)}), [_O] * 4)],
}


@pytest.mark.parametrize('name', _WORLDS)
def test_claims_in_made_up_worlds(name):
  for value, expected in _WORLDS[name]:
    assert _outcomes(name, value) == expected


def test_logits_of_a_run_are_measured_without_their_outermost(tmp_path, monkeypatch):
  values = np.concatenate([np.linspace(-1, 1, 99_990), [50] * 5, [-70] * 5]).reshape(-1, 10)
  predictions.write(tmp_path / 'run' / 'predictions' / 'pgd10.npz', {
      'logits': np.float32(values), 'label': np.zeros(len(values))})
  monkeypatch.setattr(logits_lib.measures, 'finished', lambda what, folder: None)
  found, files = analysis.MEASURES.make('logits', run='run', evaluation='pgd10')(
      None, predictions.epath.Path(tmp_path / 'cell'))
  assert not files and set(found) == {'logits'}
  assert found['logits']['variance'] == pytest.approx(values.var(), rel=1e-5)
  assert found['logits']['range'] == pytest.approx(1.996, abs=1e-3)
  assert found['logits']['images'] == len(values)
