"""Pad and crop against a loop over np.pad; the distribution of its windows."""

import numpy as np
import pytest

from nfnets_am.core import errors
from nfnets_am.data import ops
from tests.data.ops import helpers


def naive(images, draws, pad, mode):
  """One image at a time; numpy's 'symmetric' is the mirror that repeats the edge."""
  views = []
  for image, top, left in zip(images, draws['top'], draws['left'], strict=True):
    sides = [(pad, pad), (pad, pad), (0, 0)]
    padded = np.pad(image, sides, mode={'zero': 'constant', 'reflect': 'symmetric'}[mode])
    views.append(padded[top:top + image.shape[0], left:left + image.shape[1]])
  return np.stack(views)


@pytest.mark.parametrize('place', helpers.PLACES, ids=lambda p: p.__name__)
@pytest.mark.parametrize('mode', ['zero', 'reflect'])
@pytest.mark.parametrize('pad', [2, 6])
def test_equals_a_loop_over_padded_images(place, mode, pad):
  images = helpers.random_images(40)
  augmentation = ops.parse(f'pad_crop(pad={pad}, mode={mode!r}) | normalise()')
  draws = augmentation.draws(0, helpers.rows(40), 8, 6)
  views = place(augmentation, images, draws)
  assert views.dtype == np.uint8
  np.testing.assert_array_equal(views, naive(images, draws['pad_crop'], pad, mode))


def test_windows_are_equally_likely_and_independent_in_both_directions():
  op = ops.PadCrop(pad=1)
  augmentation = ops.parse('pad_crop(pad=1) | normalise()')
  draws = augmentation.draws(0, helpers.rows(9000), 8, 8)['pad_crop']
  counts = np.bincount(3 * draws['top'] + draws['left'], minlength=9)
  assert op.pad == 1 and ((counts - 1000)**2 / 1000).sum() < 8 + 5 * np.sqrt(16)


@pytest.mark.parametrize('arguments, sentence', [
    ('pad=0', 'pad=0; allowed: integers from 1'),
    ('pad=1.5', 'pad=1.5; allowed: integers from 1'),
    ("mode='mirror'", "mode='mirror'; allowed: zero, reflect"),
    ('pda=4', "op 'pad_crop' has no key 'pda' .did you mean 'pad'"),
])
def test_wrong_arguments_are_refused(arguments, sentence):
  with pytest.raises(errors.ConfigError, match=sentence):
    ops.parse(f'pad_crop({arguments}) | normalise()')


def test_more_padding_than_image_is_refused():
  ops.parse('pad_crop(pad=6) | normalise()').check(8, 6)
  with pytest.raises(errors.ConfigError, match='images of 8x6 allow; allowed: 1 to 6'):
    ops.parse('pad_crop(pad=7) | normalise()').check(8, 6)
