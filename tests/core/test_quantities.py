"""What metrics are: one row of a table is enough for all who judge and print them."""

import dataclasses
import io

import pytest

from nfnets_am.config import schema
from nfnets_am.core import errors
from nfnets_am.core import quantities
from nfnets_am.core import terminal
from nfnets_am.evaluation import display
from nfnets_am.reporting import claims
from nfnets_am.reporting import comparison
from nfnets_am.reporting import figures
from nfnets_am.reporting import panels
from nfnets_am.storage import checkpoints
from nfnets_am.sweeps import experiment_file
from nfnets_am.sweeps import outcomes
from nfnets_am.sweeps import paper
from nfnets_am.sweeps import reduction


@pytest.mark.parametrize('metric, value, text', [
    ('test/top1', 0.741, '74.10%'), ('test/ema_top5', 0.5, '50.00%'), ('train/loss', 0.5, '0.5000'),
    ('init/variance', 0.00123456, '0.00123'), ('test/perplexity', 23.456, '23.46'),
    ('test/bleu', 27.31, '27.31'), ('test/images', 10_000, '10,000'),
    ('learning_rate', 0.0625, '0.0625')])
def test_values_are_printed_as_they_are_read(metric, value, text):
  assert quantities.of(metric).text(value) == text


def test_low_values_of_some_come_first_and_the_worst_is_at_the_other_end():
  for metric, sign in (('test/loss', -1), ('test/ema_loss', -1), ('bits', -1), ('perplexity', -1),
                       ('test/top1', 1), ('bleu', 1), ('init/variance', 1)):
    assert quantities.of(metric).sign == sign
    assert quantities.of(metric).worst == -sign * float('inf')


def test_a_metric_that_nobody_knows_or_that_judges_nothing_is_refused(tmp_path):
  with pytest.raises(errors.ConfigError, match="'test/top2' .did you mean 'top.'.*allowed: .*top1"):
    quantities.of('test/top2')
  with pytest.raises(errors.ConfigError, match="'test/learning_rate'.*allowed: .*(loss|top1)"):
    quantities.judged('test/learning_rate')
  # Before anything is computed: in the file of the experiment, and of a checkpoint to keep.
  for options in ({'metric': 'test/top2'}, {'others': ('test/los',)},
                  {'panels': (paper.Panel('', 'epochs', 'test/x'),)},
                  {'metric': 'init/variance', 'tune': 'peak'}):
    with pytest.raises(errors.ConfigError, match='metric|chosen'):
      experiment_file.Sweep('x', (), **options)
  with pytest.raises(errors.ConfigError, match="by 'test/images'"):
    checkpoints.Checkpoints(tmp_path, best='test/images')


def test_a_line_has_its_keys_in_the_order_of_the_table():
  keys = ['ema_top1', 'learning_rate', 'top5', 'ema_loss', 'bad_records', 'top1', 'loss']
  assert quantities.in_order(keys) == [
      'loss', 'top1', 'top5', 'learning_rate', 'bad_records', 'ema_loss', 'ema_top1']
  last = {name for name, row in quantities.QUANTITIES.items() if row.over_updates == 'last'}
  assert 'learning_rate' in last and not last & {'loss', 'top1', 'top5'}


@pytest.mark.parametrize('better, best', [('low', 0.1), ('high', 0.4)])
def test_a_metric_that_is_added_to_the_table_is_judged_and_printed_everywhere(
    better, best, monkeypatch):
  monkeypatch.setitem(quantities.QUANTITIES, 'oddness', quantities.Quantity(
      'oddness', better, scale=1000, unit='mO', digits='.1f'))
  sweep = experiment_file.Sweep(
      'x', (), metric='test/oddness', best_of=1, tune='peak', peak_over='epochs',
      numbers=(paper.Number({'epochs': 1}, 120.0, 'test/oddness', None, 'both', 'here'),),
      claims=(paper.Claim('c', 'e', claims.better({'peak': best}, {'peak': 0.2})),
              paper.Claim('c', 'e', claims.reaches({}, 1000 * best))))

  def cell(peak):
    runs = tuple(outcomes.RunResult({}, 'finished', final={'test/oddness': x})
                 for x in (peak, peak + (0.05 if better == 'low' else -0.05)))
    summary = reduction.summarise([run.final['test/oddness'] for run in runs], 'test/oddness', 1)
    return reduction.Cell({'epochs': 1, 'peak': peak}, runs, {'test/oddness': summary},
                          {'test/oddness': summary.mean})

  results = reduction.Results(sweep, tuple(map(cell, (0.1, 0.2, 0.4))))
  # Of two runs the better one counts; of three cells the best.
  assert results.best({}).key['peak'] == best
  assert results.best({}).summaries['test/oddness'].mean == best
  text = f'{1000 * best:.1f}'
  # Single runs of what is no share of examples have no error that is known.
  assert [row[-1] for row in comparison.claim_rows(results)] == ['not resolved', 'holds']
  assert text in comparison.claim_rows(results)[0][2]
  assert comparison.number_rows(results)[0][3:5] == (
      f'{1000 * best:.1f} (peak {best:g})', f'{1000 * best - 120:+.1f}')
  assert text in comparison.peak_rows(results)[1][0][0]
  assert text in figures.table_of(results)[1][0][1]
  (points,) = panels.points(results, paper.Panel('', 'epochs', 'test/oddness')).values()
  assert points == [(1, pytest.approx(1000 * best), 0)]
  assert panels.axis_label('test/oddness') == 'test/oddness (mO)'
  diverged = reduction.reduce(
      dataclasses.replace(sweep, best_of=0),
      [experiment_file.Run({'seed': 0}, 'x', (), schema.get_default())], _Diverged()).cells[0]
  assert diverged.scores == {'test/oddness': quantities.of('oddness').worst}


class _Diverged:
  """Reads any run as one that diverged."""

  def read(self, run):
    return outcomes.RunResult(run.cell, 'diverged')


def test_an_evaluation_shows_what_it_has(monkeypatch):
  out = terminal.Terminal(width=100)
  out.file = io.StringIO()
  monkeypatch.setattr(display.terminal, 'Terminal', lambda: out)
  display.show('a run', {'images': 20, 'loss': 0.5, 'perplexity': 3.14159, 'ema_loss': 0.25})
  shown = out.file.getvalue()
  assert '0.5000' in shown and '3.14' in shown and '0.2500' in shown and 'images' not in shown
