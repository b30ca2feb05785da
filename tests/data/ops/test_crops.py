"""Windows against the op's law and a naive loop; crops against slices; evaluation crops."""

import numpy as np
import pytest

from nfnets_am.core import errors
from nfnets_am.data import tensorflow
from nfnets_am.data import views
from nfnets_am.data.ops import crops
from tests.data import photographs
from tests.data.ops import helpers
from tests.data.ops import test_bicubic

tf = tensorflow.import_tensorflow()


def _rows(count, epoch=0):
  return views.Rows(np.arange(count), np.full(count, epoch), np.arange(count) % 3)


def _naive(ratio, place, height, width, size):
  """One window, attempt by attempt, in Python."""
  f, rint = np.float32, lambda x: int(np.rint(x))
  low, high = f(0.08) * f(height * width), f(height * width)
  for r, (a, b, c) in zip(ratio, place.tolist(), strict=True):
    largest = rint(np.sqrt(high / r))
    if rint(f(largest) * r) > width:
      largest = int((f(width) + f(0.5)) / r)
      largest -= rint(f(largest) * r) > width
    largest = min(largest, height)
    h = min(rint(np.sqrt(low / r)), largest)
    h += a * (largest - h + 1) >> 32
    w = rint(f(h) * r)
    if h * w < low:
      h += 1
    w = rint(f(h) * r)
    if h * w > high:
      h -= 1
    w = rint(f(h) * r)
    if max(low, f(0.1) * f(height * width)) <= h * w <= high and 0 < w <= width and 0 < h <= height:
      if (h, w) == (height, width):
        break
      return b * (height - h) >> 32, c * (width - w) >> 32, h, w
  side = max(int(f(size / (size + 32)) * f(min(height, width))), 1)
  return (height - side + 1) // 2, (width - side + 1) // 2, side, side


@pytest.mark.parametrize('height, width', [(375, 500), (500, 200), (7, 5), (1, 1), (40, 3000)])
def test_windows_are_those_of_a_naive_loop(height, width):
  drawn = helpers.crop_draws(1, _rows(400))
  found = crops.windows(drawn['ratio'], drawn['place'], height, width, 224).numpy()
  compiled = crops.compiled_windows()(drawn, height, width, 224)
  wanted = [_naive(r, p, height, width, 224)
            for r, p in zip(drawn['ratio'], drawn['place'], strict=True)]
  np.testing.assert_array_equal(found, wanted)
  np.testing.assert_array_equal(compiled, wanted)
  assert (found[:, :2] >= 0).all() and (found[:, 2:] >= 1).all()
  assert (found[:, :2] + found[:, 2:] <= [height, width]).all()


@pytest.mark.parametrize('height, width, side', [(375, 500, 328), (500, 256, 224), (8, 8, 7)])
def test_with_a_shorter_side_windows_are_squares_anywhere(height, width, side):
  drawn = crops.Crop(size=224, shorter=256).draw(
      np.random.default_rng(0).integers(0, 2**32, (4, 4000), np.uint32), 224, 224)
  found = crops.compiled_windows()(drawn, height, width, 224).numpy()
  assert (found[:, 2:] == side).all()
  for places, size in zip(found.T, (height, width), strict=False):
    counts = np.bincount(places, minlength=size - side + 1)
    assert len(counts) == size - side + 1 and counts.min() > 0
    # Standard errors of a uniform count, with as many chances as places.
    assert abs(counts / len(found) * len(counts) - 1).max() < 5 * (len(counts) / len(found))**0.5


def test_a_crop_larger_than_the_shorter_side_is_refused():
  with pytest.raises(errors.ConfigError, match='shorter=200; allowed: integers from its size, 224'):
    crops.Crop(size=224, shorter=200)


@pytest.mark.parametrize('height, width', [(375, 500), (480, 200)])
def test_windows_have_the_distribution_of_the_op(height, width):
  count = 4000
  drawn = helpers.crop_draws(2, _rows(count))
  found = crops.windows(drawn['ratio'], drawn['place'], height, width, 224).numpy()

  @tf.function
  def sample(i):
    begin, size, _ = tf.image.stateless_sample_distorted_bounding_box(
        [height, width, 3], tf.constant([[[0., 0., 1., 1.]]]), seed=tf.stack([i, 0]),
        min_object_covered=0.1, aspect_ratio_range=(3 / 4, 4 / 3), area_range=(0.08, 1.0),
        max_attempts=10, use_image_if_no_bounding_boxes=True)
    return tf.concat([begin[:2], size[:2]], 0)

  wanted = tf.map_fn(sample, tf.range(count)).numpy()
  whole = (wanted[:, 2:] == [height, width]).all(1)
  wanted[whole] = crops.centre(height, width, 224).numpy()
  columns = lambda box: [*box.T, box[:, 2] * box[:, 3], box[:, 3] / box[:, 2],
                         box[:, 0] + box[:, 2], box[:, 1] + box[:, 3]]
  for ours, theirs in zip(columns(found), columns(wanted), strict=True):
    assert _kolmogorov(ours, theirs) < 1.95 * np.sqrt(2 / count)  # p = 0.001


def _kolmogorov(a, b):
  """The largest difference of two empirical distribution functions."""
  at = np.concatenate([a, b])
  share = lambda x: np.searchsorted(np.sort(x), at, side='right') / len(x)
  return np.abs(share(a) - share(b)).max()


def test_draws_are_a_function_of_the_row():
  drawn, part = helpers.crop_draws(3, _rows(50)), helpers.crop_draws(
      3, views.Rows(*(x[20:25] for x in _rows(50))))
  for name, values in part.items():
    np.testing.assert_array_equal(values, drawn[name][20:25])
  assert (helpers.crop_draws(3, _rows(50, epoch=1))['ratio'] != drawn['ratio']).all()
  assert (helpers.crop_draws(3, _rows(50), 'partner_')['ratio'] != drawn['ratio']).all()
  assert abs(helpers.crop_draws(3, _rows(10_000))['flip'].mean() - 0.5) < 0.02


def _encoded(height=150, width=200):
  return tf.io.encode_jpeg(photographs.crop(height, width), quality=95)


def test_views_are_resized_slices_of_one_decoded_image():
  drawn = helpers.crop_draws(4, _rows(6))
  image = tf.io.decode_jpeg(_encoded())
  boxes = crops.windows(drawn['ratio'], drawn['place'], 150, 200, 32).numpy()
  wanted = []
  for (top, left, h, w), flipped in zip(boxes, drawn['flip'], strict=True):
    x = tf.image.resize(image[top:top + h, left:left + w], [32, 32], 'bicubic').numpy()
    x = np.clip(np.rint(x), 0, 255).astype(np.uint8)
    wanted.append(x[:, ::-1] if flipped else x)
  found = crops.views_of(image, drawn, 32)
  test_bicubic.assert_equal_but_for_the_order_of_sums(found, wanted)
  dataset = tf.data.Dataset.from_tensors((image, drawn)).map(
      lambda image, drawn: crops.views_of(image, drawn, 32))
  np.testing.assert_array_equal(next(dataset.as_numpy_iterator()), found)
  assert 0 < drawn['flip'].sum() < 6


def test_decoding_the_window_alone_gives_the_same_view():
  encoded = _encoded()
  image = tf.io.decode_jpeg(encoded)
  for i in range(8):
    drawn = {k: v[i:i + 1] for k, v in helpers.crop_draws(5, _rows(8)).items()}
    fused = crops.view_of_bytes(encoded, drawn, 48).numpy().astype(int)
    full = crops.views_of(image, drawn, 48).numpy().astype(int)
    # Equal but for colour smoothing at the window's edge; another window would differ everywhere.
    assert np.abs(fused - full).mean() < 0.5


def test_resize_crop_32_ignores_the_aspect():
  image = tf.constant(photographs.crop(100, 140))
  whole = tf.image.resize(image, [96, 96], 'bicubic').numpy()
  wanted = np.clip(np.rint(whole), 0, 255)[16:80, 16:80]
  np.testing.assert_array_equal(crops.resize_crop_32(image, 64), wanted)


def test_crop_resize_takes_the_middle_of_the_short_side():
  image = tf.constant(photographs.crop(256, 280, top=0, left=0, zoom=1))
  # 224 / 256 of 256 is 224: nothing is resized.
  wanted = image[16:240, 28:252]
  np.testing.assert_array_equal(crops.crop_resize(image, 224), wanted)


def test_resize_short_takes_all_of_the_short_side():
  image = photographs.crop(256, 280, top=0, left=0, zoom=1)
  # Nothing is resized.
  np.testing.assert_array_equal(crops.resize_short(tf.constant(image), 256), image[:, 12:268])
  upright = image.transpose((1, 0, 2))
  np.testing.assert_array_equal(crops.resize_short(tf.constant(upright), 256), upright[12:268])


@pytest.mark.parametrize('name', crops.EVALUATION)
def test_evaluation_crops_take_a_single_pixel(name):
  image = tf.constant([[[1, 2, 3]]], tf.uint8)
  np.testing.assert_array_equal(
      crops.EVALUATION[name](image, 8), np.broadcast_to([1, 2, 3], (8, 8, 3)))
