"""The smoke scale: every cell builds and is reported; one is trained, stopped and resumed."""

import dataclasses
import json
import signal

import pytest

from nfnets_am.config import derived as derived_lib
from nfnets_am.config import schema
from nfnets_am.reporting import pages
from nfnets_am.storage import metrics
from nfnets_am.storage import progress
from nfnets_am.sweeps import experiment_file
from nfnets_am.sweeps import outcomes
from nfnets_am.sweeps import paper
from nfnets_am.sweeps import reduction
from nfnets_am.training import loop
from tests import commands

_FOLDER = commands.ROOT / 'experiments' / 'hoffer2020'
_PATHS = experiment_file.find(_FOLDER)


@pytest.mark.parametrize('path', _PATHS, ids=lambda path: path.stem)
def test_the_small_scale_builds_and_has_a_page(path, tmp_path):
  full = experiment_file.get_sweep(path)
  smoke = experiment_file.get_sweep(path, 'smoke')
  runs = experiment_file.get_runs(path, smoke)
  for run in runs:
    schema.validate(run.config)
    assert derived_lib.derive(run.config, train_images=160).updates <= 100
  assert smoke.numbers == full.numbers
  for number in full.numbers:
    # AmoebaNet's is a point of a curve, which no cell is to be set beside.
    assert any(paper.matches(cell, number.cell) for cell in full.cells) != (
        number.cell == {'regime': 'amoebanet_14'}), number
  pages.write(reduction.reduce(smoke, runs, outcomes.Reader(tmp_path)), tmp_path, 'page', 'command')
  page = (tmp_path / 'page.md').read_text()
  assert 'updates | views/update | samples | compute' in page
  assert ('`fixed_samples` has M B' in page) == (
      path.stem not in ('small', 'text_small') and any('column' in cell for cell in smoke.cells))


@pytest.mark.slow
def test_a_cell_is_stopped_resumed_and_reported(pictures, tmp_path, monkeypatch):
  """Table 4's ResNet-50: streamed, batch augmentation, ten views of every image at test time."""
  path = _FOLDER / 'table4.py'
  sweep = experiment_file.get_sweep(path, 'smoke')
  chosen = {'row': 'resnet50_imagenet', 'column': 'ba'}
  sweep = dataclasses.replace(
      sweep, cells=tuple(cell for cell in sweep.cells if chosen.items() <= cell.items()))
  (run,) = experiment_file.get_runs(path, sweep)
  config = experiment_file.get_config(run.flags[0].removeprefix('--config='),
                                      {'data.data_dir': str(pictures)})
  folder, show = tmp_path / run.name, progress.Progress.show

  def stop_at_3(self, update, loss):
    show(self, update, loss)
    if update == 3:
      signal.raise_signal(signal.SIGTERM)

  with monkeypatch.context() as patch:
    patch.setattr(progress.Progress, 'show', stop_at_3)
    assert loop.train(config, folder)['status'] == 'stopped'
  assert loop.train(config, folder)['status'] == 'finished'
  assert len(json.loads((folder / 'run.json').read_text())['starts']) == 2
  last = {line['split']: line for line in metrics.read(folder / 'metrics.jsonl')}
  assert set(last) == {'test', 'views', 'train_views'}
  assert last['views']['images'] == last['test']['images'] == 16
  assert last['views']['loss'] != last['test']['loss']
  results = reduction.reduce(sweep, [run], outcomes.Reader(tmp_path))
  assert set(results.cells[0].summaries) >= {'test/top1', 'views/top1'}
  pages.write(results, tmp_path, 'report', 'the command')
  page = (tmp_path / 'report.md').read_text()
  assert '| 1/1 | 8 | 8 | 64 | 1 x | finished |' in page
