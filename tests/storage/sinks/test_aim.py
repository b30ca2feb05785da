"""Aim: the same run over starts, each value once."""

import json
import subprocess
import sys

import pytest

from nfnets_am.storage.sinks import aim as aim_sink
from tests.storage.sinks import facts

# As a process that may write: a reader is shown what `aim up` has put into its index.
_READ = """
import json, sys
import aim
run = aim.Run(run_hash=sys.argv[1], repo=sys.argv[2], system_tracking_interval=None,
              log_system_params=False, capture_terminal_logs=False)
print(json.dumps([run.name, run.experiment, run['config'], {
    metric.context['split'] + '/' + metric.name: sorted(metric.values.sparse_list()[1])
    for metric in run.metrics()}]))
"""


def test_a_run_over_three_starts(tmp_path, monkeypatch):
  pytest.importorskip('aim')
  monkeypatch.delenv('AIM_REPO', raising=False)
  (tmp_path / 'run').mkdir()

  def start(update, *updates):
    """Returns what Aim calls the run."""
    sink = aim_sink.Aim(facts.of(tmp_path / 'run', update),
                        facts.lines(*range(10, update + 1, 10)))
    for line in facts.lines(*updates):
      sink.write(line)
    sink.close()
    return facts.of(tmp_path / 'run', 0).kept_id('aim')

  def shown(run_id, repo):
    done = subprocess.run([sys.executable, '-c', _READ, run_id, repo], capture_output=True,
                          text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])

  first = start(0, 10, 20, 30)
  assert start(20, 30, 40) == first  # From an older checkpoint.
  values = [pytest.approx(1 / update) for update in (40, 30, 20, 10)]
  expected = ['tiny-n2-seed3', 'fort2021-figure2',
              {'seed': 3, 'model': {'name': 'tiny'}, 'at': ['1 epochs']},
              {'train_views/loss': values, 'test/loss': values}]
  assert shown(first, tmp_path / 'run') == expected
  # In another repository it is another run.
  monkeypatch.setenv('AIM_REPO', str(tmp_path / 'shared'))
  second = start(40)
  assert second != first and (tmp_path / 'shared' / '.aim').is_dir()
