"""Aim: the same run over starts, each value once."""

import pytest

from nfnets_am.storage.sinks import aim as aim_sink
from tests.storage.sinks import facts


def test_a_run_over_three_starts(tmp_path, monkeypatch):
  aim = pytest.importorskip('aim')
  monkeypatch.delenv('AIM_REPO', raising=False)

  def start(update, *updates):
    sink = aim_sink.Aim(facts.of(tmp_path / 'run', update),
                        facts.lines(*range(10, update + 1, 10)))
    for line in facts.lines(*updates):
      sink.write(line)
    sink.close()

  def rows(repo):
    (run,) = aim.Repo(str(repo)).iter_runs()
    assert (run.name, run.experiment) == ('tiny-n2-seed3', 'fort2021-figure2')
    assert run['config']['model']['name'] == 'tiny'
    return {(metric.context['split'], metric.name): list(zip(*metric.values.sparse_list(),
                                                             strict=True))
            for metric in run.metrics()}

  (tmp_path / 'run').mkdir()
  expected = {(split, 'loss'): [(update, pytest.approx(1 / update)) for update in (10, 20, 30, 40)]
              for split in ('train_views', 'test')}
  start(0, 10, 20, 30)
  start(20, 30, 40)  # From an older checkpoint.
  assert rows(tmp_path / 'run') == expected
  # Another repository gets all that was before.
  monkeypatch.setenv('AIM_REPO', str(tmp_path / 'shared'))
  start(40)
  assert rows(tmp_path / 'shared') == expected
