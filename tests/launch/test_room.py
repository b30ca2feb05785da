"""What a plan advises for runs that do not fit can be given as it is printed."""

import re

import pytest

from launch import chips
from launch import costs
from launch import plan
from launch import room
from nfnets_am.config import derived as derived_lib
from nfnets_am.data import known
from nfnets_am.sweeps import experiment_file
from tests import commands


def _rows(experiment, tpu, overrides=(), scale='', gib=40.0):
  """Rows of a plan whose memory is made up."""
  path = commands.ROOT / experiment
  changes = experiment_file.parse_overrides(overrides)
  rows = []
  for run in experiment_file.get_runs(path, experiment_file.get_sweep(path, scale), changes):
    derived = derived_lib.derive(
        run.config, train_images=known.training_set(run.config.data).train_images,
        devices=tpu.devices, hosts=tpu.hosts)
    estimate = costs.Estimate('counted', 1.0, 1.0, gib, gib)
    rows.append(plan.Row((dict(run.cell),), derived, estimate, config=run.config))
  return rows


@pytest.mark.parametrize('experiment, tpu, expected', [
    ('experiments/fort2021/table1.py', 'v3-128', {'--set=accumulate=4', '--set=model.remat=True'}),
    ('experiments/fort2021/table1.py', 'v3-32', {'--set=accumulate=4', '--set=model.remat=True'}),
    # Its network recomputes nothing, so --set=model.remat=True would be refused.
    ('experiments/quickstart.py', 'v3-8', {'--set=accumulate=2'}),
])
def test_the_flags_are_taken_by_every_run(experiment, tpu, expected):
  tpu = chips.parse(tpu)
  rows = _rows(experiment, tpu, gib=20 if 'quickstart' in experiment else 40.0)
  (sentence,) = plan.advice(rows, tpu)
  assert sentence.startswith('does not fit; more devices, ')
  printed = re.findall(r'--set=\S+', sentence)
  assert set(printed) == expected
  for flag in printed:
    changed = _rows(experiment, tpu, [flag.removeprefix('--set=')])
    assert all(row.config.accumulate > 1 or row.config.model.remat for row in changed)


def test_what_is_said_already_is_not_advised_again():
  tpu = chips.parse('v3-128')
  rows = _rows('experiments/fort2021/table1.py', tpu, ['model.remat=True', 'accumulate=4'])
  assert room.flags(2, rows) == ['--set=accumulate=8']
