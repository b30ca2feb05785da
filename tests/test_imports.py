"""TensorFlow, whose import takes 7 s, is imported only where a run needs it."""

import json
import os
import shutil
import subprocess
import sys

import pytest

from tests import commands

# A library that notes who asks for it, in all processes that a command starts, and is not there.
_STAND_IN = """
import os
with open(os.environ['ASKED_FOR'], 'a') as f:
  f.write(__name__ + ' ')
raise ImportError(__name__)
"""

# Commands one after the other, each in a fork, so that what they all import is imported once.
_EACH = """
import json, os, runpy, sys
from nfnets_am.sweeps import config_flag, outcomes
from nfnets_am.training import loop
for sys.argv in json.loads(sys.argv[1]):
  if not os.fork():
    runpy.run_module(sys.argv[0], run_name='__main__', alter_sys=True)
    sys.exit()
  if os.wait()[1]:
    sys.exit(f'{sys.argv} failed')
"""


@pytest.fixture
def asked_for(monkeypatch, tmp_path):
  """Puts stand-ins before libraries; returns what was asked for since the last time."""
  notes, site = tmp_path / 'asked_for.txt', tmp_path / 'site'
  monkeypatch.setenv('ASKED_FOR', str(notes))
  monkeypatch.setenv('PYTHONPATH', f'{site}{os.pathsep}{os.environ.get("PYTHONPATH", "")}')

  def missing(*names: str) -> None:
    for name in names:
      (site / name).mkdir(parents=True, exist_ok=True)
      (site / name / '__init__.py').write_text(_STAND_IN)

  def asked() -> str:
    return notes.read_text() if notes.exists() else ''

  return missing, asked


@pytest.mark.slow
def test_tensorflow_is_imported_where_a_run_needs_it(tmp_path, asked_for):
  missing, asked = asked_for
  missing('tensorflow', 'tensorflow_datasets')
  done = commands.run('nfnets_am.train', f'--config={commands.TINY}',
                      f'--workdir={tmp_path / "host"}', '--config.data.apply=host')
  # So the stand-in is one that a command meets.
  assert 'tensorflow cannot be imported' in done.stderr and asked() == 'tensorflow '

  (tmp_path / 'asked_for.txt').unlink()
  shutil.copy(commands.ROOT / commands.TINY, tmp_path)
  sweep = ('--experiment=tests/tiny.py', f'--workdir={tmp_path / "runs"}')
  each = json.dumps((
      ('nfnets_am.train', f'--config={commands.TINY}', '--config.budget=2 updates',
       f'--workdir={tmp_path / "runs" / "one"}'),
      ('nfnets_am.evaluate', f'--workdir={tmp_path / "runs" / "one"}'),
      ('nfnets_am.experiments', f'--folder={tmp_path}'),
      ('launch.sweep', *sweep, '--dry_run'), ('launch.status', f'--workdir={tmp_path / "runs"}'),
      ('nfnets_am.report', *sweep)))
  done = subprocess.run([sys.executable, '-c', _EACH, each], cwd=commands.ROOT, text=True,
                        env=commands.environment(), capture_output=True)
  assert (done.returncode, asked()) == (0, ''), done.stderr
