"""Whatever the way from the host to the devices, the model sees the same numbers."""

import jax.numpy as jnp
import numpy as np
import pytest

from nfnets_am.core import errors
from nfnets_am.data import hand_over as hand_over_lib
from nfnets_am.data import ops
from nfnets_am.training import loop
from nfnets_am.training import run as run_lib
from nfnets_am.training import sections
from tests import commands
from tests import tiny

_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def _make(augment='normalise()', dtype='bfloat16', hand_over='uint8', double_transpose=False):
  return hand_over_lib.make_hand_over(
      ops.parse(augment).bind(_MEAN, _STD), hand_over=hand_over,
      double_transpose=double_transpose, dtype=dtype)


@pytest.mark.parametrize('double_transpose', [False, True])
@pytest.mark.parametrize('form', ['uint8', 'bfloat16'])
def test_devices_find_their_rows_as_the_step_normalises_them(form, double_transpose):
  way = _make(hand_over=form, double_transpose=double_transpose)
  image = np.random.default_rng(0).integers(0, 256, (6, 4, 5, 3), dtype=np.uint8)
  packed = way.pack({'image': image, 'label': np.arange(6)}, devices=3)
  assert packed['image'].dtype == jnp.dtype(form)
  bound = ops.parse('normalise()').bind(_MEAN, _STD)
  finish = lambda x: bound.normalised(x).astype(jnp.bfloat16)
  # As parallel.shard hands them to each device.
  parts = packed['image'].reshape((3, -1) + packed['image'].shape[1:])
  for device, part in enumerate(parts):
    seen = way.unpack(jnp.asarray(part))
    np.testing.assert_array_equal(
        seen if way.normalised else finish(seen), finish(image[2 * device:2 * device + 2]))


def test_bytes_leave_the_batch_alone():
  batch = {'image': np.zeros((2, 4, 4, 3), np.uint8)}
  assert _make().pack(batch, 2)['image'] is batch['image']
  assert _make(hand_over='bfloat16').pack({'index': 1}, 2) == {'index': 1}


def test_nothing_travels_where_views_are_drawn_on_the_device():
  for changes in ({'data.hand_over': 'bfloat16', 'dtype': 'bfloat16'},
                  {'data.double_transpose': True}):
    with pytest.raises(errors.ConfigError, match="data.apply='device', where no image travels"):
      run_lib.build(sections.override(tiny.get_config(), changes))


@pytest.mark.parametrize('augment, dtype', [
    ('normalise()', 'float32'), ('normalise() | cutout(length=2)', 'bfloat16'),
    ('normalise(mean=0, per_image=True)', 'bfloat16')])
def test_what_the_model_would_not_see_is_refused(augment, dtype):
  with pytest.raises(errors.ConfigError, match="data.hand_over='bfloat16' with dtype"):
    _make(augment, dtype, hand_over='bfloat16')


def _final(workdir, **values):
  config = tiny.get_config()
  config.budget = '3 updates'
  config.dtype = 'bfloat16'
  config.data.apply = 'host'
  loop.train(sections.override(config, values), workdir)
  return commands.final_state(workdir)


@pytest.mark.slow
def test_training_is_the_same_bit_for_bit(tmp_path):
  plain = _final(tmp_path / 'plain')
  turned = _final(tmp_path / 'turned', **{
      'data.hand_over': 'bfloat16', 'data.double_transpose': True})
  commands.assert_same(plain, turned)
