"""Mixing two images into one row: which methods, in which shares, with partners by which policy.

Fort et al. 2021 sec. 5: "Mixup and CutMix are applied to different training inputs, not different
augmentations of the same image."
"""

import dataclasses
import functools
from typing import Any

import numpy as np

from nfnets_am.core import calls as calls_lib
from nfnets_am.data import draws as draws_lib
from nfnets_am.data import pairing
from nfnets_am.data import views
from nfnets_am.data.ops import arrays
from nfnets_am.data.ops import base
from nfnets_am.data.ops import methods as methods_lib

_LANGUAGE = calls_lib.Language(
    'mix', 'a mixing method', 'mixup(alpha=0.2) | cutmix()')


@dataclasses.dataclass(frozen=True, kw_only=True)
class Mix(base.Op):
  """Several methods, each for an equal share of the rows; the ops before it act on the partner too.

  Attributes:
    text: methods in the grammar of the whole, 'mixup(alpha=0.2) | cutmix()'. Row (image p of the
      update, view i) takes number (p + i) modulo their number: half the rows each for two, and half
      the views of each image.
    partners: a policy of pairing.POLICIES.
  """
  text: str
  partners: str = 'batch'

  def __post_init__(self):
    made = [methods_lib.METHODS.make(name, **kwargs) for name, kwargs in calls_lib.calls(
        self.text, _LANGUAGE, methods_lib.METHODS.keys_of)]
    object.__setattr__(self, 'methods', made)
    object.__setattr__(self, 'policy', pairing.POLICIES[self.partners])
    object.__setattr__(self, 'blocks', max(method.blocks for method in made))
    if any(method.floats for method in made):
      object.__setattr__(self, 'works_on', (base.FLOATS,))

  def check(self, height, width):
    for method in self.methods:
      method.check(height, width)

  def draws(self, augment_seed: int, label: str, rows: views.Rows, position: np.ndarray,
            height: int, width: int) -> tuple[np.ndarray, dict[str, Any]]:
    """Draws of R rows.

    Args:
      augment_seed: in [0, 2**32).
      label: of the op.
      rows: int32 [R] each.
      position: int [R], number of the row's unique image within the update over all hosts.
      height: H of the images.
      width: W of the images.

    Returns:
      float32 [R] in [0, 1], the share of each row's own label, and what pixels need: 'method' int32
      [R] and for each method, by number, its own draws.
    """
    words = draws_lib.words(
        augment_seed, {label: self.blocks}, rows.epoch, rows.example, rows.view)[label]
    return self.drawn(words, position + rows.view, height, width)

  def drawn(self, words: np.ndarray, number: np.ndarray, height: int, width: int
            ) -> tuple[np.ndarray, dict[str, Any]]:
    """The same, from words uint32 [4 blocks, R] and int [R], each row's position plus its view."""
    drawn = [method.draw(words[:4 * method.blocks], height, width) for method in self.methods]
    which = (number % len(self.methods)).astype(np.int32)
    weight = np.stack([d.pop('weight') for d in drawn])[which, np.arange(len(which))]
    return weight, {'method': which, **{str(i): d for i, d in enumerate(drawn)}}

  def mix(self, xp: arrays.Namespace, own: Any, partner: Any, draws: dict[str, Any]) -> Any:
    """Returns the mixed rows of `own` and `partner`, uint8 or float32 [R, H, W, C]."""
    if own.shape[0] == 1:
      # A row by itself, as streamed ones are mixed, takes its own method alone.
      return xp.switch(draws['method'][0], [
          functools.partial(method.apply, xp, own, partner, draws[str(i)])
          for i, method in enumerate(self.methods)])
    mixed = None
    for i, method in enumerate(self.methods):
      # All rows by each method: gathering a method's own rows would cost more than mixing them.
      made = method.apply(xp, own, partner, draws[str(i)])
      mine = (draws['method'] == i)[:, None, None, None]
      mixed = made if mixed is None else xp.where(mine, made, mixed)
    return mixed
