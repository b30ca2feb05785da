"""Which examples the updates of a pass take, in which order: strategies that may know the labels.

An order is made by its factory from the labels of the training examples, int32 [N], and the unique
examples of an update, U. It returns the examples of a pass, int32 [at least N // U * U], as a
function of the shuffle seed and of the pass; updates take them U at a time.
"""

from collections.abc import Callable

import numpy as np

from nfnets_am.core import errors
from nfnets_am.core import registry
from nfnets_am.data import draws

Order = Callable[[int, int], np.ndarray]


def shuffled(labels: np.ndarray, unique: int) -> Order:
  """Every example once in a pass, in an order of its own: no update holds an example twice."""
  del unique
  return lambda seed, epoch: permutation(len(labels), seed, epoch)


def class_batches(labels: np.ndarray, unique: int, *, classes: int = 4) -> Order:
  """Updates of a few classes that are drawn with replacement (Summers 2021, Table 4.1).

  Each of the drawn classes gives U / classes examples, without replacement: a class that is drawn
  twice gives twice as many others. The rows of an update are in random order, so that ghost batches
  hold different classes. A pass shows some examples several times and others never.

  Args:
    labels: int32 [N].
    unique: U; `classes` divides it.
    classes: drawn for an update, at least 1.

  Raises:
    ConfigError: `classes` does not divide U, or a class has too few examples for an update.
  """
  if classes < 1 or unique % classes:
    raise errors.ConfigError(
        f'order.classes={classes} with {unique} unique examples in an update; allowed: a divisor '
        'of them')
  members = [np.flatnonzero(labels == label).astype(np.int32) for label in np.unique(labels)]
  share = unique // classes
  fewest = min(map(len, members))
  if fewest < unique:
    raise errors.ConfigError(
        f'order.classes={classes}: an update may take {unique} examples of one class, but a class '
        f'has {fewest}; allowed: updates of at most so many')

  def of_pass(seed: int, epoch: int) -> np.ndarray:
    return np.concatenate([of_update(seed, epoch, step) for step in range(len(labels) // unique)])

  def of_update(seed: int, epoch: int, step: int) -> np.ndarray:
    words = _words(seed, epoch, step, classes + len(labels) + unique)
    chosen = (words[:classes] % np.uint64(len(members))).astype(int)
    times = np.bincount(chosen, minlength=len(members))
    rows = []
    for label in np.flatnonzero(times):
      keys = words[classes:][members[label]]
      rows.append(members[label][np.argsort(keys, kind='stable')[:share * times[label]]])
    return np.concatenate(rows)[np.argsort(words[classes + len(labels):], kind='stable')]

  return of_pass


def pairs(labels: np.ndarray, unique: int) -> tuple[Order, Order]:
  """Disjoint pairs: two shuffled passes make one of N rows with a partner each (Summers 2021).

  Each of the two is cut into pairs, so that an image is in one pair of it; an odd one is left out.
  An epoch then shows every image twice, as a row's own or as a partner. The one update that both
  passes share may hold an image twice.

  Args:
    labels: int32 [N].
    unique: U.

  Returns:
    The orders of the first and of the second images of the pairs.

  Raises:
    ConfigError: N is odd, and updates of U would need all N images.
  """
  total = len(labels)
  if total // 2 * 2 // unique < total // unique:
    raise errors.ConfigError(
        f"partners='pairs' with {total} images and {unique} in an update: one image finds no "
        'partner; allowed: an even number of images, or updates that do not divide it')

  def half(seed: int, epoch: int, which: int) -> np.ndarray:
    passes = [permutation(total, seed, 2 * epoch + i)[:total // 2 * 2] for i in (0, 1)]
    return np.concatenate([images[which::2] for images in passes])

  return (lambda seed, epoch: half(seed, epoch, 0)), (lambda seed, epoch: half(seed, epoch, 1))


def permutation(examples: int, seed: int, epoch: int) -> np.ndarray:
  """Returns the numbers 0 .. N - 1 in the order of a pass: int32 [N].

  Sorted random keys, and not `Generator.permutation`: numpy promises the raw stream of Philox for
  ever, the algorithms on top of it may change between versions.
  """
  keys = np.random.Philox(key=np.array([seed, epoch], np.uint64)).random_raw(examples)
  return np.argsort(keys, kind='stable').astype(np.int32)


def _words(seed: int, epoch: int, step: int, count: int) -> np.ndarray:
  """64-bit words that are a function of the seed, the pass and the update within it."""
  draws.check_seed('shuffle', seed)
  return np.random.Philox(
      key=np.array([seed, epoch], np.uint64),
      counter=np.array([0, 0, step + 1, 0], np.uint64)).random_raw(count)


ORDERS = registry.Registry('order', {
    'class_batches': class_batches,
    'shuffled': shuffled,
})
