"""The ResNets of Summers 2021, ch. 5: sizes, shortcuts of zeros, and which weights learn slowly."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nfnets_am import models
from nfnets_am.core import errors
from nfnets_am.costs import counting
from nfnets_am.models import model as model_lib
from nfnets_am.optim import optimizers
from tests.models import against_plain
from tests.models import plain


@pytest.mark.parametrize('name, stages, width, parameters', [
    ('padded_resnet6', 1, 16, 9_978), ('padded_resnet10', 2, 16, 42_682),
    ('padded_resnet14', 3, 16, 172_602), ('padded_resnet18', 4, 64, 11_001_034)])
def test_parameters(name, stages, width, parameters):
  """Nothing in a shortcut but its norm, of the channels that enter it."""
  channels = [width * 2 ** stage for stage in range(stages)]
  convs = 3 * width * 9 + sum(9 * ((c if c == width else c // 2) * c + 3 * c * c) for c in channels)
  norms = 2 * (width + sum(4 * c for c in channels) + sum(c // 2 for c in channels[1:]))
  assert convs + norms + 10 * (channels[-1] + 1) == parameters
  assert counting.parameters(models.create_model(name, 10)) == parameters


def _by_hand(params, averages, x, training):
  net = plain.Network('padded_resnet', params, averages, training=training, decay=0.9, eps=1e-5)
  x = plain.relu(net.norm('stem_norm', net.conv('stem', x, 1, (1, 1))))
  for stage in range(3):
    for block in range(2):
      name, stride = f'stage{stage}_block{block}', 2 if (stage > 0 and block == 0) else 1
      inside = plain.relu(net.norm(f'{name}/norm0', net.conv(f'{name}/conv0', x, stride, (1, 1))))
      inside = net.norm(f'{name}/norm1', net.conv(f'{name}/conv1', inside, 1, (1, 1)))
      if stride == 2:
        old, x = x.shape[-1], net.norm(f'{name}/shortcut_norm', x[:, ::2, ::2, :])
        x = np.pad(x, ((0, 0), (0, 0), (0, 0), (0, inside.shape[-1] - old)))
      x = plain.relu(x + inside)
  pixels = x.shape[1] * x.shape[2]
  return net.linear('linear', x.sum((1, 2)) / pixels), net.moved


def test_against_the_same_written_down():
  model = models.create_model('padded_resnet14', 5, width=4)
  # Odd and even sides on the way down.
  images = np.random.default_rng(3).normal(size=(3, 14, 10, 3))
  against_plain.check(model, _by_hand, images, 5)


def test_blocks_are_features_and_start_as_their_shortcuts():
  model = models.create_model('padded_resnet14', 10)
  images = jax.random.normal(jax.random.key(1), (2, 8, 8, 3))
  params, state = jax.jit(model.init)(jax.random.key(0), images)
  features = jax.jit(model.apply, static_argnums=4)(
      params, state, None, images, model_lib.EVALUATION)[0].features
  names = [f'stage{stage}_block{block}' for stage in range(3) for block in range(2)]
  assert set(features) == {*names, 'features'}
  assert [features[name].shape[1:] for name in names[::2]] == [(8, 8, 16), (4, 4, 32), (2, 2, 64)]
  last, first = features['stage2_block1'], features['stage0_block0']
  np.testing.assert_allclose(last[..., :16], first[:, ::4, ::4], rtol=1e-4)
  assert first.any() and not last[..., 16:].any()
  w = params['padded_resnet/stage2_block1/conv0']['w']
  assert w.std() == pytest.approx(np.sqrt(2 / (9 * 64)), rel=0.02)
  for w in params['padded_resnet/linear'].values():
    against_plain.assert_uniform(w, 64)


def test_learning_rates_as_the_public_code_groups_them():
  """16 biases and 13 scales at a tenth, 16 others, the scales of shortcuts among them, at all."""
  model = models.create_model('padded_resnet14', 10)
  params, _ = jax.eval_shape(
      model.init, jax.random.key(0), jax.ShapeDtypeStruct((1, 32, 32, 3), jnp.float32))
  params = jax.tree.map(lambda w: np.ones((1,) * len(w.shape), np.float32), params)
  slow = 'bias(times=0.1) | norm_offset(times=0.1) | norm_scale_not_shortcut(times=0.1)'
  rate = lambda t: jnp.where(t == 0, 0.0, 0.4)
  opt = optimizers.OPTIMIZERS.make('sgd', rate, weight_decay=5e-4, rates=slow)
  state, zero = opt.init(params), jax.tree.map(np.zeros_like, params)
  updates, state = opt.update(zero, state, params)
  # The first update has rate 0, and still fills the momentum.
  assert not any(w.any() for w in jax.tree.leaves(updates))
  updates, _ = opt.update(zero, state, params)
  found = {f'{module}/{name}': float(w.ravel()[0]) / (-0.4 * 5e-4 * 1.9)
           for module, held in updates.items() for name, w in held.items()}
  assert all(x == pytest.approx(0.1) or x == pytest.approx(1) for x in found.values())
  tenth = [key for key, x in found.items() if x < 0.5]
  assert len(found) == 45 and len(tenth) == 29
  assert sum(key.endswith(('/b', '/offset')) for key in tenth) == 16
  assert {key for key in found if key not in tenth and key.endswith('/scale')} == {
      f'padded_resnet/stage{stage}_block0/shortcut_norm/scale' for stage in (1, 2)}


def test_bad_arguments():
  with pytest.raises(errors.ConfigError, match='model.width=-1'):
    models.create_model('padded_resnet14', 10, width=-1)
