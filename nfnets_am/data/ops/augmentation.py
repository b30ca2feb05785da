"""A sequence of ops: all its draws at once, its pixels on the host or on the device."""

from collections.abc import Mapping
from collections.abc import Sequence
import itertools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from nfnets_am.core import errors
from nfnets_am.data import draws as draws_lib
from nfnets_am.data import views
from nfnets_am.data.ops import base
from nfnets_am.data.ops import geometry
from nfnets_am.data.ops.normalise import Normalise

Draws = Mapping[str, Mapping[str, Any]]


class Augmentation:
  """What happens to an image between the data set and the model.

  Draws are keyed by label: an op's name, and for its second and third occurrence 'flip_2',
  'flip_3'. Empty draws mean no augmentation: evaluation, and multiplicity 0.

  Attributes:
    text: how the config spells it.
    pixel_ops: label -> op on uint8, before `normalise`.
    float_ops: label -> op on float32, after it.
  """

  def __init__(self, text: str, ops: Sequence[tuple[str, Any]]):
    """Takes (name, op) in order; raises errors.ConfigError as `ops.parse` says."""
    self.text = text
    positions = [i for i, (_, op) in enumerate(ops) if isinstance(op, Normalise)]
    if len(positions) != 1:
      raise errors.ConfigError(
          f'the augmentation {text!r} has {len(positions)} normalise(); allowed: exactly one')
    labelled = _label(ops)
    self._normalise = ops[positions[0]][1]
    self.pixel_ops = dict(labelled[:positions[0]])
    self.float_ops = dict(labelled[positions[0] + 1:])
    for side, kind, allowed in ((self.pixel_ops, base.PixelOp, 'after'),
                                (self.float_ops, base.FloatOp, 'before')):
      for label, op in side.items():
        if not isinstance(op, kind):
          raise errors.ConfigError(
              f'the augmentation {text!r} has {label} on the wrong side of normalise(); '
              f'allowed: {allowed} it')

  def check(self, height: int, width: int) -> None:
    """Raises errors.ConfigError if an op cannot work on images of this size."""
    for op in (*self.pixel_ops.values(), *self.float_ops.values()):
      op.check(height, width)

  def draws(self, augment_seed: int, rows: views.Rows, height: int, width: int
            ) -> dict[str, dict[str, np.ndarray]]:
    """Draws of all ops for R views.

    Args:
      augment_seed: in [0, 2**32).
      rows: example, epoch and view of each row, int32 [R].
      height: H of the images.
      width: W of the images.

    Returns:
      Label -> name -> int32 [R]. A row's draws depend on nothing but the seed, the row and the
      label.
    """
    ops = {**self.pixel_ops, **self.float_ops}
    words = draws_lib.view_words(augment_seed, list(ops), rows.epoch, rows.example, rows.view)
    return {label: op.draw(w, height, width)
            for (label, op), w in zip(ops.items(), words, strict=True)}

  def apply_host(self, images: Any, draws: Draws) -> Any:
    """Applies the ops before `normalise` in TensorFlow, eagerly or inside Dataset.map.

    Args:
      images: tf.Tensor uint8 [R, H, W, C]; H, W and C static.
      draws: label -> name -> int32 [R]; empty for the raw images.

    Returns:
      tf.Tensor uint8 [R, H, W, C].
    """
    for fused, labels in self._stages(draws):
      if fused:
        images = geometry.move_host(images, [(self.pixel_ops[k], draws[k]) for k in labels])
      else:
        images = self.pixel_ops[labels[0]].apply_host(images, draws[labels[0]])
    return images

  def apply_device(self, images: jax.Array, draws: Draws, index: jax.Array | None = None
                   ) -> jax.Array:
    """Applies the ops before `normalise` in JAX: the same pixels as `apply_host`.

    Args:
      images: uint8 [N, H, W, C].
      draws: label -> name -> int32 [R]; empty for the raw images.
      index: int32 [R], the image that each row shows; by default row r shows image r.

    Returns:
      uint8 [R, H, W, C].
    """
    for fused, labels in self._stages(draws):
      if fused:
        moves = [(self.pixel_ops[k], draws[k]) for k in labels]
        images, index = geometry.move_device(images, index, moves), None
      else:
        images, index = images if index is None else jnp.take(images, index, axis=0), None
        images = self.pixel_ops[labels[0]].apply_device(images, draws[labels[0]])
    return images if index is None else jnp.take(images, index, axis=0)

  def finish(self, images: jax.Array, draws: Draws, mean: Sequence[float], std: Sequence[float]
             ) -> jax.Array:
    """Applies `normalise` and the ops after it; always on the device, in the training step.

    Args:
      images: uint8 [R, H, W, C].
      draws: label -> name -> int32 [R]; empty for evaluation and for multiplicity 0.
      mean: C numbers, in units of [0, 1].
      std: C numbers, in units of [0, 1].

    Returns:
      float32 [R, H, W, C]; the model casts it.
    """
    images = self._normalise.apply(images, mean, std)
    for label, op in self.float_ops.items() if draws else ():
      images = op.apply_device(images, draws[label])
    return images

  def _stages(self, draws: Draws) -> list[tuple[bool, list[str]]]:
    """(True, labels of neighbouring geometric ops) or (False, [label]), in order."""
    if not draws:
      return []
    is_geometric = lambda label: isinstance(self.pixel_ops[label], geometry.GeometricOp)
    stages = []
    for fused, group in itertools.groupby(self.pixel_ops, is_geometric):
      labels = list(group)
      stages += [(True, labels)] if fused else [(False, [label]) for label in labels]
    return stages


def _label(ops: Sequence[tuple[str, Any]]) -> list[tuple[str, Any]]:
  """Replaces names by labels that are unique: the k-th 'flip' is 'flip_k' from the second on."""
  labelled, seen = [], {}
  for name, op in ops:
    seen[name] = seen.get(name, 0) + 1
    labelled.append((name if seen[name] == 1 else f'{name}_{seen[name]}', op))
  return labelled
