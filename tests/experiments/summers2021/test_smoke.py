"""A row of Table 2.1 is trained in two stages, finished and reported."""

import dataclasses

import pytest

from nfnets_am.reporting import pages
from nfnets_am.storage import metrics
from nfnets_am.sweeps import experiment_file
from nfnets_am.sweeps import outcomes
from nfnets_am.sweeps import reduction
from nfnets_am.training import loop


@pytest.mark.slow
def test_the_better_copy_of_a_row_goes_on_and_is_the_number(tmp_path):
  path = 'experiments/summers2021/table2_1.py'
  sweep = experiment_file.get_sweep(path, 'smoke')
  cells = tuple(cell for cell in sweep.cells if cell['method'] == 'vh_bc_plus')
  sweep = dataclasses.replace(sweep, cells=cells)
  runs = experiment_file.get_runs(path, sweep)
  assert len(runs) == 2
  losses = []
  for run in runs:
    assert loop.train(run.config, tmp_path / run.name)['status'] == 'finished'
    losses.append([line['loss'] for line in metrics.read(tmp_path / run.name / 'metrics.jsonl')
                   if line['split'] == 'train_views' and line['update'] <= 4][-1])
  better = losses.index(min(losses))
  (cell,) = (results := reduction.reduce(sweep, runs, outcomes.Reader(tmp_path))).cells
  assert [run.counts for run in cell.runs] == [i == better for i in range(2)]
  assert cell.summaries['test/top1'].mean == cell.runs[better].final['test/top1']
  pages.write(results, tmp_path, 'report', 'the command')
  page = (tmp_path / 'report.md').read_text()
  assert '96.2' in page and 'smoke runs' in page
