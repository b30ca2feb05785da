"""DARTS and AmoebaNet: sizes, the same in numpy, dropped operations, how weights start."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nfnets_am import models
from nfnets_am.core import errors
from nfnets_am.costs import counting
from nfnets_am.models import model as model_lib
from nfnets_am.models import searched_cells
from tests.models import by_numpy
from tests.models import laws

_relu, _join = by_numpy.relu, lambda maps: np.concatenate(maps, -1)


@pytest.mark.parametrize('name, classes, keys, parameters', [
    ('darts', 10, {'auxiliary': False}, 3_349_342),
    ('amoebanet', 10, {'auxiliary': False}, 3_145_078),
    ('amoebanet', 10, {'channels': 128}, 38_089_364),
    # A class has 4 * 4 * 36 weights and a bias in the head, 768 and one in the second.
    ('darts', 100, {}, 3_825_768 + 90 * (577 + 769))])
def test_it_has_the_published_size(name, classes, keys, parameters):
  assert counting.parameters(models.create_model(name, classes, **keys)) == parameters


def test_halving_cells_and_the_second_head():
  """20 cells: 32, 16 and 8 pixels a side; the head behind the second halving."""
  model = models.create_model('darts', 10)
  images = jax.ShapeDtypeStruct((2, 32, 32, 3), jnp.float32)
  params, state = jax.eval_shape(model.init, jax.random.key(0), images)
  seen = {f'cell{cell}': params[f'searched_cells/cell{cell}/enter1/conv']['w'].shape[2:]
          for cell in (0, 1, 6, 7, 13, 14)}
  assert seen == {'cell0': (108, 36), 'cell1': (144, 36), 'cell6': (144, 72), 'cell7': (288, 72),
                  'cell13': (288, 144), 'cell14': (576, 144)}
  # The input of two cells before is halved where the cell between has halved.
  assert [cell for cell in range(20) if f'searched_cells/cell{cell}/enter0/conv1' in params] == [
      7, 14]
  trained = jax.eval_shape(lambda *args: model.apply(*args, model_lib.TRAINING)[0], params, state,
                           jax.random.key(0), images)
  assert {name: out.shape for name, out in trained.auxiliary.items()} == {'cell13': (2, 10)}
  assert params['searched_cells/auxiliary/conv1']['w'].shape == (2, 2, 128, 768)


class _Cell:
  """A cell of four, by the names of its modules."""

  def __init__(self, net, number, dropped):
    self.net, self.number, self.dropped = net, number, dropped
    self.stride = (2, 2) if number in (1, 2) else (1, 1)

  def enter(self, which, x):
    name = f'cell{self.number}/enter{which}'
    if which == 0 and self.number in (2, 3):
      x = _relu(x)
      x = _join([self.net.conv(f'{name}/conv0', x, (2, 2)),
                 self.net.conv(f'{name}/conv1', x[:, 1:, 1:], (2, 2))])
    else:
      x = self.net.conv(f'{name}/conv', _relu(x))
    return self.net.norm(f'{name}/norm', x)

  def depthwise(self, name, number, x, stride=(1, 1), dilation=1):
    x = self.net.conv(f'{name}/depthwise{number}', _relu(x), stride, dilation)
    return self.net.norm(f'{name}/norm{number}', self.net.conv(f'{name}/pointwise{number}', x))

  def separable(self, place, side, x, inside=False):
    name = f'cell{self.number}/sum{place}_separable{side}'
    x = self.depthwise(name, 0, x, (1, 1) if inside else self.stride)
    return self.depthwise(name, 1, x) * self.dropped

  def dilated(self, place, x):
    name = f'cell{self.number}/sum{place}_dilated3'
    return self.depthwise(name, 0, x, (1, 1), 2) * self.dropped

  def across_down(self, place, x):
    name = f'cell{self.number}/sum{place}_across_down'
    x = self.net.conv(f'{name}/across', _relu(x), (1, self.stride[1]))
    x = self.net.conv(f'{name}/down', x, (self.stride[0], 1))
    return self.net.norm(f'{name}/norm', x) * self.dropped

  def average(self, x, inside=False):
    return by_numpy.average_pool(x, 3, 1 if inside else self.stride[0], 1) * self.dropped

  def max(self, x):
    return by_numpy.max_pool(x, 3, self.stride[0], 1) * self.dropped


def _amoebanet(cell, a, b):
  if cell.stride == (1, 1):
    c = cell.average(a) + cell.max(b)
    d = cell.separable('1_0', 3, a) + cell.separable('1_1', 5, c)
    e = cell.separable('2_0', 3, a) + cell.average(d)
    f = cell.separable('3_0', 3, b) + b
    return _join([e, f, a + cell.average(b)])
  c = cell.average(a) + cell.separable('0_1', 3, b)
  d = cell.max(a) + cell.separable('1_1', 7, c, inside=True)
  e = cell.separable('2_0', 7, a) + cell.average(b)
  f = cell.max(a) + cell.max(b)
  g = cell.across_down('4_0', a) + cell.separable('4_1', 3, f, inside=True)
  return _join([d, e, g])


def _darts(cell, a, b):
  if cell.stride == (1, 1):
    c = cell.separable('0_0', 3, a) + cell.separable('0_1', 3, b)
    d = cell.separable('1_0', 3, a) + cell.separable('1_1', 3, b)
    return _join([c, d, cell.separable('2_0', 3, b) + a, a + cell.dilated('3_1', c)])
  c = cell.max(a) + cell.max(b)
  return _join([c, c + cell.max(b), cell.max(a) + c, c + cell.max(b)])


def _by_hand(network, params, averages, x, training, dropped=1.0):
  """Four cells, of which those in the middle halve; `dropped` is what operations are times."""
  net = by_numpy.Network('searched_cells', params, averages, training)
  before = x = net.norm('stem_norm', net.conv('stem', x))
  outs = {}
  for number in range(4):
    cell = _Cell(net, number, dropped)
    before, x = x, network(cell, cell.enter(0, before), cell.enter(1, x))
    if number == 2 and training:
      y = by_numpy.average_pool(_relu(x), min(5, *x.shape[1:3]), 3)
      y = _relu(net.norm('auxiliary/norm0', net.conv('auxiliary/conv0', y)))
      y = _relu(net.norm('auxiliary/norm1', net.conv('auxiliary/conv1', y, pad=(0, 0))))
      outs['cell2'] = net.linear('auxiliary/linear', y.mean((1, 2)))
  outs['logits'] = net.linear('linear', x.mean((1, 2)))
  return outs, net.moved


def _tiny(name, **keys):
  return models.create_model(name, 3, **{'channels': 2, 'cells': 4, 'drop_path': 0.0, **keys})


@pytest.mark.parametrize('name, network, size', [
    # 8x8 pixels are left for the second head, or less than its windows need.
    ('amoebanet', _amoebanet, (32, 32)), ('darts', _darts, (16, 12))])
def test_it_is_the_same_in_numpy(name, network, size):
  images = np.random.default_rng(3).normal(size=(4, *size, 3))
  by_numpy.compare(_tiny(name), functools.partial(_by_hand, network), images)


def test_operations_are_dropped_more_and_more():
  model = _tiny('darts', drop_path=1 - 1e-6, drop_path_steps=0)
  images = np.random.default_rng(3).normal(size=(4, 16, 16, 3))
  params, averages = by_numpy.draw(model, images)
  found = jax.jit(lambda params, averages, images, progress: model.apply(
      params, model_lib.State(averages, {}), jax.random.key(0), images,
      model_lib.Mode(True, progress))[0].logits)
  arguments = jax.tree.map(np.float32, (params, averages, images))
  # At first all are there, in the end skips alone.
  for progress, dropped in ((0.0, 1.0), (1.0, 0.0)):
    expected = _by_hand(_darts, params, averages, images, True, dropped)[0]['logits']
    np.testing.assert_allclose(found(*arguments, progress), expected, rtol=0,
                               atol=1e-4 * np.abs(expected).max())


def test_what_is_kept_keeps_the_mean():
  kept = np.asarray(searched_cells._kept(jax.random.key(0), 0.2, (20, 10, 64)))
  assert set(np.unique(kept)) == {0, np.float32(1.25)}
  assert abs((kept == 0).mean() - 0.2) < 5 * np.sqrt(0.2 * 0.8 / kept.size)
  # Each operation and each example by itself.
  for axis in range(3):
    assert (kept != np.take(kept, [0], axis)).any()


@pytest.mark.parametrize('steps, update, rate', [
    (600, 780, 0), (600, 781, 0.2 / 600), (600, 468_599, 0.2 * 599 / 600), (0, 781, 0.2 / 600),
    (0, 390, 0.2 * 390 / 468_600)])
def test_the_rate_rises_by_epochs_as_published(monkeypatch, steps, update, rate):
  """600 epochs of 781 updates; in the last the rate is 0.19967."""
  rates = []
  monkeypatch.setattr(searched_cells, '_kept',
                      lambda rng, rate, shape: rates.append(rate) or jnp.ones(shape))
  model = _tiny('darts', drop_path=0.2, drop_path_steps=steps)
  images = jax.ShapeDtypeStruct((1, 8, 8, 3), jnp.float32)
  with jax.ensure_compile_time_eval():
    progress = jnp.float32(update) / 468_600
    jax.eval_shape(
        lambda x: model.init(jax.random.key(0), x, model_lib.Mode(True, progress)), images)
  assert float(rates[0]) == pytest.approx(rate, rel=1e-5)


def test_weights_start_as_in_torch():
  for weights in laws.start(_tiny('amoebanet', channels=32), 8).values():
    (laws.assert_norm if 'scale' in weights else laws.assert_torch)(weights)


@pytest.mark.parametrize('key, value, words', [
    ('channels', 3, 'model.channels=3; allowed: an even number'), ('cells', 3, 'model.cells=3'),
    ('drop_path', 1.0, 'model.drop_path=1.0'), ('drop_path_steps', -1, 'model.drop_path_steps=-1')])
def test_bad_arguments(key, value, words):
  with pytest.raises(errors.ConfigError, match=words):
    models.create_model('darts', 10, **{key: value})


def test_images_that_cannot_be_halved_twice_are_refused():
  with pytest.raises(errors.ConfigError, match='30x30 pixels .*; allowed: sides that 4 divides'):
    counting.forward_macs(_tiny('darts'), 30)
