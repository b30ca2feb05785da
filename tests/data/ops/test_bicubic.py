"""Resized windows against tf.image.resize of each window, and the kernel against its definition."""

import numpy as np
import pytest

from nfnets_am.data import tensorflow
from nfnets_am.data.ops import bicubic
from tests.data import photographs

tf = tensorflow.import_tensorflow()


def assert_equal_but_for_the_order_of_sums(found, wanted):
  """Bytes whose sums lie next to one half may be rounded to either side; others are equal."""
  found, wanted = np.asarray(found).astype(int), np.asarray(wanted).astype(int)
  assert found.shape == wanted.shape
  assert np.abs(found - wanted).max() <= 1
  assert (found != wanted).mean() < 1e-3


def _by_the_op(image, boxes, flipped, size):
  wanted = []
  for (top, left, h, w), flip in zip(boxes, flipped, strict=True):
    x = tf.image.resize(image[top:top + h, left:left + w], [size, size], 'bicubic').numpy()
    x = np.clip(np.rint(x), 0, 255).astype(np.uint8)
    wanted.append(x[:, ::-1] if flip else x)
  return wanted


# The last three are resized by the op, if windows are many: too tall, too wide, both.
@pytest.mark.parametrize('height, width', [
    (150, 200), (200, 150), (1, 1), (2, 300), (300, 2), (128, 256), (129, 257),
    (1100, 40), (40, 1100), (1030, 1030)])
def test_windows_are_resized_as_the_op_does(height, width):
  image = np.asarray(photographs.crop(height, width))
  rng = np.random.default_rng(height + width)
  size, boxes = 48, [(0, 0, height, width), (height - 1, width - 1, 1, 1)]
  for _ in range(6):
    h, w = rng.integers(1, height + 1), rng.integers(1, width + 1)
    boxes.append((rng.integers(height - h + 1), rng.integers(width - w + 1), h, w))
  flipped = np.arange(len(boxes), dtype=np.int32) % 2
  boxes = np.array(boxes, np.int32)
  wanted = _by_the_op(image, boxes, flipped, size)
  found = bicubic.resize_windows(tf.constant(image), tf.constant(boxes), flipped, size, total=8)
  assert_equal_but_for_the_order_of_sums(found, wanted)
  # As in the pipeline, where the size of the image is not known while the graph is made.
  graph = tf.function(
      lambda x, boxes, flipped: bicubic.resize_windows(x, boxes, flipped, size, total=8),
      input_signature=[tf.TensorSpec([None, None, 3], tf.uint8),
                       tf.TensorSpec(boxes.shape, tf.int32), tf.TensorSpec([len(boxes)], tf.int32)])
  np.testing.assert_array_equal(graph(image, boxes, flipped), found)


@pytest.mark.parametrize('height, width, size', [
    (150, 200, 48), (63, 64, 57), (1, 1, 16), (2, 120, 130), (127, 2, 8), (1024, 30, 32),
    (1025, 30, 32)])
def test_a_window_alone_is_resized_as_the_op_does(height, width, size):
  image = np.asarray(photographs.crop(height, width))
  box = (0, 0, height, width)
  graph = tf.function(
      lambda x, flipped: bicubic.resize_flip(x, flipped, size),
      input_signature=[tf.TensorSpec([None, None, 3], tf.uint8), tf.TensorSpec([], tf.int32)])
  for flipped in (0, 1):
    (wanted,) = _by_the_op(image, [box], [flipped], size)
    assert_equal_but_for_the_order_of_sums(graph(image, flipped), wanted)


def test_few_windows_of_an_image_are_each_resized_alone():
  image = np.asarray(photographs.crop(100, 120))
  boxes = np.array([(10, 20, 60, 50), (0, 0, 100, 120), (99, 119, 1, 1)], np.int32)
  flipped = np.array([1, 0, 1], np.int32)
  found = bicubic.resize_windows(tf.constant(image), tf.constant(boxes), flipped, 24, total=7)
  for view, (top, left, h, w), flip in zip(found, boxes, flipped, strict=True):
    alone = bicubic.resize_flip(tf.constant(image[top:top + h, left:left + w]), flip, 24)
    np.testing.assert_array_equal(view, alone)
  assert_equal_but_for_the_order_of_sums(found, _by_the_op(image, boxes, flipped, 24))


def test_pixels_outside_of_the_window_do_not_count():
  image = np.full((60, 80, 3), 255, np.uint8)
  image[20:40, 30:60] = photographs.crop(20, 30)
  box = np.array([[20, 30, 20, 30]], np.int32)
  found = bicubic.resize_windows(
      tf.constant(image), tf.constant(box), np.array([0], np.int32), 16, total=8)
  wanted = bicubic.resize(tf.constant(image[20:40, 30:60]), 16, 16)
  assert_equal_but_for_the_order_of_sums(found[0], wanted)


def test_a_window_of_its_own_size_is_the_window_and_a_flip_its_mirror():
  image = np.asarray(photographs.crop(64, 96))
  boxes = np.array([[3, 5, 32, 32], [3, 5, 32, 32]], np.int32)
  plain, mirrored = bicubic.resize_windows(
      tf.constant(image), tf.constant(boxes), np.array([0, 1], np.int32), 32, total=8)
  np.testing.assert_array_equal(plain, image[3:35, 5:37])
  np.testing.assert_array_equal(mirrored, image[3:35, 5:37][:, ::-1])
