"""metrics.jsonl: no line lost, none doubled."""

import json

import pytest

from nfnets_am.core import errors
from nfnets_am.storage import metrics


def _write(path, updates, start=0):
  file = metrics.MetricsFile(path, update=start)
  for update in updates:
    file.write({'update': update, 'split': 'test', 'top1': update / 10})
  file.sync()
  file.close()


def test_a_restart_cuts_off_what_its_checkpoint_does_not_know(tmp_path):
  whole, broken = tmp_path / 'whole.jsonl', tmp_path / 'broken.jsonl'
  _write(whole, [10, 20, 20, 30, 40])
  _write(broken, [10, 20, 20, 30])
  with open(broken, 'a') as f:
    f.write('{"update": 40, "sp')  # The process died here.
  _write(broken, [30, 40], start=20)
  assert broken.read_bytes() == whole.read_bytes()
  assert [line['update'] for line in metrics.read(broken)] == [10, 20, 20, 30, 40]


def test_a_line_being_written_is_not_read(tmp_path):
  path = tmp_path / 'metrics.jsonl'
  path.write_text(json.dumps({'update': 1}) + '\n{"upd')
  assert metrics.read(path) == [{'update': 1}]


def test_a_damaged_line_is_named(tmp_path):
  path = tmp_path / 'metrics.jsonl'
  path.write_text('{"update": 1}\nnonsense\n{"update": 3}\n')
  with pytest.raises(errors.UserError, match='line 2'):
    metrics.read(path)
