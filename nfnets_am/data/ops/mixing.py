"""Mixing two images into one row, with partners that are always another unique image.

A method is its draws (numpy), which hold the weight of the row's own label, and its application to
pixels (tf). To add one, write a class with `draw` and `apply` and a line in `MIXING`.

Fort et al. 2021 sec. 5: "Mixup and CutMix are applied to different training inputs, not different
augmentations of the same image."
"""

from collections.abc import Sequence
import dataclasses
from typing import Any
import zlib

import numpy as np
import scipy.special

from nfnets_am.core import calls as calls_lib
from nfnets_am.core import errors
from nfnets_am.core import registry
from nfnets_am.data import draws as draws_lib
from nfnets_am.data import tensorflow
from nfnets_am.data import views

PARTNERS = ('batch', 'fresh')


@dataclasses.dataclass(frozen=True, kw_only=True)
class MixUp:
  """Weighted mean of two images (Zhang et al. 2018).

  Attributes:
    alpha: the weight is drawn from Beta(alpha, alpha); NFNets use 0.2.
  """
  alpha: float = 0.2

  def __post_init__(self):
    if isinstance(self.alpha, bool) or not isinstance(self.alpha, (int, float)) or self.alpha <= 0:
      raise errors.ConfigError(f'mixup has alpha={self.alpha!r}; allowed: numbers above 0')

  def draw(self, words: np.ndarray, height: int, width: int) -> dict[str, np.ndarray]:
    # The inverse of the distribution function: no rejection, so a row takes a fixed number of
    # words. 53 bits, since Beta(0.2, 0.2) crowds at 0 and 1.
    bits = (words[0].astype(np.uint64) << np.uint64(21)) | (words[1] >> np.uint32(11))
    weight = scipy.special.betaincinv(self.alpha, self.alpha, bits.astype(np.float64) * 2.0**-53)
    return {'weight': weight.astype(np.float32)}

  def apply(self, own: Any, partner: Any, draws: dict[str, Any]) -> Any:
    tf = tensorflow.import_tensorflow()
    weight = draws['weight'][..., None, None, None]
    own, partner = tf.cast(own, tf.float32), tf.cast(partner, tf.float32)
    # A weighted mean of bytes is one after rounding: nothing to clip.
    return tf.cast(weight * own + (1 - weight) * partner + 0.5, tf.uint8)


@dataclasses.dataclass(frozen=True, kw_only=True)
class CutMix:
  """The row's own image inside a box, its partner outside (Yun et al. 2019, as NFNets do it).

  With lambda uniform in [0, 1), the box reaches int(sqrt(1 - lambda) S) // 2 pixels to either side
  of a uniform centre and is clipped at the border. The weight is the box's share of the pixels
  that it really covers, 0.32 on average: the public code pastes the row's own image as the patch.
  """

  def draw(self, words: np.ndarray, height: int, width: int) -> dict[str, np.ndarray]:
    ratio = np.sqrt(1 - draws_lib.uniform(words[0]))
    box = {}
    for low, high, word, size in (('top', 'bottom', words[1], height),
                                  ('left', 'right', words[2], width)):
      centre = draws_lib.integers(word, size)
      reach = (ratio * np.float32(size)).astype(np.int32) // 2
      box[low], box[high] = np.maximum(centre - reach, 0), np.minimum(centre + reach, size)
    area = (box['bottom'] - box['top']) * (box['right'] - box['left'])
    return {'weight': (area / (height * width)).astype(np.float32), **box}

  def apply(self, own: Any, partner: Any, draws: dict[str, Any]) -> Any:
    tf = tensorflow.import_tensorflow()
    height, width = own.shape[-3:-1]
    edge = lambda name: draws[name][..., None]
    rows, cols = tf.range(height), tf.range(width)
    rows = (rows >= edge('top')) & (rows < edge('bottom'))
    cols = (cols >= edge('left')) & (cols < edge('right'))
    return tf.where((rows[..., :, None] & cols[..., None, :])[..., None], own, partner)


# Each method draws from words uint32 [4, R] a dict of arrays [R] with 'weight' float32 in [0, 1],
# the share of the row's own label, and applies a row [...] of it to uint8 [..., H, W, C] twice.
MIXING = registry.Registry('mixing method', {'cutmix': CutMix, 'mixup': MixUp})


class Mixing:
  """Several methods, each for an equal share of the rows.

  Attributes:
    text: how the config spells it.
    methods: the methods, in order. Row (image p of the update, view i) takes number
      (p + i) modulo their number: half the rows each for two, and half the views of each image.
    partners: 'batch' takes partners from the update's own rows; 'fresh' takes them from as many
      further unique images, as the published NFNet pipeline does.
  """

  def __init__(self, text: str, partners: str):
    """Reads e.g. 'mixup(alpha=0.2) | cutmix()'; raises errors.ConfigError."""
    if partners not in PARTNERS:
      raise errors.ConfigError(f'mixing has partners={partners!r}; allowed: {", ".join(PARTNERS)}')
    self.text = text
    self.partners = partners
    self.methods = [MIXING.make(name, **kwargs) for name, kwargs in calls_lib.calls(text)]

  def draws(self, augment_seed: int, rows: views.Rows, position: np.ndarray, height: int,
            width: int) -> dict[str, np.ndarray]:
    """Draws of R rows.

    Args:
      augment_seed: in [0, 2**32).
      rows: int32 [R] each.
      position: int [R], number of the row's unique image within the update over all hosts.
      height: H of the crops.
      width: W of the crops.

    Returns:
      Arrays [R]: 'method' int32, 'weight' float32 and whatever else the methods draw, 0 where a
      row's method does not draw it.
    """
    words = draws_lib.view_words(augment_seed, ['mix'], rows.epoch, rows.example, rows.view)[0]
    method = ((position + rows.view) % len(self.methods)).astype(np.int32)
    drawn = {'method': method}
    for i, op in enumerate(self.methods):
      for name, value in op.draw(words, height, width).items():
        drawn[name] = np.where(method == i, value, drawn.get(name, np.zeros_like(value)))
    return drawn

  def apply(self, own: Any, partner: Any, draws: dict[str, Any]) -> Any:
    """Mixes uint8 [H, W, C] with its partner's, given one row of `draws` (tf or numpy scalars)."""
    tf = tensorflow.import_tensorflow()
    return tf.switch_case(tf.convert_to_tensor(draws['method']), [
        lambda op=op: op.apply(own, partner, draws) for op in self.methods])

  def apply_batch(self, own: Any, partner: Any, draws: dict[str, Any]) -> Any:
    """The same for uint8 [R, H, W, C] and draws [R]; every method computes every row."""
    tf = tensorflow.import_tensorflow()
    mixed = own
    for i, op in enumerate(self.methods):
      mine = (tf.convert_to_tensor(draws['method']) == i)[:, None, None, None]
      mixed = tf.where(mine, op.apply(own, partner, draws), mixed)
    return mixed


def pair(own: views.Rows, pool: views.Rows, augment_seed: int, update: int,
         groups: Sequence[int] = (0,)) -> np.ndarray:
  """Gives every row a partner row that shows another unique image.

  Views i of all images of a group are shifted against those of their partners by a random number
  of images, other for every view, group and update. So each row is the partner of exactly one.

  Args:
    own: the R rows; U unique images with n views each, in any order.
    pool: the rows to choose from: `own` itself, or R rows of U further images. The images of both
      are numbered by their first rows.
    augment_seed: in [0, 2**32).
    update: number of the update.
    groups: numbers of the equal groups, over all hosts, that the images are cut into in order;
      partners come from the same group, so that they do not depend on the number of hosts.

  Returns:
    int32 [R], rows of `pool`.

  Raises:
    errors.ConfigError: a group holds a single unique image, or an image is its own partner.
  """
  draws_lib.check_seed('augment', augment_seed)
  position, unique = _positions(own.example)
  pool_position, pool_unique = _positions(pool.example)
  view, pool_view = own.view - own.view.min(), pool.view - pool.view.min()
  size, rest = divmod(unique, len(groups))
  fresh = pool is not own
  if rest or size + fresh < 2 or pool_unique != unique:
    raise errors.ConfigError(
        f'mixing needs partners: {len(own.example)} rows hold {unique} unique images, shared out '
        f'over {len(groups)} groups that mix among themselves, with {pool_unique} images to mix '
        "with; allowed: 2 or more unique images in each group, or partners='fresh'")
  row_of = np.empty((unique, view.max() + 1), np.int32)
  row_of[pool_position, pool_view] = np.arange(len(pool.example), dtype=np.int32)
  group, place = np.divmod(position, size)
  word = draws_lib.philox((update, np.asarray(groups)[group], own.view, 0),
                          (augment_seed, zlib.crc32(b'pair')))[0]
  shift = draws_lib.integers(word, size) if fresh else 1 + draws_lib.integers(word, size - 1)
  partner = row_of[group * size + (place + shift) % size, view]
  same = np.flatnonzero(pool.example[partner] == own.example)
  if len(same):
    raise errors.ConfigError(
        f'image {own.example[same[0]]} of update {update} would be mixed with itself: the images '
        'to mix with are not others than its own')
  return partner


def _positions(example: np.ndarray) -> tuple[np.ndarray, int]:
  """Numbers images by their first rows: int [R] in [0, U), and U."""
  _, first, inverse = np.unique(example, return_index=True, return_inverse=True)
  rank = np.empty(len(first), np.int64)
  rank[np.argsort(first)] = np.arange(len(first))
  return rank[inverse], len(first)
