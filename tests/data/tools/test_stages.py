"""The doctor says what it measured, and draws the views that training would see."""

import numpy as np
from PIL import Image

from tests import commands
from tests.data import encoded


def test_reports_stages_and_draws_views(tmp_path):
  encoded.write(tmp_path, (13, 0, 29, 1, 20))
  done = commands.run(
      'nfnets_am.doctor', '--config=tests/tiny_stream.py', f'--config.data.data_dir={tmp_path}',
      '--updates=3', '--step_ms=10', '--cores=1', f'--out={tmp_path / "views.png"}', '--images=3')
  assert done.returncode == 0, done.stderr
  for text in ('views/s', 'ms of CPU time a view', 'read', 'decode', 'mix', 'randaugment',
               'steps of 10 ms with 16 views', 'hosts of 1 cores'):
    assert text in done.stdout, done.stdout
  assert np.asarray(Image.open(tmp_path / 'views.png')).std() > 10


def test_takes_sets_in_memory():
  done = commands.run('nfnets_am.doctor', f'--config={commands.TINY}', '--updates=3')
  assert done.returncode == 0, done.stderr
  assert 'views/s' in done.stdout and 'transfer' in done.stdout
