"""Pixels of batches of small images on the host, for several updates at a time."""

import collections
from collections.abc import Callable
from collections.abc import Iterator
import itertools
from typing import Any

import jax
import numpy as np

from nfnets_am.data import ops
from nfnets_am.data import tensorflow
from nfnets_am.data.ops import arrays
from nfnets_am.data.ops import augmentation as augmentation_lib
from nfnets_am.data.ops.methods import blending

Batch = dict[str, Any]
# What tells where pixels come from, and goes when they are there.
_PLACES = ('index', 'partner_index', 'partner_row')


def apply(images: np.ndarray, augmentation: ops.Augmentation, batches: Iterator[Batch],
          prefetch: int) -> Iterator[Batch]:
  """Makes the views of batches by the ops before `normalise`, in TensorFlow.

  Args:
    images: uint8 [N, H, W, C].
    augmentation: an image's way.
    batches: of numbers, see batches.host_batches; all of the same shapes.
    prefetch: updates made ahead of their use.

  Yields:
    The batches with 'image', and 'partner_image' where partners are mixed in later, in place of
    'index' and the like, and without the draws of ops that are done.

  Raises:
    errors.UserError: TensorFlow is missing.
  """
  tf = tensorflow.import_tensorflow()
  first = next(batches, None)
  if first is None:
    return
  # Partners join where `mix` stands, if it is the host's.
  stop, at = augmentation.at, augmentation.mixed_at
  joined = stop if at is None else min(at, stop)
  leaves, tree = jax.tree.flatten(_needed(first, augmentation, joined))
  shapes, sizes = [x.shape for x in leaves], [x.size for x in leaves]
  beside = collections.deque()

  def numbers():
    # One array: each costs TensorFlow as much time as numpy takes to draw it. What pixels do not
    # need waits beside, in order.
    for batch in itertools.chain([first], batches):
      beside.append(_rest(batch, augmentation, joined))
      yield np.concatenate([x.reshape(-1) for x in jax.tree.leaves(
          _needed(batch, augmentation, joined))], dtype=np.int32, casting='no')

  def apart(numbers):
    parts = (tf.reshape(x, shape)
             for x, shape in zip(tf.split(numbers, sizes), shapes, strict=True))
    return jax.tree.unflatten(tree, parts)

  dataset = tensorflow.from_generator(numbers, tf.TensorSpec([sum(sizes)], tf.int32))
  pixels = tensorflow.as_written(_pixels(images, augmentation, joined, apart))
  dataset = dataset.map(pixels, num_parallel_calls=tf.data.AUTOTUNE)
  dataset = dataset.prefetch(prefetch)
  for views in dataset.with_options(tensorflow.options()).as_numpy_iterator():
    yield beside.popleft() | views


def _needed(batch: Batch, augmentation: ops.Augmentation, joined: int) -> Batch:
  """What pixels follow from: int32 arrays."""
  stops = {'draws': augmentation.at, 'partner_draws': joined}
  needed = {key: batch[key] for key in _PLACES if key in batch}
  return needed | {key: _some(batch[key], augmentation.labels[:stop])
                   for key, stop in stops.items() if key in batch}


def _rest(batch: Batch, augmentation: ops.Augmentation, joined: int) -> Batch:
  """What goes on: rows' facts, and draws of the ops to come."""
  rest = {key: value for key, value in batch.items() if key not in _PLACES}
  if 'partner_row' in batch and joined == augmentation.at:
    # The partner's image goes on by itself, with what was drawn for it as a row.
    rest['partner_draws'] = jax.tree.map(
        lambda x: x[batch['partner_row']],
        _some(batch['draws'], augmentation.labels[:augmentation.mixed_at]))
  if joined < augmentation.at:
    rest.pop('partner_draws', None)
  return rest | {key: _some(rest[key], augmentation.labels[augmentation.at:])
                 for key in ('draws', 'partner_draws') if key in rest}


def _some(draws: Batch, labels: tuple[str, ...]) -> Batch:
  return {label: draws[label] for label in labels if label in draws}


def _pixels(images: np.ndarray, augmentation: ops.Augmentation, joined: int,
            apart: Callable[[Any], Batch]) -> Callable[[Any], Batch]:
  """Returns the function of numbers in one array, which `apart` takes to `_needed`, to the images.

  Compiled functions take them apart themselves, where it costs nothing: outside, each of what they
  need is two ops more.
  """
  tf, xp, stop = tensorflow.import_tensorflow(), arrays.tf(), augmentation.at
  stored = tf.constant(images)

  # Compiled, moving pixels costs a quarter of the CPU time of the fastest TensorFlow op.
  @tf.function(jit_compile=True, autograph=False)
  def alone(image, numbers, prefix):
    draws = _some(apart(numbers)[prefix + 'draws'], augmentation.labels[:joined])
    return augmentation.follow(xp, 0, joined, augmentation_lib.Lane(image, draws))[0]

  # Apart from the first, which it would do pixel by pixel once more.
  @tf.function(jit_compile=True, autograph=False)
  def together(image, partner, numbers):
    needed = apart(numbers)
    draws = _some(needed['draws'], augmentation.labels[joined:stop])
    row = needed['partner_row'] if partner is None else None
    lanes = (augmentation_lib.Lane(image, draws), augmentation_lib.Lane(partner, draws, row))
    # As lines: for images with channels XLA goes through three elements at a time.
    return blending.lines(xp, augmentation.follow(xp, joined, stop, *lanes)[0])

  def made(numbers):
    needed = apart(numbers)
    lane = lambda prefix: alone(tf.gather(stored, needed[prefix + 'index']), numbers, prefix)
    image, row = lane(''), needed.get('partner_row')
    if row is None and 'partner_index' not in needed:
      return {'image': image}
    partner = lane('partner_') if row is None else None
    if row is not None and joined == stop:
      partner = tf.gather(image, row)
    if joined < stop:
      return {'image': tf.reshape(together(image, partner, numbers), tf.shape(image))}
    return {'image': image, 'partner_image': partner}

  return made
