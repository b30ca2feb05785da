"""The miniature of chapter 3: its cells, its claims in made-up worlds, and its page."""

import json

import numpy as np
import pytest

from experiments.summers2021 import robust_small
from experiments.summers2021 import robust_small_claims
from experiments.summers2021 import robust_small_logits
from nfnets_am import objectives
from nfnets_am.config import derived as derived_lib
from nfnets_am.core import calls
from nfnets_am.core import errors
from nfnets_am.evaluation import predictions
from nfnets_am.sweeps import experiment_file
from nfnets_am.sweeps import paper
from tests import commands
from tests import made_up

_FILE = commands.ROOT / 'experiments' / 'summers2021' / 'robust_small.py'
_METHODS = robust_small_claims.METHODS


def test_cells_and_the_folders_that_black_boxes_name():
  sweep = experiment_file.get_sweep(_FILE)
  runs = experiment_file.get_runs(_FILE, sweep)
  assert len({run.name for run in runs}) == len(runs) == 3 * (5 + 5 + 5)
  trained = {run.name: run.cell for run in runs if not run.cell['black_box']}
  boxes = [run for run in runs if run.cell['black_box']]
  assert len(boxes) == 15
  for run in boxes:
    ((_, keys),) = calls.calls(run.config.measure)
    assert trained[keys['source']] == {**run.cell, 'black_box': 0}
    assert [trained[folder] for folder in keys['target'].values()] == [
        {'method': method, 'black_box': 0, 'seed': (run.cell['seed'] + 1) % 3}
        for method in _METHODS]


@pytest.mark.parametrize('scale', ['small', 'smoke'])
def test_every_method_is_an_objective_and_clean_ones_train_twice_as_long(scale):
  updates = {}
  for method in robust_small._OBJECTIVES:
    config = experiment_file.get_config(f'{_FILE}:method={method},scale={scale}')
    keys = config.objective.to_dict()
    objectives.OBJECTIVES.make(keys.pop('name'), **keys)
    updates[method] = derived_lib.derive(config, train_images=config.data.train_images).updates
    assert ('mix' in config.data.augment) == (method in ('lrm', 'mixup'))
  assert {method for method in updates if updates[method] == 2 * updates['pgd']} == {
      'regular', 'label_smoothing', 'smoothing_01', 'mixup'}
  with pytest.raises(errors.ConfigError, match="method='lmr'; allowed: regular"):
    experiment_file.get_config(f'{_FILE}:method=lmr')


# Accuracies as in the thesis' tables: of each method clean, under FGSM and PGD-5, 10, 20.
_WORLD = {
    'regular': (87.4, 6.1, 0, 0, 0), 'label_smoothing': (88.0, 54.7, 49.4, 45, 34.4),
    'pgd': (75.8, 50.5, 51, 46.1, 45.3), 'alp': (70, 52.6, 55, 52, 51.5),
    'lrm': (66, 58, 60, 58, 57), 'smoothing_01': (87, 38.3, 0, 0, 0),
    'mixup': (87, 30.8, 0.5, 0, 0), 'decoupled': (70, 0, 0, 58, 0),
    'squeezed': (70, 0, 0, 52, 0), 'alp_squeezed': (70, 0, 0, 46, 0)}
_ATTACKS = ('test', 'fgsm', 'pgd5', 'pgd10', 'pgd20')
# Target -> accuracy at each source.
_BLACK = {'regular': (27, 32, 75, 73, 67), 'label_smoothing': (67, 67, 76, 74, 68),
          'pgd': (70, 69, 61, 57, 52), 'alp': (69, 69, 61, 56, 52), 'lrm': (71, 71, 61, 56, 51)}


def _results(world=_WORLD, black=_BLACK):
  def value(cell, metric):
    split = metric.partition('/')[0]
    if cell['black_box']:
      target = split.removeprefix('black_box_')
      return black[target][_METHODS.index(cell['method'])] if target in black else 0
    row = world.get(cell['method'])
    return row and (row[_ATTACKS.index(split)] if split in _ATTACKS else 0)

  return made_up.results(experiment_file.get_sweep(_FILE), value)


def _outcomes(results):
  return {claim.text: claim.check(results).outcome for claim in results.sweep.claims}


def test_claims_hold_in_a_world_like_the_thesis_and_not_in_its_mirror():
  assert set(_outcomes(_results()).values()) == {paper.HOLDS}
  mirror = {method: tuple(90 - x for x in row) for method, row in _WORLD.items()}
  black = {target: tuple(90 - x for x in row) for target, row in _BLACK.items()}
  found = _outcomes(_results(mirror, black))
  undecided = [text for text, outcome in found.items() if outcome != paper.FAILS]
  # What allows for a point or five is true of the better one, too.
  assert all('nearly' in text or 'at most' in text or 'worst for it' in text for text in undecided)


def test_equal_networks_decide_nothing():
  equal = dict.fromkeys(_WORLD, (60,) * 5)
  found = _outcomes(_results(equal, dict.fromkeys(_BLACK, (60,) * 5)))
  for text, outcome in found.items():
    assert outcome == paper.OPEN or 'within' in text or 'at most' in text, text


def _kept(hits, classes=4):
  label = np.arange(len(hits)) % classes
  logits = np.eye(classes)[np.where(hits, label, (label + 1) % classes)]
  return {'label': label, 'logits': np.float32(logits)}


def test_attacks_are_held_against_each_other_image_by_image():
  weak = [_kept([1] * 60 + [0] * 40), _kept([1] * 40 + [0] * 60)]
  # Of the first 50 images the strong attack finds 10 of the first network's, and none of the other.
  strong = [_kept([0] * 10 + [1] * 40), _kept([1] * 40 + [0] * 10)]
  found = robust_small_logits.hold(strong, weak)
  gaps = np.array([0.5] * 10 + [0.0] * 40)
  assert (found.images, found.networks) == (50, 2)
  assert (found.weak, found.strong) == pytest.approx((0.9, 0.8))
  assert found.difference.value == pytest.approx(gaps.mean())
  assert found.error == pytest.approx(gaps.std() / 50 ** 0.5)
  assert found.difference.side == 1 and robust_small_logits.hold(weak, strong).difference.side == -1
  assert robust_small_logits.hold([], weak) is None
  other = {**strong[0], 'label': strong[0]['label'] + 1}
  with pytest.raises(errors.UserError, match='different images'):
    robust_small_logits.hold([other], weak[:1])


@pytest.mark.slow
def test_the_page_says_what_was_run_and_what_was_not(tmp_path):
  workdir, out = tmp_path / 'runs', tmp_path / 'out'
  sweep = experiment_file.get_sweep(_FILE, 'smoke')
  runs = experiment_file.get_runs(_FILE, sweep)
  for run in runs[:-1]:
    folder = workdir / run.name
    folder.mkdir(parents=True)
    (folder / 'status.json').write_text(json.dumps({'status': 'finished', 'updates': 4}))
    (folder / 'config.json').write_text(json.dumps(run.flat))
    (folder / 'run.json').write_text(json.dumps({
        'derived': {'views': 16, 'updates': 4}, 'starts': [{'commit': 'abcdef0123456789'}]}))
    splits = [f'black_box_{method}' for method in _METHODS] if run.cell['black_box'] else list(
        run.config.evals)
    (folder / 'metrics.jsonl').write_text(''.join(json.dumps(
        {'update': 4, 'epochs': 1.0, 'split': split, 'images': 16, 'loss': 0.5, 'top1': 0.375})
        + '\n' for split in splits))
    if not run.cell['black_box']:
      for name, part in run.config.evals.items():
        if part.keep:
          predictions.write(folder / 'predictions' / f'{name}.npz', _kept([1] * 6 + [0] * 10))
  done = commands.run('experiments.summers2021.robust_small_report', f'--workdir={workdir}',
                      f'--out={out}', '--scale=smoke')
  assert done.returncode == 0, done.stderr
  page = (out / 'summers2021_robust_small.md').read_text()
  assert f'{len(runs) - 1} of {len(runs)} runs are finished' in page and '`abcdef0123`' in page
  assert '| regular | 37.50% ± 0.00% |' in page
  assert '| lrm | SPSA | 16 x 2 | 37.50% | 37.50% | +0.00 | 0.00 | not weaker |' in page
  assert 'smoke runs' in page
  assert len((out / 'summers2021_robust_small.csv').read_text().splitlines()) == 1 + len(runs)
  assert (out / 'summers2021_robust_small.png').stat().st_size > 10_000
