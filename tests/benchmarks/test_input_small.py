"""The input benchmark: every contender does the work it is timed for, and the table says so."""

import json

import numpy as np
import pytest

from benchmarks import input_small
from nfnets_am.data.memory import sources


@pytest.fixture(scope='module')
def split():
  # Every image has a value of its own, from 1: its views show no other value but black.
  image = np.broadcast_to(np.arange(1, 41, dtype=np.uint8)[:, None, None, None], (40, 32, 32, 3))
  return sources.Split(image.copy(), np.zeros(40, np.int32))


@pytest.mark.parametrize('n', [1, 4])
@pytest.mark.parametrize('name', [input_small.PEER, 'host', 'device'])
def test_contenders_draw_n_cropped_views_of_each_image(split, name, n):
  stream = input_small.CONTENDERS[name](split, 8, n)
  batch = np.asarray(next(stream))
  assert batch.shape == (8, 32, 32, 3) and batch.dtype == np.uint8
  shown = batch.reshape(8, -1).max(1)
  np.testing.assert_array_equal(shown, np.repeat(shown[::n], n))
  assert len(set(shown.tolist())) == 8 // n
  assert (batch == 0).any()  # padding came into view
  stream.close()


def test_the_table_holds_every_contender_and_multiplicity(tmp_path, capsys):
  path = tmp_path / 'rates.json'
  input_small.main(['--rounds=2', '--seconds=.02', '--images=64', '--batch=16',
                    '--multiplicities', '1', '4', f'--json={path}'])
  assert 'numpy copy' in capsys.readouterr().out
  written = json.loads(path.read_text())
  assert [(row['n'], row['contender']) for row in written['summary']] == [
      (n, name) for n in (1, 4) for name in input_small.CONTENDERS]
  assert all(row['lowest'] <= row['views_per_second'] <= row['highest']
             for row in written['summary'])
  assert all(row['ratio'] == 1 for row in written['summary']
             if row['contender'] == input_small.PEER)
