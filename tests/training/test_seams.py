"""The seams carry what no experiment of Fort et al. needs; see tests/seams.py.

Devices are real (virtual CPU devices of real processes) where the state is at stake, and played by
vmap where the gradient is.
"""

import json
import signal
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nfnets_am import models
from nfnets_am.config import derived as derived_lib
from nfnets_am.config import schema
from nfnets_am.data import facts
from nfnets_am.data import hand_over
from nfnets_am.data import ops
from nfnets_am.data import preparation
from nfnets_am.models import model as model_lib
from nfnets_am.training import sections
from nfnets_am.training import step as step_lib
from tests import commands
from tests import seams

_CONFIG = 'tests/seams.py'
_SHAPE = (6, 6, 1)


def _linear(num_classes):
  """Logits of a linear, without a bias: simple enough for a formula."""
  def apply(params, state, rng, inputs, mode):
    return model_lib.Outputs(inputs.reshape((len(inputs), -1)) @ params['head']['w']), state

  shape = (np.prod(_SHAPE), num_classes)
  return model_lib.Model(
      init=lambda rng, inputs, mode: (
          {'head': {'w': jax.random.normal(rng, shape)}}, model_lib.State({}, {})),
      apply=apply, name='linear', num_classes=num_classes, train_size=6, test_size=6, head='head')


@pytest.fixture
def experiment(monkeypatch):
  monkeypatch.setitem(models.MODELS._entries, 'linear', _linear)

  def make(views, devices=1, **changes):
    config = schema.get_default()
    config.views = views
    config.budget = '10 updates'
    sections.override(config, {
        'model.name': 'linear', 'objective.name': 'twice', 'objective.step': 0.2,
        'data.augment': 'normalise()', **changes})
    prepare = preparation.ImagePreparation(
        ops.parse('normalise()').bind((0.5,), (0.25,)), hand_over.HandOver(), _SHAPE)
    return step_lib.make_experiment(
        config, derived_lib.derive(config, train_images=1000, devices=devices),
        facts.Facts(1000, 7, _SHAPE), prepare)

  return make


def _batch(rows, seed=0):
  rng = np.random.default_rng(seed)
  return {'image': rng.integers(0, 256, (rows, *_SHAPE), dtype=np.uint8),
          'label': rng.integers(0, 7, rows).astype(np.int32), 'draws': {}}


def _gradient(experiment, state, batch, devices=1):
  cut = jax.tree.map(lambda x: x.reshape((devices, -1) + x.shape[1:]), batch)
  grads, _, metrics = jax.jit(jax.vmap(
      experiment.update_gradient, in_axes=(None, None, None, 0), axis_name='data'))(
          state, experiment.numbers(state.update), None, cut)
  return np.asarray(grads['head']['w'][0], np.float64), jax.tree.map(lambda x: float(x[0]), metrics)


def _by_hand(w, batch, step=0.2):
  """The gradient of (CE(x) + CE(x + step sign(dCE/dx))) / 2 in float64, row by row."""
  w, total = np.asarray(w, np.float64), 0.0
  for image, label in zip(batch['image'], batch['label'], strict=True):
    x = (image.reshape(-1) / 255 - 0.5) / 0.25

    def error(x, label=label):
      p = np.exp(x @ w - (x @ w).max())
      p /= p.sum()
      p[label] -= 1
      return p

    moved = x + step * np.sign(w @ error(x))
    total = total + (np.outer(x, error(x)) + np.outer(moved, error(moved))) / 2
  return total / len(batch['label'])


def test_an_objective_takes_two_passes_and_an_input_gradient(experiment):
  made = experiment(8)
  state, batch = made.first_state(), _batch(8)
  grads, metrics = _gradient(made, state, batch)
  np.testing.assert_allclose(
      grads, _by_hand(state.params['head']['w'], batch), rtol=1e-4, atol=1e-5)
  assert set(metrics) == {'loss', 'top1', 'error'}


@pytest.mark.parametrize('devices, accumulate', [(4, 1), (1, 4), (2, 2)])
def test_it_is_a_mean_over_rows_however_they_are_cut(experiment, devices, accumulate):
  whole, cut = experiment(8), experiment(8, devices, accumulate=accumulate)
  state, batch = whole.first_state(), _batch(8)
  expected, metrics = _gradient(whole, state, batch)
  grads, others = _gradient(cut, state, batch, devices)
  np.testing.assert_allclose(grads, expected, rtol=1e-4, atol=1e-6)
  assert others == pytest.approx(metrics, rel=1e-5)


def test_n_equal_copies_have_its_gradient_of_one(experiment):
  one, many = experiment(8), experiment(32)
  state, batch = one.first_state(), _batch(8)
  copies = jax.tree.map(lambda x: np.repeat(x, 4, axis=0), batch)
  np.testing.assert_allclose(
      _gradient(many, state, copies)[0], _gradient(one, state, batch)[0], rtol=1e-4, atol=1e-6)


def test_sam_climbs_it(experiment):
  plain, sam = experiment(8), experiment(8, **{'ascent.name': 'sam', 'ascent.rho': 0.1})
  state, batch = plain.first_state(), _batch(8)
  first, _ = _gradient(plain, state, batch)
  w = np.asarray(state.params['head']['w'], np.float64)
  there = w + 0.1 * first / np.linalg.norm(first)
  np.testing.assert_allclose(_gradient(sam, state, batch)[0], _by_hand(there, batch),
                             rtol=1e-3, atol=1e-5)


@pytest.fixture(scope='module', params=[1, 4])
def whole(request, tmp_path_factory):
  """(devices, folder of an uninterrupted run)."""
  workdir = tmp_path_factory.mktemp(f'whole{request.param}') / 'run'
  commands.train(workdir, devices=request.param, config=_CONFIG)
  return request.param, workdir


@pytest.mark.slow
def test_batch_statistics_and_a_carry_are_killed_and_resumed_bit_for_bit(whole, tmp_path):
  devices, finished = whole
  cut = tmp_path / 'run'
  with commands.start('nfnets_am.train', f'--config={_CONFIG}', f'--workdir={cut}',
                      devices=devices) as process:
    for line in process.stderr:
      if 'update 6: test' in line:
        process.send_signal(signal.SIGKILL)
        break
    process.communicate()
  assert json.loads((cut / 'status.json').read_text())['status'] == 'running'
  commands.train(cut, devices=devices, config=_CONFIG)
  assert (cut / 'metrics.jsonl').read_bytes() == (finished / 'metrics.jsonl').read_bytes()
  a, b = _arrays(devices, finished, cut)
  commands.assert_same(a, b)
  # One count for the whole run: twice an update, as rows come in two micro-batches.
  assert a['averages/recurrent/updates'] == 24 and a['averages/recurrent/updates'].dtype == np.int32
  carry = a['carry/hidden']
  assert carry.shape == (devices, 16 // devices, seams.WIDTH)
  # Every row has its own, and none is the mean of the others.
  rows = carry.reshape(-1, seams.WIDTH)
  assert len(np.unique(rows.round(6), axis=0)) == 16
  moving = [key for key in a if key.startswith('averages/') and 'norm' in key]
  assert moving and all(f'ema/averages/{key.removeprefix("averages/")}' in a for key in moving)
  # At t = 11 the decay is min(0.9, 12 / 21): the average has moved, and lags.
  assert any((a[key] != a[f'ema/averages/{key.removeprefix("averages/")}']).any() for key in moving)
  assert (cut / 'checkpoints' / '5').is_dir()


_READ = """
import sys
import jax, numpy as np
from nfnets_am.training import saved
import tests.seams
for workdir in sys.argv[1:]:
  _, state = saved.newest(workdir, saved.build(workdir))
  named = {}
  for path, x in jax.tree_util.tree_leaves_with_path(state):
    names = [str(getattr(k, 'name', getattr(k, 'key', getattr(k, 'idx', k)))) for k in path]
    named['/'.join(names)] = np.asarray(x)
  np.savez(f'{workdir}/arrays.npz', **named)
"""


def _arrays(devices, *workdirs):
  """Every array of the newest checkpoints by its path, read by as many devices as wrote them."""
  done = subprocess.run([sys.executable, '-c', _READ, *map(str, workdirs)], cwd=commands.ROOT,
                        env=commands.environment(devices), capture_output=True, text=True)
  assert done.returncode == 0, done.stderr
  loaded = []
  for workdir in workdirs:
    with np.load(workdir / 'arrays.npz') as found:
      loaded.append({name: found[name] for name in found.files})
  return loaded


def test_the_state_of_one_device_knows_its_rows():
  model = seams.recurrent(10)
  params, state = model.init(jax.random.key(0), jnp.zeros((1, 28, 28, 1)))
  inputs = jax.random.normal(jax.random.key(1), (6, 28, 28, 1))
  state = state._replace(carry=model.init_carry(6))
  _, once = model.apply(params, state, None, inputs, model_lib.TRAINING)
  _, twice = model.apply(params, once, None, inputs, model_lib.TRAINING)
  assert once.averages['recurrent']['updates'] == 1 and twice.averages['recurrent']['updates'] == 2
  assert (once.carry['hidden'] != twice.carry['hidden']).any()
