"""A smoke cell of each family is stopped, resumed, finished and reported."""

import dataclasses
import json
import signal

import pytest

from nfnets_am.reporting import pages
from nfnets_am.storage import metrics
from nfnets_am.storage import progress
from nfnets_am.sweeps import experiment_file
from nfnets_am.sweeps import outcomes
from nfnets_am.sweeps import reduction
from nfnets_am.training import loop


@pytest.mark.slow
@pytest.mark.parametrize('name, cell, splits', [
    ('figure11', {'neighbouring': 1, 'epochs': 1}, {'test', 'train'}),
    ('figure12', {'masks': 4, 'epochs': 1}, {'test', 'train'}),
    ('figure3', {'multiplicity': 4, 'epochs': 1}, {'test', 'minibatch'}),
    # SAM compiles the step's gradient twice; tests/tiny_nfnet.py has it.
    ('table1', {'multiplicity': 16, 'updates': 8}, {'test'})])
def test_a_cell_is_stopped_resumed_and_reported(name, cell, splits, pictures, tmp_path,
                                                monkeypatch):
  path = f'experiments/fort2021/{name}.py'
  sweep = experiment_file.get_sweep(path, 'smoke')
  chosen = next(c for c in sweep.cells if cell.items() <= c.items())
  sweep = dataclasses.replace(sweep, cells=(chosen,), tune_factor=0.0)
  (run,) = experiment_file.get_runs(path, sweep)
  config = experiment_file.get_config(run.flags[0].removeprefix('--config='),
                                      {'data.data_dir': str(pictures)})
  folder = tmp_path / run.name

  show = progress.Progress.show
  def stop_at_3(self, update, loss):
    show(self, update, loss)
    if update == 3:
      signal.raise_signal(signal.SIGTERM)

  with monkeypatch.context() as patch:
    patch.setattr(progress.Progress, 'show', stop_at_3)
    status = loop.train(config, folder)
  assert status['status'] == 'stopped' and 3 <= status['update'] < status['updates']
  assert loop.train(config, folder)['status'] == 'finished'
  assert len(json.loads((folder / 'run.json').read_text())['starts']) == 2
  lines = metrics.read(folder / 'metrics.jsonl')
  assert {line['split'] for line in lines} == splits | {'train_views'}
  assert [line['update'] for line in lines] == sorted(line['update'] for line in lines)

  if 'minibatch' in splits:
    # One evaluation batch of the 64 training images.
    assert {line['images'] for line in lines if line['split'] == 'minibatch'} == {16}

  results = reduction.reduce(sweep, [run], outcomes.Reader(tmp_path))
  (cell,) = results.cells
  assert cell.state == 'finished' and set(cell.summaries) >= {sweep.metric, *sweep.others}
  pages.write(results, tmp_path, 'report', 'the command')
  page = (tmp_path / 'report.md').read_text()
  assert '1/1' in page and 'smoke runs' in page
