"""Test-time augmentation: the mean of the logits of several views of each image.

The views are windows of the image, with black pixels around it where asked, and mirror images of
these. Summers 2021, sec. 5.5 and B.3:

  views(flip=True)                        the image and its mirror image
  views(flip=True, pad=4)                 CIFAR, 81 crops of training and their mirror images: 162
  views(pad=1)                            MNIST, 9 crops
  views(size=224, stride=16, flip=True)   ImageNet, a 3x3 grid of stored 256x256 images: 18
  views(size=224, stride=0)               the middle one alone, as such images are tested else

Hoffer et al. 2020, table 4, draw ten of the views of training:

  views(flip=True, pad=4, random=10)      CIFAR
  views(crops=10)                         a streamed set, by the crop and the flip of data.augment

Logits are averaged and not probabilities, in both.
"""

from collections.abc import Mapping
import itertools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from nfnets_am.core import errors
from nfnets_am.evaluation import accuracy
from nfnets_am.evaluation import evaluation
from nfnets_am.models import model


def views(*, flip: bool = False, pad: int = 0, size: int = 0, stride: int = 1,
          original: bool = False, random: int = 0, crops: int = 0, seed: int = 0
          ) -> evaluation.Evaluate:
  """Takes as many forward passes as there are views, one after the other.

  Args:
    flip: whether each window is seen from the left and from the right.
    pad: black pixels on each side, 0 or more.
    size: side of a window; 0 is the image's own.
    stride: pixels between windows, from the upper left corner on; 0 is the middle one alone.
    original: whether the image itself is one view more, as in the public code of Summers 2021 (163
      views in place of 162): its windows have it already.
    random: so many views of each image, drawn with replacement from those above; 0 takes all.
    crops: so many views of each image of a streamed set as training cuts them, in place of windows;
      an image is decoded once for all of them. A step holds `crops` times its examples: `batch` is
      to be so much smaller.
    seed: of what is drawn; an image's views depend on it and on the image's place in the split.

  Raises:
    ConfigError: a value out of its range, an original that is not among the windows or the only
      one, or crops with windows. From the first batch: a window that is larger than the padded
      image.
  """
  for key, value in (('pad', pad), ('size', size), ('stride', stride), ('random', random),
                     ('crops', crops)):
    if value < 0:
      raise errors.ConfigError(f'the evaluation views has {key}={value}; allowed: 0 or more')
  if original and (size or not pad):
    raise errors.ConfigError(
        f'the evaluation views has original=True with size={size} and pad={pad}; allowed: with a '
        'pad and without a size, so that windows are as large as the image and more than it')

  if crops:
    if flip or pad or size or stride != 1 or random:
      raise errors.ConfigError(
          f'the evaluation views has crops={crops} with keys of windows; allowed: crops and a seed '
          'alone, since data.augment says what training cuts')
    return _of_crops(crops, seed)

  def evaluate(apply: Any, params: Any, state: model.State, rng: jax.Array,
               batch: Mapping[str, Any]) -> evaluation.Rows:
    del rng
    images = batch['inputs']
    logits_of = lambda images: apply(params, state, None, images, model.EVALUATION)[0].logits
    side = size or images.shape[1], size or images.shape[2]
    padded = _padded(images, batch['black'], pad) if pad else images
    windows = np.array(list(itertools.product(
        _offsets(padded.shape[1], side[0], stride), _offsets(padded.shape[2], side[1], stride),
        range(1 + flip))), np.int32)  # [V, 3]: top, left, whether mirrored.
    if random:
      keys = jax.vmap(lambda i: jax.random.fold_in(jax.random.key(seed), i))(batch['example'])
      drawn = jax.vmap(lambda key: jax.random.randint(key, (random,), 0, len(windows)))(keys)
      windows = jnp.asarray(windows)[drawn.T]  # [V, B, 3].

    def add(total, window):
      return total + logits_of(_view(padded, window, side)), None

    first = logits_of(images) if original else None
    if first is None:
      like = jax.eval_shape(lambda: logits_of(_view(padded, windows[0], side)))
      first = jnp.zeros(like.shape, like.dtype)
    total, _ = jax.lax.scan(add, first, jnp.asarray(windows))
    mean = total / (len(windows) + original)
    return accuracy.scores(mean, batch['label']), {'logits': mean}

  return evaluate


def _of_crops(count: int, seed: int) -> evaluation.Evaluate:
  """Of views that the input has cut: 'inputs' [B, V, H, W, C]."""

  def evaluate(apply: Any, params: Any, state: model.State, rng: jax.Array,
               batch: Mapping[str, Any]) -> evaluation.Rows:
    del rng
    images = batch['inputs']
    # Where only its form is asked for, an image stands for its views.
    images = images[None] if images.ndim == 4 else jnp.moveaxis(images, 1, 0)
    logits = jax.lax.map(
        lambda view: apply(params, state, None, view, model.EVALUATION)[0].logits, images)
    mean = logits.mean(0)
    return accuracy.scores(mean, batch['label']), {'logits': mean}

  evaluate.crops = {'count': count, 'seed': seed}
  return evaluate


def _padded(images: jax.Array, black: jax.Array, pad: int) -> jax.Array:
  """Puts black pixels around images [B, H, W, C]."""
  rows, height, width, channels = images.shape
  frame = jnp.broadcast_to(black, (rows, height + 2 * pad, width + 2 * pad, channels))
  return frame.at[:, pad:pad + height, pad:pad + width].set(images)


def _offsets(length: int, side: int, stride: int) -> range:
  """Returns where windows start along one axis."""
  last = length - side
  if last < 0:
    raise errors.ConfigError(
        f'the evaluation views has size={side} for padded images of {length} pixels; allowed: up '
        f'to {length}')
  return range(0, last + 1, stride) if stride else range(last // 2, last // 2 + 1)


def _view(images: jax.Array, window: jax.Array, side: tuple[int, int]) -> jax.Array:
  """Cuts a window [3] of all images [B, H, W, C], or [B, 3] of each its own."""
  def one(image, window):
    cut = jax.lax.dynamic_slice(image, (window[0], window[1], 0), (*side, image.shape[-1]))
    return jnp.where(window[2] == 1, cut[:, ::-1], cut)

  window = jnp.asarray(window)
  return jax.vmap(one, in_axes=(0, 0 if window.ndim == 2 else None))(images, window)
