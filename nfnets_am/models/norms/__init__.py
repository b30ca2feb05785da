"""Norms by name. To add one, write a file with its function and a line here."""

import numpy as np

from nfnets_am.core import calls
from nfnets_am.core import errors
from nfnets_am.core import registry
from nfnets_am.models.norms import batch_group
from nfnets_am.models.norms import ghost
from nfnets_am.models.norms import group_sizes
from nfnets_am.models.norms import renorm
from nfnets_am.models.norms import stochastic_group
from nfnets_am.models.norms.norm import Maker
from nfnets_am.models.norms.norm import none

# Each entry takes its options and returns a Maker.
NORMS = registry.Registry('norm', {
    'batch': ghost.batch,
    'batch_group': batch_group.batch_group,
    'changing_group': stochastic_group.changing_group,
    'even_group': group_sizes.even_group,
    'ghost': ghost.ghost,
    'group': batch_group.group,
    'noisy_group': stochastic_group.noisy_group,
    'none': none,
    'random_group': stochastic_group.random_group,
    'renorm': renorm.renorm,
    'switchable': group_sizes.switchable,
})

_LANGUAGE = calls.Language('norm', 'a norm', 'ghost(size=32)')


def parse(text: str) -> Maker:
  """Returns what makes the norms of a model.

  Args:
    text: one call of an entry of NORMS, such as 'batch()' or 'batch_group(groups=32, examples=2)'.

  Raises:
    ConfigError: another form, an unknown name, or an argument that it does not take.
  """
  name, kwargs = calls.one(text, _LANGUAGE)
  return NORMS.make(name, **kwargs)


def check_images(text: str, images: np.ndarray) -> None:
  """Refuses groups of rows that hold fewer different images than they might.

  Views of one image are alike: statistics over them are those of few images (Hoffer et al. 2020,
  sec. 4.5). All rows of a device are no group: they are what they are, whatever their order.

  Args:
    text: of the norm, see `parse`.
    images: int [devices, micro-batches, rows], the number of the image that each row of a host's
      devices is a view of.

  Raises:
    ConfigError: with the numbers.
  """
  rows = images.shape[-1]
  size = min(getattr(parse(text), 'rows', 1) or rows, rows)
  if rows % size or size == images[0].size:  # The norm itself refuses the former.
    return
  groups = np.sort(images.reshape(-1, size), axis=1)
  found = 1 + (np.diff(groups, axis=1) > 0).sum(axis=1).min()
  most = min(size, len(np.unique(images)))
  if found < most:
    raise errors.ConfigError(
        f'model.norm={text!r} takes statistics of {size} rows together, among which are only '
        f'{found} different images; allowed: an order of rows that puts {most} different ones '
        "side by side, such as data.layout='view_major'")
