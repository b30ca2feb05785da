"""Seeded splits of the images of each class: 'per_class(train=40, validation=10, test=30)'.

Which split an image is in follows from the seed, its class and its file's name, so that further
classes, or another order of files, move no image of the others.
"""

from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
import hashlib
import math
import os

from absl import logging

from nfnets_am.core import calls
from nfnets_am.core import errors
from nfnets_am.core import registry
from nfnets_am.data.stream import folders

NAMES = ('train', 'validation', 'test')
DEFAULT = 'share(train=0.8, test=0.2)'
_LANGUAGE = calls.Language('split', 'a rule', DEFAULT)

# (class, number of its images) -> how many of them each split takes.
Counts = Callable[[str, int], dict[str, int]]
Files = Mapping[str, Sequence[str]]


def per_class(*, train: int, validation: int = 0, test: int, seed: int = 0) -> tuple[Counts, int]:
  """So many images of every class; further ones are in no split."""
  wanted = dict(zip(NAMES, (train, validation, test), strict=True))
  for name, count in wanted.items():
    least = 0 if name == 'validation' else 1
    if type(count) is not int or count < least:
      raise errors.ConfigError(
          f'data.split: per_class({name}={count!r}); allowed: whole numbers from {least} up')

  def counts(name: str, images: int) -> dict[str, int]:
    if images < sum(wanted.values()):
      raise errors.UserError(
          f'the class {name!r} has {images} images, and data.split takes {sum(wanted.values())} of '
          'each class; allowed: smaller numbers, or to name the class in data.leave_out')
    return wanted

  return counts, seed


def share(*, train: float, validation: float = 0.0, test: float, seed: int = 0
          ) -> tuple[Counts, int]:
  """Shares of every class: others than 'train' are rounded down, and it gets what that leaves."""
  shares = dict(zip(NAMES, (train, validation, test), strict=True))
  for name, value in shares.items():
    if not isinstance(value, int | float) or not 0 <= value < 1 or not (
        value or name == 'validation'):
      raise errors.ConfigError(
          f'data.split: share({name}={value!r}); allowed: numbers between 0 and 1')
  # What adds up to 1 in decimals does not always in floats.
  whole = round(sum(shares.values()), 9)
  if whole > 1:
    raise errors.ConfigError(
        f'data.split: the shares {train}, {validation} and {test} add up to {whole}; allowed: at '
        'most 1')
  floor = lambda value, images: math.floor(round(value * images, 6))

  def counts(name: str, images: int) -> dict[str, int]:
    found = {key: floor(value, images) for key, value in shares.items()}
    found['train'] = floor(whole, images) - found['validation'] - found['test']
    if not found['train']:
      raise errors.UserError(
          f'the class {name!r} has {images} images, of which data.split leaves none to train on; '
          'allowed: larger shares, or to name the class in data.leave_out')
    return found

  return counts, seed


RULES = registry.Registry('split', {'per_class': per_class, 'share': share})


def split(classes: Files, rule: str) -> dict[str, dict[str, tuple[str, ...]]]:
  """Deals the images of each class out to splits that have none in common.

  Args:
    classes: class -> its files.
    rule: one call of RULES.

  Returns:
    Split -> class -> its files, in the order of `classes`; without a split that has no images.

  Raises:
    errors.ConfigError: the rule cannot be read.
    errors.UserError: a class has too few images, and the sentence names it; or none has enough to
      test on any.
  """
  found = calls.calls(rule, _LANGUAGE)
  if len(found) != 1:
    raise errors.ConfigError(f'data.split={rule!r}; allowed: one call of {", ".join(RULES)}')
  counts, seed = RULES.make(found[0][0], **found[0][1])
  if type(seed) is not int:
    raise errors.ConfigError(f'data.split: seed={seed!r}; allowed: whole numbers')
  result = {name: {} for name in NAMES}
  untested = []
  for name, files in classes.items():
    taken = counts(name, len(files))
    # Names of files alone: where the folder lies does not matter.
    key = lambda file, name=name: (rank(seed, name, os.path.basename(file)), file)
    ranked = sorted(files, key=key)
    start = 0
    for part in NAMES:
      members = set(ranked[start:start + taken[part]])
      start += taken[part]
      result[part][name] = tuple(file for file in files if file in members)
    if not taken['test']:
      untested.append(name)
  if len(untested) == len(classes):
    raise errors.UserError(
        f'no class has enough images for data.split={rule!r} to test on any; the first, '
        f'{untested[0]!r}, has {len(classes[untested[0]])}; allowed: another rule, such as '
        'per_class(train=3, test=1)')
  if untested:
    logging.warning(
        '%d of %d classes have too few images for data.split=%r to test on any, the first %r with '
        '%d', len(untested), len(classes), rule, untested[0],
        len(classes[untested[0]]))
  return {part: by_class for part, by_class in result.items() if any(by_class.values())}


def rank(seed: int, *names: str) -> bytes:
  """Returns what seeded orders are sorted by; for names as folders.order writes them."""
  text = '\0'.join([str(seed), *map(folders.order, names)])
  return hashlib.sha256(text.encode('utf-8', 'surrogateescape')).digest()
