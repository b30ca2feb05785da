"""The recipes that the experiments of Summers 2021, chapter 2, share (sec. 2.3 and 2.4.1).

What the thesis leaves open is decided here. [R] is its public code (ceciliaresearch/MixedExample),
[C] a choice.

CIFAR-10 and CIFAR-100:
  - Updates [R]: 22 calls of 10 epochs, each with its own input of 500,000 mixed images, the last
    batch of a call smaller: 3,907 updates a call, 85,954 in all. Here every update has 128 [C].
  - Pieces of the learning rate [R]: an update at a boundary still has the old rate, so that the
    warm-up has 401 updates.
  - Weight decay [R]: half the squared norm of all variables, those of the norms and biases too.
  - Order [R]: normalise, pad with the mean colour, crop, flip, mix. An epoch of N mixed images is
    two shuffled passes in disjoint pairs (partners='pairs'); the baseline keeps the first of each
    [R], here every image of one pass [C].
  - BC+ and VH-BC+ [R]: the image's own mean comes off first, at test time too, then the channels'.
  - Laws of the draws: the defaults of each method, nfnets_am/data/ops/methods.
Caltech-256:
  - Optimiser [C]: RMSProp with decay 0.9, momentum 0.9 and epsilon 1, TF-slim's default.
  - Weight decay [C]: on convolutions' and the heads' weights alone, as TF-slim has it.
  - Auxiliary head [C]: with the weight 0.4 of Szegedy et al. 2016; no label smoothing.
  - Preprocessing [C]: a random crop, stretched to 299 pixels, and a flip; TF-slim's distortion of
    colours is left out. Tested on the middle 299 / 331 of the image; TF-slim takes 87.5%.
  - Images [C]: x / 127.5 - 1, as TF-slim does; for BC+ and VH-BC+ without the image's own mean.
  - Length [C]: 10,000 updates after the last drop of the rate, when it has long saturated.
  - Partners: a streamed set has 'batch' and 'fresh' only; 'fresh' are the second images here.
"""

from collections.abc import Mapping

from nfnets_am.core import errors
from nfnets_am.core import registry

BASELINE = 'baseline'
# Updates in all; the last ones with the rate of each piece but the last; 0.1 is multiplied by.
UPDATES = 22 * 3907
BOUNDARIES = (400, 32_000, 48_000, 70_000)
SCALES = (0.1, 1.0, 0.1, 0.01, 0.001)
# Of CIFAR, for all but PER_IMAGE; and for those, of images without their own means.
CIFAR = 'normalise(mean=(.4914,.4822,.4465), std=(.2023,.1994,.2010))'
CIFAR_PER_IMAGE = ('normalise(mean=(.01803922,.00878431,-.02682353), '
                   'std=(.21921569,.21058824,.22156863), per_image=True)')
# For a set whose own deviation is taken.
PER_IMAGE_CALL = 'normalise(mean=0, per_image=True)'
# Name of a row -> what the tables call it, and its call, in the order of Table 2.1.
_ROWS: Mapping[str, tuple[str, str]] = {
    BASELINE: ('ResNet-18', ''),
    'mixup': ('mixup', 'mixup(alpha=1)'),
    'bc_plus': ('BC+', 'bc_plus(alpha=1)'),
    'random_elements': ('Rand. Elems.', 'random_elements(alpha=1{channels})'),
    'random_pixels': ('Rand. Pixels', 'random_pixels(alpha=1)'),
    'random_column_interval': ('Rand. Col. Int.', 'random_column_interval()'),
    'random_columns': ('Rand. Cols', 'random_columns(alpha=1)'),
    'horizontal_concat': ('Horiz. Concat.', 'horizontal_concat(alpha=1)'),
    'random_rows': ('Rand. Rows', 'random_rows(alpha=1)'),
    'noisy_mixup': ('Noisy Mixup', 'noisy_mixup(alpha=1)'),
    'random_row_interval': ('Rand. Row. Int.', 'random_row_interval()'),
    'vertical_concat': ('Vert. Concat.', 'vertical_concat(alpha=1)'),
    'mixed_concat': ('Mixed. Concat.', 'mixed_concat(alpha=1)'),
    'random_square': ('Rand. Square.', 'random_square()'),
    'random_2x2': ('Rand. 2x2', 'random_2x2(alpha=1)'),
    'vh_bc_plus': ('VH-BC+', 'vh_bc_plus(alpha=1)'),
    'vh_mixup': ('VH-Mixup', 'vh_mixup(alpha=1)'),
}
METHODS = tuple(_ROWS)
MIXED = METHODS[1:]
# Their images lose their own means first.
PER_IMAGE = ('bc_plus', 'vh_bc_plus')


def title(method: str) -> str:
  """Returns what the tables call a row."""
  check(method)
  return _ROWS[method][0]


def call(method: str, channels: int = 3) -> str:
  """Returns a method in the grammar of `mix`, for images of so many channels."""
  check(method)
  return _ROWS[method][1].format(channels='' if channels == 3 else f', channels={channels}')


def way(method: str, plain: str, per_image: str, channels: int = 3) -> str:
  """Returns `data.augment` of a row on small images.

  Args:
    method: of METHODS.
    plain: the call of `normalise`.
    per_image: that of the methods that take an image's own mean off.
    channels: C of the images.
  """
  first = per_image if method in PER_IMAGE else plain
  mixed = '' if method == BASELINE else f" | mix('{call(method, channels)}', partners='pairs')"
  return f'{first} | pad_crop(pad=4) | flip(){mixed}'


def photographs(method: str, size: int) -> str:
  """Returns `data.augment` of a row on a streamed set, at crops of so many pixels."""
  normalise = ('normalise(mean=0, std=.5, per_image=True)' if method in PER_IMAGE
               else 'normalise(mean=.5, std=.5)')
  mixed = '' if method == BASELINE else f" | mix('{call(method)}', partners='fresh')"
  return f'crop({size}) | flip() | {normalise}{mixed}'


def check(method: str) -> None:
  """Raises ConfigError for a row that the tables do not have."""
  if method not in _ROWS:
    raise errors.ConfigError(
        f'method={method!r}{registry.did_you_mean(method, _ROWS)}; allowed: '
        f'{registry.listed(method, _ROWS)}')
