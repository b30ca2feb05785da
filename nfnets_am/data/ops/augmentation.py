"""A sequence of ops: all its draws at once, its pixels on the host or on the device."""

from collections.abc import Mapping
from collections.abc import Sequence
import itertools
from typing import Any
from typing import NamedTuple

import jax
import numpy as np

from nfnets_am.core import errors
from nfnets_am.data import draws as draws_lib
from nfnets_am.data import pairing
from nfnets_am.data import views
from nfnets_am.data.ops import arrays
from nfnets_am.data.ops import base
from nfnets_am.data.ops import crops
from nfnets_am.data.ops import geometry
from nfnets_am.data.ops.flip import Flip
from nfnets_am.data.ops.mix import Mix
from nfnets_am.data.ops.normalise import Normalise

Draws = Mapping[str, Mapping[str, Any]]


class Lane(NamedTuple):
  """Images on their way, and what has been drawn for it; rows and their partners are a lane each.

  Attributes:
    image: uint8 or float32 [N, H, W, C]; None, of partners, is the rows once they come to `mix`.
    draws: label -> name -> [R, ...]; empty for raw images.
    index: int32 [R], the image (or row) that each row shows; None is row r of image r.
  """

  image: Any
  draws: Draws
  index: Any | None = None


class Augmentation:
  """What happens to an image between the data set and the model.

  Draws are keyed by label: an op's name, and for its second and third occurrence 'flip_2',
  'flip_3'. Empty draws mean no augmentation: evaluation, and multiplicity 0.

  Attributes:
    text: how the config spells it.
    ops: label -> op, in order.
    labels: of the ops, in order.
    at: the place of `normalise` in them.
    mixed_at: the place of `mix` in them, or None.
    read: how many ops the reader of encoded images applies: a leading crop, and a flip behind it.
  """

  def __init__(self, text: str, ops: Sequence[tuple[str, Any]]):
    """Takes (name, op) in order; raises errors.ConfigError as `ops.parse` says."""
    self.text = text
    self.ops = dict(_label(ops))
    self.labels = tuple(self.ops)
    kinds = list(self.ops.values())
    self.at = _place(text, kinds, Normalise, 'normalise()', least=1)
    self.mixed_at = _place(text, kinds, Mix, 'mix()')
    crop = _place(text, kinds, crops.Crop, 'crop()')
    if crop:
      raise errors.ConfigError(
          f'the augmentation {text!r} has crop() at place {crop + 1}; allowed: as the first op')
    self.read = 0 if crop is None else 1 + isinstance(kinds[1], Flip)
    for i, (label, op) in enumerate(self.ops.items()):
      where = base.BYTES if i <= self.at else base.FLOATS
      if where not in op.works_on:
        raise errors.ConfigError(
            f'the augmentation {text!r} has {label} on the wrong side of normalise(); '
            f'allowed: {"after" if where == base.BYTES else "before"} it')

  @property
  def normalise(self) -> Normalise:
    """The op that parts bytes from floats."""
    return self.ops[self.labels[self.at]]

  @property
  def mix(self) -> Mix | None:
    """The op that mixes rows with partners."""
    return None if self.mixed_at is None else self.ops[self.labels[self.mixed_at]]

  @property
  def _mix_label(self) -> str | None:
    return None if self.mixed_at is None else self.labels[self.mixed_at]

  @property
  def crop(self) -> int | None:
    """S of a leading crop, in pixels."""
    return self.ops[self.labels[0]].size if self.read else None

  @property
  def policy(self) -> pairing.Policy | None:
    """Where partners come from."""
    return self.mix and self.mix.policy

  def bind(self, mean: Sequence[float], std: Sequence[float]) -> 'Augmentation':
    """Returns the augmentation for a data set of this mean and deviation, where it names none."""
    bound = dict(self.ops)
    bound[self.labels[self.at]] = self.normalise.bind(mean, std)
    # Labels in place of names: a label is unique, and so its own.
    return Augmentation(self.text, list(bound.items()))

  def check(self, height: int, width: int) -> None:
    """Raises errors.ConfigError if an op cannot work on images of this size."""
    for op in self.ops.values():
      op.check(height, width)

  def words(self, augment_seed: int, rows: views.Rows, stop: int | None = None,
            prefix: str = '', mix: bool = False) -> dict[str, np.ndarray]:
    """Random words of ops: label -> uint32 [4 blocks, R]; arguments as of `draws`.

    Args:
      augment_seed, rows, stop, prefix: as of `draws`.
      mix: whether `mix` draws for the same rows, too.
    """
    drawing = {label: op.blocks for label in self.labels[:stop]
               if (op := self.ops[label]).blocks and (mix or label != self._mix_label)}
    words = draws_lib.words(
        augment_seed, {prefix + label: blocks for label, blocks in drawing.items()}, rows.epoch,
        rows.example, rows.view)
    return {label: words[prefix + label] for label in drawing}

  def draws(self, augment_seed: int, rows: views.Rows, height: int, width: int,
            stop: int | None = None, prefix: str = '',
            words: Mapping[str, np.ndarray] | None = None) -> dict[str, dict[str, np.ndarray]]:
    """Draws of all ops but `mix` for R views.

    Args:
      augment_seed: in [0, 2**32).
      rows: example, epoch and view of each row, int32 [R].
      height: H of the images.
      width: W of the images.
      stop: how many ops to draw for; None is all.
      prefix: of the labels that draws are made with, 'partner_' for other ones of the same views.
      words: of these ops and rows, where they have been drawn.

    Returns:
      Label -> name -> [R, ...]. A row's draws depend on nothing but the seed, the row and the
      label.
    """
    words = self.words(augment_seed, rows, stop, prefix) if words is None else words
    return {label: self.ops[label].draw(drawn, height, width) for label, drawn in words.items()
            if label != self._mix_label}

  def partners(self, plan: views.ViewPlan, augment_seed: int, update: int, rows: views.Rows,
               height: int, width: int
               ) -> tuple[views.Rows, np.ndarray, np.ndarray, dict[str, Any]]:
    """Chooses the partners of an update's rows, and draws how they are mixed.

    Args:
      plan: of the update.
      augment_seed: in [0, 2**32).
      update: its number.
      rows: the plan's rows of it.
      height: H of the images.
      width: W of the images.

    Returns:
      The rows to choose from, the number of each row's partner among them, int32 [R], the
      share of its own label, float32 [R], and the draws of `mix`, see Mix.draws.
    """
    return *self.policy.choose(plan, augment_seed, update, rows), *self.mix_draws(
        plan, augment_seed, [update], rows, height, width)

  def mix_draws(self, plan: views.ViewPlan, augment_seed: int, updates: Sequence[int],
                rows: views.Rows, height: int, width: int,
                words: Mapping[str, np.ndarray] | None = None
                ) -> tuple[np.ndarray, dict[str, Any]]:
    """Draws how the rows of K updates are mixed.

    Args:
      plan: of the updates.
      augment_seed: in [0, 2**32).
      updates: their numbers.
      rows: the plan's rows of them, int32 [K R] each.
      height: H of the images.
      width: W of the images.
      words: of `words`, where those of `mix` are among them.

    Returns:
      The share of each row's own label, float32 [K R], and the draws of `mix`, see Mix.draws.
    """
    label, position = self._mix_label, np.tile(plan.positions, len(updates))
    if words and label in words:
      return self.mix.drawn(words[label], position + rows.view, height, width)
    if self.policy.one_weight:
      numbers = np.repeat(np.array(updates, np.int32), plan.rows)
      rows, position = views.Rows(numbers, numbers * 0, numbers * 0), position * 0
    return self.mix.draws(augment_seed, label, rows, position, height, width)

  def partner_draws(self, augment_seed: int, rows: views.Rows, height: int, width: int
                    ) -> dict[str, dict[str, np.ndarray]]:
    """Draws of the ops before `mix` for partners, int32 [R] each."""
    return self.draws(augment_seed, rows, height, width, self.mixed_at,
                      'partner_' if self.policy.draws_anew else '')

  def follow(self, xp: arrays.Namespace, start: int, stop: int | None, own: Lane,
             partner: Lane | None = None) -> tuple[Any, Any | None]:
    """Takes images through ops start .. stop - 1.

    Args:
      xp: of the arrays; from `normalise` on JAX's.
      start: place of the first op.
      stop: one past the last op's; None is the end.
      own: the rows.
      partner: their partners, where `mix` is still to come.

    Returns:
      The rows [R, H, W, C], and the partners, or None once they are mixed in.
    """
    stop = len(self.labels) if stop is None else stop
    at = self.mixed_at
    if partner is None or at < start:
      return self._segment(xp, start, stop, own), None
    until = min(at, stop)
    image = self._whole(xp, start, until, own)
    if partner.image is not None:
      other = self._whole(xp, start, until, partner)
    else:
      other = xp.take(image, partner.index)
    if stop <= at:
      return image, other
    image = self.mix.mix(xp, image, other, own.draws[self.labels[at]])
    return self._segment(xp, at + 1, stop, Lane(image, own.draws)), None

  def normalised(self, images: jax.Array) -> jax.Array:
    """Raw images as a model takes them: uint8 [R, H, W, C] to float32, by `normalise` alone."""
    return self.normalise.apply(arrays.JAX, images, {})

  def _whole(self, xp: arrays.Namespace, start: int, stop: int, lane: Lane) -> Any:
    """As `_segment`, of rows that are all made before one is used, if a program has more to do."""
    if lane.index is None:
      return self._segment(xp, start, stop, lane)
    draws = {label: lane.draws[label] for label in self.labels[start:stop] if label in lane.draws}
    return xp.whole(lambda of_rows: self._segment(xp, start, stop, Lane(lane.image, *of_rows)),
                    (draws, lane.index), lane.index)

  def _segment(self, xp: arrays.Namespace, start: int, stop: int, lane: Lane) -> Any:
    """Applies ops without partners, neighbouring geometric ones as one gather."""
    image, index = lane.image, lane.index
    labels = [label for label in self.labels[start:stop]
              if label in lane.draws or isinstance(self.ops[label], Normalise)]
    moves = lambda label: isinstance(self.ops[label], geometry.GeometricOp)
    for fused, group in itertools.groupby(labels, moves):
      if fused:
        image, index = geometry.move(
            xp, image, index, [(self.ops[k], lane.draws[k]) for k in group]), None
        continue
      for label in group:
        image, index = image if index is None else xp.take(image, index), None
        image = self.ops[label].apply(xp, image, lane.draws.get(label, {}))
    return image if index is None else xp.take(image, index)


def _place(text: str, ops: Sequence[Any], kind: type, name: str, least: int = 0) -> int | None:
  places = [i for i, op in enumerate(ops) if isinstance(op, kind)]
  if not least <= len(places) <= 1:
    raise errors.ConfigError(
        f'the augmentation {text!r} has {len(places)} {name}; allowed: '
        f'{"exactly" if least else "at most"} one')
  return places[0] if places else None


def _label(ops: Sequence[tuple[str, Any]]) -> list[tuple[str, Any]]:
  """Replaces names by labels that are unique: the k-th 'flip' is 'flip_k' from the second on."""
  labelled, seen = [], {}
  for name, op in ops:
    seen[name] = seen.get(name, 0) + 1
    labelled.append((name if seen[name] == 1 else f'{name}_{seen[name]}', op))
  return labelled
