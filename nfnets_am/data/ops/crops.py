"""Random windows of a decoded image, and the two published ways to cut one for evaluation.

The windows follow the law of tf.image.sample_distorted_bounding_box as the NFNet pipeline calls it:
area 0.08 to 1 (less than 0.1 is refused by min_object_covered=0.1), ratio 3/4 to 4/3, 10 attempts,
and a centre crop where the window is the whole image. What is random about a window is drawn
before the size of the image is known, so the same seed gives the same window whether the whole
image is decoded or only the window.
"""

from collections.abc import Mapping
import dataclasses
from typing import Any
from typing import ClassVar

import numpy as np

from nfnets_am.core import errors
from nfnets_am.core import registry
from nfnets_am.data import draws as draws_lib
from nfnets_am.data import tensorflow
from nfnets_am.data.ops import base
from nfnets_am.data.ops import bicubic

ATTEMPTS = 10
_AREA = (0.08, 1.0)
_COVERED = 0.1
_RATIO = (3 / 4, 4 / 3)
# The published centre crop leaves 32 pixels around 224, and so in proportion.
_MARGIN = 32


@dataclasses.dataclass(frozen=True, kw_only=True)
class Crop(base.Op):
  """A random window, bicubically resized to one size: a streamed image's first op.

  The reader applies it, image by image (`views_of`), and a `flip()` behind it with it.

  Attributes:
    size: S, pixels of a crop's side.
    shorter: 0 takes windows of all areas and ratios. Else any square of S pixels of the image, once
      its shorter side is resized to so many: Resize(256) and RandomCrop(224) of torchvision, with
      which Hoffer et al. 2020 train AlexNet and MobileNet.
  """
  works_on: ClassVar[tuple[str, ...]] = (base.BYTES,)
  size: int
  shorter: int = 0

  def __post_init__(self):
    if type(self.size) is not int or self.size < 8:
      raise errors.ConfigError(f'crop has size={self.size!r}; allowed: integers from 8, in pixels')
    if type(self.shorter) is not int or self.shorter and self.shorter < self.size:
      raise errors.ConfigError(
          f'crop has shorter={self.shorter!r}; allowed: integers from its size, {self.size}, or 0')

  @property
  def blocks(self) -> int:
    return 1 if self.shorter else ATTEMPTS

  def draw(self, words, height, width):
    """Returns 'ratio' float32 [R, ATTEMPTS], width over height, and 'place' int64 [R, ATTEMPTS, 3],
    random words in [0, 2**32) for height, top and left. With `shorter`: 'share' float32 [R], of the
    shorter side, and 'place' int64 [R, 2], for top and left."""
    if self.shorter:
      return {'share': np.full(words.shape[1], self.size / self.shorter, np.float32),
              'place': words[:2].T.astype(np.int64)}
    words = np.moveaxis(words.reshape(ATTEMPTS, 4, -1), 0, -1)
    # Here and not with the rest: a compiler that fuses this product and sum would move windows.
    low, high = np.float32(_RATIO)
    ratio = draws_lib.uniform(words[0]) * (high - low) + low
    return {'ratio': ratio, 'place': np.moveaxis(words[1:], 0, -1).astype(np.int64)}


def windows(ratio: Any, place: Any, height: Any, width: Any, size: int) -> Any:
  """Turns draws into windows of an image.

  Args:
    ratio: float32 [n, ATTEMPTS].
    place: int64 [n, ATTEMPTS, 3].
    height: of the image, int32 scalar.
    width: of the image, int32 scalar.
    size: of the crop after the resize, which sets how wide the centre crop is.

  Returns:
    tf.Tensor int32 [n, 4]: top, left, height, width of each window, inside the image.
  """
  tf = tensorflow.import_tensorflow()
  height, width = tf.convert_to_tensor(height, tf.int32), tf.convert_to_tensor(width, tf.int32)
  whole = tf.cast(height * width, tf.float32)
  low, high = np.float32(_AREA[0]) * whole, np.float32(_AREA[1]) * whole
  to_int = lambda x: tf.cast(tf.round(x), tf.int32)
  to_width = lambda h: to_int(tf.cast(h, tf.float32) * ratio)
  area = lambda h, w: tf.cast(h * w, tf.float32)

  largest = to_int(tf.sqrt(high / ratio))
  fitting = tf.cast((tf.cast(width, tf.float32) + np.float32(0.5)) / ratio, tf.int32)
  fitting = tf.where(to_width(fitting) > width, fitting - 1, fitting)
  largest = tf.minimum(tf.where(to_width(largest) > width, fitting, largest), height)
  smallest = tf.minimum(to_int(tf.sqrt(low / ratio)), largest)
  h = smallest + _integers(tf, place[..., 0], largest - smallest + 1)
  # Rounding may have left the range of areas by one row.
  h = tf.where(area(h, to_width(h)) < low, h + 1, h)
  h = tf.where(area(h, to_width(h)) > high, h - 1, h)
  w = to_width(h)
  good = ((area(h, w) >= tf.maximum(low, np.float32(_COVERED) * whole)) & (area(h, w) <= high)
          & (w <= width) & (h <= height) & (w > 0) & (h > 0))
  # The last possible place is never taken: so does the op.
  top = _integers(tf, place[..., 1], height - h)
  left = _integers(tf, place[..., 2], width - w)
  attempts = tf.stack([top, left, h, w], axis=-1)
  first = tf.argmax(good, axis=1, output_type=tf.int32)
  chosen = tf.gather(attempts, first, batch_dims=1)
  is_whole = (chosen[:, 2] == height) & (chosen[:, 3] == width)
  failed = ~tf.reduce_any(good, axis=1)
  return tf.where((failed | is_whole)[:, None], centre(height, width, size)[None], chosen)


def squares(share: Any, place: Any, height: Any, width: Any) -> Any:
  """Turns draws of crops with `shorter` into windows of an image.

  Args:
    share: float32 [n], of the shorter side that a window has.
    place: int64 [n, 2].
    height: of the image, int32 scalar.
    width: of the image, int32 scalar.

  Returns:
    tf.Tensor int32 [n, 4]: top, left, height, width of each window, every place equally likely.
  """
  tf = tensorflow.import_tensorflow()
  height, width = tf.convert_to_tensor(height, tf.int32), tf.convert_to_tensor(width, tf.int32)
  side = tf.cast(tf.round(share * tf.cast(tf.minimum(height, width), tf.float32)), tf.int32)
  side = tf.maximum(side, 1)
  return tf.stack([_integers(tf, place[:, 0], height - side + 1),
                   _integers(tf, place[:, 1], width - side + 1), side, side], axis=-1)


def compiled_windows() -> Any:
  """Returns (draws, height, width, size) -> boxes, compiled by XLA; `size` is static."""
  return tensorflow.compiled(_boxes)


def centre(height: Any, width: Any, size: int) -> Any:
  """Returns int32 [4]: the square of size / (size + 32) of the short side in the middle."""
  tf = tensorflow.import_tensorflow()
  side = tf.cast(np.float32(size / (size + _MARGIN))
                 * tf.cast(tf.minimum(height, width), tf.float32), tf.int32)
  side = tf.maximum(side, 1)
  return tf.stack([(height - side + 1) // 2, (width - side + 1) // 2, side, side])


def views_of(image: Any, draws: Mapping[str, Any], size: int, total: int = 0) -> Any:
  """Cuts n views out of one decoded image: window, bicubic resize, flip.

  Args:
    image: tf.Tensor uint8 [H, W, 3], any size.
    draws: as Crop draws them for n views, n static; 'flip' int32 [n], 1 mirrors
      left to right.
    size: S.
    total: views of the image in an update over all hosts; 0 is n.

  Returns:
    uint8 [n, S, S, 3].
  """
  tf = tensorflow.import_tensorflow()
  shape = tf.shape(image)
  boxes = compiled_windows()(draws, shape[0], shape[1], size)
  return bicubic.resize_windows(
      image, boxes, draws['flip'], size, total=total or draws['flip'].shape[0])


def view_of_bytes(encoded: Any, draws: Mapping[str, Any], size: int) -> Any:
  """`views_of` for n = 1 and a JPEG that decodes no more than the window: uint8 [1, S, S, 3].

  A third faster than decoding it all. Pixels at the edges of the window may differ by a few
  levels, since the decoder smooths colour across blocks that it has.
  """
  tf = tensorflow.import_tensorflow()
  shape = tf.image.extract_jpeg_shape(encoded)
  box = compiled_windows()(draws, shape[0], shape[1], size)[0]
  window = tf.io.decode_and_crop_jpeg(encoded, box, channels=3)
  return bicubic.resize_flip(window, draws['flip'][0], size)[None]


def crop_resize(image: Any, size: int) -> Any:
  """The centre crop, bicubically resized (NF-ResNets): uint8 [H, W, 3] to [S, S, 3]."""
  tf = tensorflow.import_tensorflow()
  shape = tf.shape(image)
  top, left, height, width = tf.unstack(centre(shape[0], shape[1], size))
  return bicubic.resize(image[top:top + height, left:left + width], size, size)


def resize_crop_32(image: Any, size: int) -> Any:
  """All of it to (S + 32)**2 whatever its aspect, then the middle S (NFNets): uint8 [S, S, 3]."""
  half = _MARGIN // 2
  return bicubic.resize(image, size + _MARGIN, size + _MARGIN)[half:half + size, half:half + size]


def resize_short(image: Any, size: int) -> Any:
  """The short side to S, then the middle S x S: uint8 [H, W, 3] to [S, S, 3].

  At S = 256 what Summers 2021, sec. B.3, cuts windows of 224 from (evaluation/views.py).
  """
  tf = tensorflow.import_tensorflow()
  shape = tf.shape(image)
  side = tf.minimum(shape[0], shape[1])
  top, left = (shape[0] - side + 1) // 2, (shape[1] - side + 1) // 2
  return bicubic.resize(image[top:top + side, left:left + side], size, size)


# fn(image uint8 [H, W, 3], size) -> uint8 [size, size, 3].
EVALUATION = registry.Registry('evaluation crop', {
    'crop_resize': crop_resize, 'resize_crop_32': resize_crop_32, 'resize_short': resize_short})


def _boxes(draws: Mapping[str, Any], height: Any, width: Any, size: int) -> Any:
  if 'share' in draws:
    return squares(draws['share'], draws['place'], height, width)
  return windows(draws['ratio'], draws['place'], height, width, size)


def _integers(tf: Any, words: Any, bound: Any) -> Any:
  """int32 in [0, bound), 0 if bound is not positive; words int64 in [0, 2**32)."""
  return tf.cast(tf.bitwise.right_shift(
      words * tf.cast(tf.maximum(bound, 0), tf.int64), tf.constant(32, tf.int64)), tf.int32)
