"""Figure 4(b) on Fashion-MNIST: equal updates, what is claimed in made-up worlds, and its page."""

import json

import pytest

from nfnets_am.config import cells as cells_lib
from nfnets_am.config import derived as derived_lib
from nfnets_am.config import schema
from nfnets_am.data import known
from nfnets_am.sweeps import experiment_file
from nfnets_am.training import sections
from tests import commands
from tests import made_up
from tests.experiments.fort2021 import sentences
from tests.experiments.fort2021 import worlds

_NAME = 'figure4b_fashion'
_PATH = made_up.FORT / f'{_NAME}.py'


def _config(cell):
  return experiment_file.get_config(f'{_PATH}:{cells_lib.cell_name(cell)}')


@pytest.mark.parametrize('scale, images', [('full', 60_000), ('validation', 55_000)])
def test_all_images_are_trained_on_for_equal_updates_of_the_same_batch(scale, images):
  cells = experiment_file.get_sweep(_PATH, scale).cells
  assert len({cells_lib.cell_name(cell) for cell in cells}) == len(cells) == 81
  found = {}
  for cell in cells:
    if cell['seed'] == 0 and cell['peak'] == 0.0625:
      config = _config(cell)
      sections.complete(config)
      schema.validate(config)
      facts = known.training_set(config.data)
      assert (facts.train_images, facts.image_shape) == (images, (28, 28, 1))
      derived = derived_lib.derive(config, train_images=facts.train_images)
      assert derived.updates == cell['updates'] and derived.views == 1024
      assert derived.scheme == 'fixed' and derived.unique == 1024 // cell['multiplicity']
      # It can be stopped at any time, and loses little when it is killed.
      assert derived.checkpoint_every <= derived.updates / 20 + 1
      found[cell['multiplicity'], cell['updates']] = derived.epochs
  assert len(found) == 9
  assert found[1, 64_000] == pytest.approx(16 * found[16, 64_000])
  # Of 16 views even the shortest run sees nearly every image, as the paper's grids do.
  assert found[16, 1000] == pytest.approx(1000 * 64 / images)
  # The shorter runs come first.
  assert [cell['updates'] for cell in cells] == sorted(cell['updates'] for cell in cells)


def _by_budget(**gaps):
  """Accuracies whose gap of n = 4 and n = 16 over n = 1 is another at each budget."""
  def value(cell):
    share = {1: 0, 4: 1, 16: 1}[cell['multiplicity']]
    gap = gaps[{1000: 'least', 8000: 'middle', 64_000: 'most'}[cell['updates']]]
    return 88 + worlds.log2(cell['updates']) / 4 + share * gap - abs(worlds.rate(cell))
  return worlds.accuracy(lambda cell: value({**cell, 'views': 1024}))


_CROSSING = _by_budget(least=-4, middle=0, most=4)
_OTHER_WAY = _by_budget(least=4, middle=0, most=-4)
_LEVEL = _by_budget(least=0, middle=0, most=0)
_WORSE = _by_budget(least=-4, middle=-4, most=-4)
_CASES = {
    'At few updates': _OTHER_WAY,
    'The lines cross: the lead of 4 views': _OTHER_WAY,
    'The lines cross: the lead of 16 views': _OTHER_WAY,
    'At equal, many updates': _WORSE,
    '4 views are better than one without more updates': _WORSE,
    'With a fixed, large batch 16 views': _WORSE}


def test_the_claims_of_crossing_lines():
  assert sentences.covered(_NAME, _CASES)
  for text, wrong in _CASES.items():
    assert sentences.verdicts(_NAME, text, (_CROSSING, wrong, _LEVEL)) == sentences.OUTCOMES, text


def test_a_gain_without_a_crossing_is_no_crossing():
  # 4 and 16 views are better by as much at every budget.
  world = _by_budget(least=3, middle=3, most=3)
  results = made_up.results(sentences.sweep_of(_NAME), world)
  outcomes = {claim.text: claim.check(results).outcome for claim in results.sweep.claims}
  assert [outcome for text, outcome in outcomes.items() if 'cross' in text] == [
      'not resolved', 'not resolved']
  assert [outcome for text, outcome in outcomes.items() if 'few updates' in text
          and 'cross' not in text] == ['does not hold']


def test_the_page_says_hours_and_card(tmp_path):
  workdir, out = tmp_path / 'runs', tmp_path / 'out'
  runs = experiment_file.get_runs(_PATH, experiment_file.get_sweep(_PATH, 'smoke'))
  assert len(runs) == 9
  for i, run in enumerate(runs[:-1]):
    folder = workdir / run.name
    folder.mkdir(parents=True)
    derived = derived_lib.derive(run.config, train_images=160)
    assert derived.updates == run.cell['updates'] and derived.views == 32
    start = {'commit': 'abcdef0123456789', 'hardware': '1 NVIDIA H100', 'hours': 0.5}
    (folder / 'config.json').write_text(json.dumps(run.flat))
    (folder / 'status.json').write_text(json.dumps(
        {'status': 'finished', 'update': derived.updates, 'updates': derived.updates}))
    # The first run was killed once.
    (folder / 'run.json').write_text(json.dumps({'derived': vars(derived), 'starts': [
        *([{'commit': 'abcdef0123456789'}] if i == 0 else []), start]}))
    (folder / 'metrics.jsonl').write_text(''.join(json.dumps(
        {'update': derived.updates, 'epochs': 1.0, 'split': split, 'top1': 0.5, 'loss': 0.7,
         'images': 100}) + '\n' for split in ('train', 'test')))
  done = commands.run(f'experiments.fort2021.{_NAME}_report', f'--workdir={workdir}',
                      f'--out={out}', '--scale=smoke')
  assert done.returncode == 0, done.stderr
  page = (out / f'{_NAME}.md').read_text()
  assert '8 of 9 runs are finished.' in page and '`abcdef0123`' in page
  assert '| 1 | 2 | 1/1 | > 0.5 | 1 NVIDIA H100 |' in page
  assert '| 16 | 8 | 0/1 | 0 | none |' in page
  assert '| all |  | 8/9 | > 4 | 1 NVIDIA H100 |' in page
  assert 'smoke runs' in page and ' holds |' not in page
  assert len((out / f'{_NAME}.csv').read_text().splitlines()) == 1 + len(runs)
  assert (out / f'{_NAME}.png').stat().st_size > 10_000
