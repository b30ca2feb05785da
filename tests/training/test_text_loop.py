"""A run on text that is killed in the middle of a pass goes on with the same carry, bit for bit."""

import json
import time

import numpy as np
import pytest

from tests import commands

_CONFIG = 'tests/tiny_text.py'


@pytest.fixture
def text(tmp_path):
  """A folder of three splits, of lines of ten words out of thirty."""
  rng = np.random.default_rng(0)
  folder = tmp_path / 'text'
  folder.mkdir()
  for name, lines in (('train', 150), ('valid', 10), ('test', 10)):
    words = np.minimum(rng.geometric(0.15, (lines, 10)), 30)
    (folder / f'{name}.txt').write_text(
        ''.join(' '.join(f'w{word}' for word in line) + '\n' for line in words))
  return folder


def _killed(workdir, flag, update):
  """Starts a run, and kills it once it has logged an update; returns whether it lived so long."""
  metrics = workdir / 'metrics.jsonl'
  with commands.start('nfnets_am.train', f'--config={_CONFIG}', f'--workdir={workdir}', flag
                      ) as process:
    while process.poll() is None and not (
        metrics.exists() and f'"update": {update},' in metrics.read_text()):
      time.sleep(0.005)
    alive = process.poll() is None
    process.kill()
    process.communicate()
  return alive


@pytest.mark.slow
def test_a_killed_run_goes_on_in_the_middle_of_a_pass(text, tmp_path):
  flag = f'--config.data.set=folder:{text}'
  whole, cut = tmp_path / 'whole', tmp_path / 'cut'
  commands.train(whole, flag, config=_CONFIG)
  assert _killed(cut, flag, 54)
  commands.train(cut, flag, config=_CONFIG)
  record = json.loads((cut / 'run.json').read_text())
  # Neither at the start of a pass nor in the first one.
  again, one_pass = record['starts'][-1]['update'], record['derived']['updates_per_pass']
  assert len(record['starts']) == 2 and again > one_pass and again % one_pass
  assert (cut / 'metrics.jsonl').read_bytes() == (whole / 'metrics.jsonl').read_bytes()
  expected, found = commands.final_state(whole), commands.final_state(cut)
  commands.assert_same(expected, found)
  carried = [value for key, value in found.items() if 'carry' in key]
  # Each of the 8 rows has its own.
  assert carried and all(len(np.unique(value.reshape(8, -1), axis=0)) == 8 for value in carried)
