"""One device, several devices, several processes, both backends: the same update."""

import json

import pytest

from tests import commands

# Noise is drawn for each device, so it is off; few updates, since float sums drift apart.
_FLAGS = ('--config.model.dropout=0.0', '--config.budget=4 updates', '--config.unique=8',
          '--config.evals.test.batch=300', '--config.evals.test.most=0')


@pytest.fixture(scope='module')
def one_device(tmp_path_factory):
  workdir = tmp_path_factory.mktemp('one') / 'run'
  commands.train(workdir, *_FLAGS, '--config.data.apply=host')
  return workdir


def _compare(a, b):
  commands.assert_same(commands.final_state(a), commands.final_state(b), rtol=1e-4)
  ours, theirs = ([json.loads(line) for line in (d / 'metrics.jsonl').read_text().splitlines()]
                  for d in (a, b))
  assert len(ours) == len(theirs)
  for x, y in zip(ours, theirs, strict=True):
    assert x.keys() == y.keys()
    for key in x:
      assert y[key] == (x[key] if isinstance(x[key], str) else pytest.approx(x[key], rel=1e-3))
  assert ours[-1]['images'] == theirs[-1]['images'] == 2000


@pytest.mark.slow
@pytest.mark.parametrize('devices, overrides', [
    (4, ()),
    (4, ('--config.backend=shard_map',)),
    (8, ('--config.data.layout=view_major',)),
])
def test_devices(tmp_path, one_device, devices, overrides):
  commands.train(tmp_path / 'run', *_FLAGS, *overrides, devices=devices)
  _compare(one_device, tmp_path / 'run')


@pytest.mark.slow
@pytest.mark.parametrize('backend', ['pmap', 'shard_map'])
def test_processes(tmp_path, one_device, backend):
  commands.train_on_hosts(tmp_path / 'run', *_FLAGS, f'--config.backend={backend}', hosts=2,
                          devices=2)
  _compare(one_device, tmp_path / 'run')
