"""How a benchmark says that something grows; its measures at a tiny scale."""

import pathlib

import jax
import numpy as np
import pytest

from benchmarks import growing
from benchmarks import growing_runs
from benchmarks import growth
from nfnets_am.storage import metrics
from nfnets_am.training import loop
from nfnets_am.training import saved


@pytest.mark.parametrize('power, word', [
    (0.0, 'flat'), (0.05, 'flat'), (-1.0, 'flat'), (0.5, 'at most linear'),
    (1.0, 'at most linear'), (1.5, 'more than linear'), (2.0, 'more than linear')])
def test_the_word_follows_from_the_power(power, word):
  sizes = [100, 1000, 100_000]
  found, exponent = growth.grows(sizes, [3.0 * size**power for size in sizes])
  assert found == word and exponent == pytest.approx(power)


def test_a_row_has_the_sizes_the_values_and_their_ratios():
  found = growing.Measured('reading', 'lines', 's', (10, 1000), (0.5, 50.0))
  assert growth.row(found) == [
      'reading', '10, 1,000 lines', '0.5, 50 s', '1.00, 100.00', 'at most linear (1.00)']


def test_metrics_files_of_all_sizes_are_used():
  found = {one.what: one for one in growing.metrics(share=0.01, rounds=1)}
  assert list(found) == ['metrics file, opened to go on', 'metrics file, read whole',
                         'metrics file, its end read', 'metrics file, a line written']
  for one in found.values():
    assert list(one.sizes) == [100, 1000, 10_000] and all(value > 0 for value in one.values)
  # 100 times the lines; the ends are what they are.
  assert found['metrics file, read whole'].values[-1] > (
      10 * found['metrics file, read whole'].values[0])
  assert found['metrics file, its end read'].values[-1] < (
      0.2 * found['metrics file, read whole'].values[-1])


def test_a_launcher_with_a_queue_is_looked_at():
  share, first = growing.launcher(share=0.02, rounds=1)
  assert list(share.sizes) == list(first.sizes) == [1, 2, 20]
  assert all(0 < value < 100 for value in share.values)
  assert all(value > 0 for value in first.values)


def test_a_report_is_told_by_what_each_run_adds(monkeypatch):
  def run(module, *arguments):
    flags = dict(argument.lstrip('-').split('=') for argument in arguments if '=' in argument)
    if module == 'benchmarks.report':
      folder = pathlib.Path(flags['make'])
      there = len(list(folder.iterdir()))
      for number in range(there, there + int(flags['runs'])):
        (folder / f'{number}').mkdir()
        (folder / f'{number}' / 'status.json').touch()
      return 9.0
    return 2.0 + 0.003 * len(list(pathlib.Path(flags['workdir']).iterdir()))

  monkeypatch.setattr(growing, '_run', run)
  whole, more = growing.report(share=0.1, rounds=1)
  assert list(whole.sizes) == [10, 100, 1000]
  assert list(whole.values) == pytest.approx([2.03, 2.3, 5.0])
  # Linear, though most of the smaller ones does not grow.
  assert list(more.sizes) == [100, 1000] and list(more.values) == pytest.approx([3.0, 3.0])
  assert growth.row(more)[-1] == 'flat (0.00)'


def test_the_first_batch_is_that_of_its_update(monkeypatch):
  calls = []

  def child(function, data, *arguments):
    calls.append((function, *arguments))
    return 'a line of another\n0.5\n' if function == 'first_batch' else ''

  monkeypatch.setattr(growing, '_child', child)
  (found,) = growing.first_batch(share=0.1, rounds=2)
  assert calls == [('make_pictures',), *2 * [('first_batch', '10'), ('first_batch', '10000')]]
  assert list(found.sizes) == [10, 10_000] and list(found.values) == [0.5, 0.5]


@pytest.mark.slow
def test_the_checkpoint_of_a_later_update_is_one_that_a_run_could_have_written(tmp_path):
  growing_runs.make_checkpoints(str(tmp_path), '5', '5000')
  built = saved.build(tmp_path / '5')
  (first, early), (second, late) = (
      saved.newest(tmp_path / name, built) for name in ('5', '5000'))
  assert (first, second) == (5, 5000) == (int(early.update), int(late.update))
  for name in ('params', 'averages', 'opt_state'):
    for a, b in zip(*(jax.tree.leaves(getattr(state, name)) for state in (early, late)),
                    strict=True):
      np.testing.assert_array_equal(a, b)
  # The lines are those that a run has written by then, and as many as the checkpoint says.
  until = f'{second + 5} updates'
  status = loop.train(saved.config_of(tmp_path / '5000'), tmp_path / '5000', until=until)
  assert (status['status'], status['update']) == ('stopped', 5005)
  lines = metrics.read(tmp_path / '5000' / 'metrics.jsonl')
  assert [line['update'] for line in lines] == list(range(5, 5006, 5))
