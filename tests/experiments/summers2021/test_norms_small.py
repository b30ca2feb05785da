"""The miniature of chapter 4: its cells, and its claims in worlds where they are true and false."""

import pytest

from experiments.summers2021 import norms_small
from experiments.summers2021 import norms_small_claims
from experiments.summers2021 import norms_small_report
from nfnets_am.config import cells as cells_lib
from nfnets_am.config import derived as derived_lib
from nfnets_am.config import schema
from nfnets_am.core import errors
from nfnets_am.models import norms
from nfnets_am.optim import penalties
from nfnets_am.sweeps import experiment_file
from nfnets_am.sweeps import paper
from nfnets_am.training import sections
from tests import made_up

_PATH = 'experiments/summers2021/norms_small.py'


def _config(cell):
  return sections.complete(experiment_file.get_config(f'{_PATH}:{cell}'))


@pytest.mark.parametrize('scale, runs', [('small', 90), ('smoke', 34)])
def test_every_cell_is_a_run_of_its_own_whose_norm_fits_its_batch(scale, runs):
  sweep = experiment_file.get_sweep(_PATH, scale)
  assert len({run.name for run in experiment_file.get_runs(_PATH, sweep)}) == runs
  for cell in {cells_lib.cell_name({**cell, 'seed': 0}) for cell in sweep.cells}:
    config = _config(cell)
    schema.validate(config)
    penalties.parse(config.penalty)
    rows = getattr(norms.parse(config.model.norm), 'rows', None) or config.views
    assert config.views % rows == 0


@pytest.mark.parametrize('batch, decay, updates', [
    (1, '0.9992188', 15_000), (2, '0.9984375', 7_500), (128, '0.9', 117)])
def test_batches_of_all_sizes_see_as_many_images_and_remember_as_many(batch, decay, updates):
  config = _config(f'batch={batch},peak=0.8')
  assert config.model.norm == f"batch(decay={decay}, variance='squares')"
  assert (1 - float(decay)) * 1280 == pytest.approx(batch, rel=1e-3)
  assert derived_lib.derive(config, train_images=500).updates == updates
  assert config.schedule.peak == pytest.approx(0.8 * batch / 128)


def test_what_a_cell_cannot_be_is_refused():
  for cell, words in (('scale=tiny', 'scale=tiny'), ('decay=to_two', "decay='to_two'; allowed"),
                      ('norm=gost', 'did you mean')):
    with pytest.raises(errors.ConfigError, match=words):
      _config(cell)


# Accuracies, what the best alpha adds to them, and that alpha; of what is not here 70, 1 and 0.1.
_TRUE = {
    'batch': (70, 2, 0.1), 'group': (68, 3, 0.9), 'ghost/2': (66, 6, 0.5), 'ghost/4': (71, 1, 0.2),
    'ghost/8': (74, 1, 0.1), 'ghost/32': (72, 1, 0.05), 'to_one': (72, 1, 0.1),
    'to_zero': (72, 1, 0.1), 'small batch': (60, 1, 0.1), 'two': (75, 1, 0.1), 'ours': (80, 1, 0.1),
    'few batch': (40, 20, 0.5), 'few renorm': (66, 0, 0.0), 'few ghost': (66, 3, 0.2),
    'few union': (75, 1, 0.1), 'union': (75, 1, 0.1)}
_FALSE = {
    'batch': (75, -3, 0.1), 'group': (74, -3, 0.9), 'ghost/2': (70, -6, 0.02),
    'ghost/4': (66, 1, 0.2), 'ghost/8': (66, 1, 0.1), 'ghost/32': (67, 3, 0.5),
    'to_one': (72, 1, 0.1), 'to_zero': (62, 1, 0.1), 'small batch': (80, 1, 0.1),
    'two': (60, 1, 0.1), 'ours': (60, 1, 0.1), 'few batch': (60, 3, 0.5),
    'few renorm': (66, 5, 0.1), 'few ghost': (50, 3, 0.2), 'few union': (40, 1, 0.1),
    'union': (60, 1, 0.1)}


def _kind(cell):
  if cell['classes']:
    return 'few ' + {'batch_group': 'union'}.get(cell['norm'], cell['norm'])
  if cell['decay'] != 'none':
    return cell['decay'] if cell['norm'] == 'batch' else 'ours'
  if cell['norm'] == 'batch_group':
    return 'two' if cell['batch'] == 2 else 'union'
  if cell['norm'] == 'ghost':
    return f'ghost/{cell["size"]}'
  return 'small batch' if cell['norm'] == 'batch' and cell['batch'] < 128 else cell['norm']


def _results(world):
  def value(cell, metric):
    base, gain, best = world.get(_kind(cell), (70, 0, 0.0))
    split, _, key = metric.partition('/')
    name, _, alpha = key.partition('@')
    off = 1.0 if cell['norm'] == 'group' else 0.0
    if alpha and float(alpha) != off:
      # Validation images find the best alpha, whatever test images then say.
      found = abs(gain) if split == 'weighed_validation' else gain
      base += found if float(alpha) == best else (min(gain, 0) - 9) * bool(world)
    return base if name == 'top1' else 2 - base / 100
  return made_up.results(norms_small.get_sweep(), value)


def _outcomes(world):
  results = _results(world)
  return {claim.text: claim.check(results).outcome for claim in results.sweep.claims}


def test_claims_hold_and_do_not_hold_where_they_should():
  assert set(_outcomes(_TRUE).values()) == {paper.HOLDS}
  assert set(_outcomes(_FALSE).values()) == {paper.FAILS}


def test_where_nothing_differs_only_what_says_so_holds():
  found = _outcomes({})
  same = [text for text, outcome in found.items() if outcome == paper.HOLDS]
  assert [text.split()[:3] for text in same] == [
      ['It', 'does', 'not'], ['It', 'has', 'practically'], ['Batches', 'of', 'four']]
  assert [text.split()[:5] for text, outcome in found.items() if outcome == paper.FAILS] == [
      ['With', 'batches', 'of', 'four', 'classes']]


def test_the_page_has_every_claim_cell_and_the_bound(tmp_path):
  results = _results(_TRUE)
  bound = [{'values': 32, 'bound': -5.568, 'worst': -5.568, 'normal': -3.5, 'inference': -10.5}]
  page = norms_small_report.page(results, bound, tmp_path, tmp_path / 'here', 'small')
  assert f'In all: {len(results.sweep.claims)} holds.' in page and 'All 90 runs finished.' in page
  assert '| 32 | -5.568 | -5.568 | -3.500 | -10.500 |' in page
  row = next(line for line in page.splitlines() if line.startswith('| ghost | 128 | 2 | none | 0'))
  assert '| 72.00% | 0.5 | 3/3 | finished |' in row
  norms_small_report.draw(results, bound, tmp_path / 'picture.png')
  assert (tmp_path / 'picture.png').stat().st_size > 10_000
  assert len(norms_small_claims.CELLS) == 28
