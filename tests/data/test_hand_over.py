"""Whatever the way from the host to the devices, the model sees the same numbers."""

import jax.numpy as jnp
import numpy as np
import pytest

from nfnets_am.config import reading
from nfnets_am.config import schema
from nfnets_am.core import errors
from nfnets_am.data import hand_over
from nfnets_am.data import ops
from nfnets_am.training import loop
from tests import commands
from tests import tiny

_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def _make(augment='normalise()', dtype='bfloat16', **values):
  config = schema.get_default()
  config.data.augment = augment
  config.data.update(values)
  return hand_over.make_hand_over(
      reading.ReadConfig(config).data, ops.parse(augment), dtype=dtype, mean=_MEAN, std=_STD)


@pytest.mark.parametrize('double_transpose', [False, True])
@pytest.mark.parametrize('form', ['uint8', 'bfloat16'])
def test_devices_find_their_rows_as_the_step_normalises_them(form, double_transpose):
  way = _make(hand_over=form, double_transpose=double_transpose)
  image = np.random.default_rng(0).integers(0, 256, (6, 4, 5, 3), dtype=np.uint8)
  packed = way.pack({'image': image, 'label': np.arange(6)}, devices=3)
  assert packed['image'].dtype == jnp.dtype(form)
  finish = lambda x: ops.parse('normalise()').finish(x, {}, _MEAN, _STD).astype(jnp.bfloat16)
  # As parallel.shard hands them to each device.
  parts = packed['image'].reshape((3, -1) + packed['image'].shape[1:])
  for device, part in enumerate(parts):
    seen = way.unpack(jnp.asarray(part))
    np.testing.assert_array_equal(
        seen if way.normalised else finish(seen), finish(image[2 * device:2 * device + 2]))


def test_bytes_leave_the_batch_alone():
  batch = {'image': np.zeros((2, 4, 4, 3), np.uint8)}
  assert _make().pack(batch, 2)['image'] is batch['image']
  assert _make(apply='device', hand_over='bfloat16').pack({'index': 1}, 2) == {'index': 1}


@pytest.mark.parametrize('augment, dtype', [
    ('normalise()', 'float32'), ('normalise() | cutout(length=2)', 'bfloat16')])
def test_what_the_model_would_not_see_is_refused(augment, dtype):
  with pytest.raises(errors.ConfigError, match="data.hand_over='bfloat16' with dtype"):
    _make(augment, dtype, hand_over='bfloat16')


def _final(workdir, **values):
  config = tiny.get_config()
  config.budget = '3 updates'
  config.dtype = 'bfloat16'
  config.data.apply = 'host'
  config.update_from_flattened_dict(values)
  loop.train(config, workdir)
  return commands.final_state(workdir)


@pytest.mark.slow
def test_training_is_the_same_bit_for_bit(tmp_path):
  plain = _final(tmp_path / 'plain')
  turned = _final(tmp_path / 'turned', **{
      'data.hand_over': 'bfloat16', 'data.double_transpose': True})
  commands.assert_same(plain, turned)
