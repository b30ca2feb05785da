"""The recipes that the experiments of Hoffer et al. 2020 share.

The paper's columns are words of a cell, `column`:
  fixed_steps    B images in an update, one view of each, E epochs: the baseline.
  fixed_samples  M B images in an update, one view of each, M E epochs: as many updates as the
                 baseline and as many samples as batch augmentation.
  ba             B images in an update, M views of each, E epochs: batch augmentation.
The learning rate is the same in all three, and its drops come at the same updates.

What the paper leaves open is decided here. [R] is its public code (eladhoffer/convNet.pytorch), [C]
a choice.

CIFAR-10 and CIFAR-100:
  - Views [R]: zeros around, crop, flip, the statistics of ImageNet, a hole of 16 pixels (its README
    has 8 for CIFAR-100) filled with the mean colour. For all models [C]: the paper says cutout for
    the ResNets and "the original augmentation" for others.
  - Batch [C]: 64 for all models, as printed for ResNet-44.
  - Epochs: 100 for ResNet-44 (the README's command; of its drops only that at 81 is then reached),
    200 in Table 3; 200 for the wide one and for VGG, 300 for DenseNet [C].
  - L2 [R]: not on norms and biases; on everything for VGG.
  - DARTS and AmoebaNet [R]: cosine over 600 epochs, drop-path that rises to 0.2, both changed once
    an epoch, and the auxiliary head with weight 0.4. AmoebaNet has 128 channels, as Table 4 says.
ImageNet:
  - Regime (supplement B): 0.1, a tenth of it after 30, 60 and 80 of 90 epochs, L2 1e-4. What is
    decayed is the public code's: not norms and biases; for MobileNet neither depthwise kernels; for
    AlexNet everything.
  - Views: windows of 8% to 100% for ResNet-50; for AlexNet and MobileNet squares of 224 pixels of
    the image with its shorter side at 256 [R]. (Their public regimes ignore the number of
    duplicates, so that the paper's rows cannot have been trained by that code as published.)
  - ResNet-50's norm takes 64 rows together (supplement B), which hold different images: rows come
    view by view.
Mixup: alpha 0.2, one weight for the whole update and a permutation of all its rows [R], so that an
  image may meet a view of its own. A streamed set has no such partners: ResNet-50's rows are mixed
  with other images' [C].
"""

from collections.abc import Mapping
import dataclasses
from typing import Any

import ml_collections

from nfnets_am.config import schema
from nfnets_am.core import errors
from nfnets_am.core import registry

# As the paper's tables call them.
COLUMNS = {
    'fixed_steps': 'Baseline, fixed #steps', 'fixed_samples': 'Baseline + fixed #samples',
    'ba': 'BA'}
BASELINES = ('fixed_steps', 'fixed_samples')
SCALES = ('full', 'smoke')
_IMAGENET = 'normalise(mean=(.485,.456,.406), std=(.229,.224,.225))'
_CIFAR = f'pad_crop(pad=4) | flip() | {_IMAGENET} | cutout(length=16)'
_SMOKE_CIFAR = 'pad_crop(pad=4) | flip() | normalise() | cutout(length=16)'
_ON_CIFAR, _ON_PHOTOGRAPHS = 'memory', 'stream'


@dataclasses.dataclass(frozen=True, kw_only=True)
class Row:
  """A network on a data set.

  Attributes:
    title: as Table 2 has it.
    set: the data set.
    multiplicity: M of Table 2.
    model: the section.
    epochs: E of the baseline.
    drops: epochs at which the rate falls; () is a cosine.
    scales: what the rate is multiplied by before, between and after them.
    peak: the first learning rate.
    weight_decay: added to the gradient, after its norm is logged.
    decay_mask: which parameters it is of.
    unique: B.
    crop: of a streamed set, the first op.
    auxiliary: weight of the loss of the auxiliary head.
  """

  title: str
  set: str
  multiplicity: int
  model: Mapping[str, Any]
  epochs: int
  drops: tuple[int, ...] = ()
  scales: tuple[float, ...] = (1.0, 0.1, 0.01, 0.001)
  peak: float = 0.1
  weight_decay: float = 1e-4
  decay_mask: str = 'not_norm_bias'
  unique: int = 64
  crop: str = ''
  auxiliary: float = 0.0


def _vgg(data_set: str, title: str) -> Row:
  return Row(title=title, set=data_set, multiplicity=32, model={'name': 'vgg16'}, epochs=200,
             drops=(60, 120, 160), scales=(1.0, 0.2, 0.04, 0.008),
             weight_decay=5e-4, decay_mask='all')


def _wide(data_set: str, multiplicity: int, title: str) -> Row:
  return Row(title=title, set=data_set, multiplicity=multiplicity,
             model={'name': 'wide_resnet_postact', 'depth': 28, 'width': 10}, epochs=200,
             drops=(60, 120, 160), scales=(1.0, 0.2, 0.04, 0.008),
             weight_decay=5e-4)


def _resnet44(data_set: str, title: str) -> Row:
  return Row(title=title, set=data_set, multiplicity=40,
             model={'name': 'resnet_cifar', 'depth': 44}, epochs=100, drops=(81, 122, 164))


def _searched(name: str, title: str, **model: Any) -> Row:
  return Row(title=title, set='cifar10', multiplicity=8, model={'name': name, **model}, epochs=600,
             peak=0.025, auxiliary=0.4, weight_decay=3e-4)


def _photographs(title: str, multiplicity: int, decay_mask: str, crop: str, **model: Any) -> Row:
  return Row(title=title, set='imagenet2012', multiplicity=multiplicity, model=model, epochs=90,
             drops=(30, 60, 80), unique=256, crop=crop, decay_mask=decay_mask)


ROWS = registry.Registry('row', {
    'resnet44_cifar10': _resnet44('cifar10', 'ResNet44 / Cifar10'),
    'vgg16_cifar10': _vgg('cifar10', 'VGG16 / Cifar10'),
    'wrn28_10_cifar10': _wide('cifar10', 6, 'WRResNet28-10 / Cifar10'),
    'darts_cifar10': _searched('darts', 'DARTS / Cifar10'),
    'amoebanet_cifar10': _searched('amoebanet', 'AmoebaNet / Cifar10', channels=128),
    'resnet44_cifar100': _resnet44('cifar100', 'ResNet44 / Cifar100'),
    'vgg16_cifar100': _vgg('cifar100', 'VGG / Cifar100'),
    'wrn28_10_cifar100': _wide('cifar100', 10, 'WRResNet28-10 / Cifar100'),
    'densenet_cifar100': Row(
        title='DenseNet100-12 / Cifar100', set='cifar100', multiplicity=4,
        model={'name': 'densenet_bc'}, epochs=300, drops=(150, 225), scales=(1.0, 0.1, 0.01)),
    'alexnet_imagenet': _photographs(
        'AlexNet / ImageNet', 8, 'all', 'crop(size=224, shorter=256)',
        name='alexnet'),
    'mobilenet_imagenet': _photographs(
        'MobileNet / ImageNet', 4, 'kernels_not_depthwise', 'crop(size=224, shorter=256)',
        name='mobilenet_v1'),
    'resnet50_imagenet': _photographs(
        'ResNet50 / ImageNet', 4, 'not_norm_bias', 'crop(224)',
        name='resnet50', norm='ghost(size=64)'),
})


def config(row: str, column: str, *, multiplicity: int = 0, rate: float = 1.0, epochs: int = 0,
           drops: tuple[int, ...] | None = None, scales: tuple[float, ...] | None = None,
           mixup: bool = False, seed: int = 0, scale: str = 'full') -> ml_collections.ConfigDict:
  """Returns the config of a run.

  Args:
    row: of ROWS.
    column: of COLUMNS.
    multiplicity: M; 0 is Table 2's.
    rate: factor of the learning rate.
    epochs: E, if not the row's own.
    drops: epochs of the baseline at which the rate falls, if not the row's own.
    scales: of the rate, with `drops`.
    mixup: whether rows are mixed (Table 3).
    seed: of the run.
    scale: of SCALES.

  Raises:
    ConfigError: an unknown row, column or scale.
  """
  check(column, scale)
  of_row = ROWS[row]
  many = multiplicity or of_row.multiplicity
  longer = many if column == 'fixed_samples' else 1
  epochs = epochs or of_row.epochs
  drops = of_row.drops if drops is None else drops
  result = schema.get_default()
  result.update({
      'multiplicity': many if column == 'ba' else 1, 'unique': of_row.unique * longer,
      'budget': f'{epochs * longer} epochs', 'seed': seed,
      'optimizer': {'weight_decay': of_row.weight_decay, 'decay_mask': of_row.decay_mask},
      'data': _data(of_row, mixup, scale),
      'objective': {'name': 'cross_entropy', **(
          {'auxiliary': of_row.auxiliary} if of_row.auxiliary else {})},
      'eval_every': '1 percent', 'log_every': '1 percent', 'checkpoint': {'every': '5 percent'}})
  result.model = ml_collections.ConfigDict(dict(of_row.model))
  if drops:
    result.schedule.update({
        'name': 'piecewise', 'peak': rate * of_row.peak, 'scales': scales or of_row.scales,
        'boundaries': tuple(f'{drop * longer} epochs' for drop in drops)})
  else:
    # Changed where an epoch of the baseline ends, at the same updates in all columns.
    result.schedule.update({
        'name': 'cosine', 'peak': rate * of_row.peak, 'every': f'{longer} epochs'})
  if scale == 'smoke':
    _smoke(result, of_row, many, longer)
  return result


def _data(row: Row, mixup: bool, scale: str) -> dict[str, Any]:
  way = _CIFAR if scale == 'full' else _SMOKE_CIFAR
  # Rows of a norm's group, a part of the update in a row, show different images.
  if not row.crop:
    mixed = " | mix('mixup(alpha=0.2)', partners='permutation')" if mixup else ''
    return {'name': _ON_CIFAR, 'set': row.set, 'apply': 'device', 'layout': 'view_major',
            'augment': way + mixed}
  mixed = " | mix('mixup(alpha=0.2)', partners='batch')" if mixup else ''
  return {'name': _ON_PHOTOGRAPHS, 'set': row.set, 'layout': 'view_major', 'eval_size': 224,
          'eval_crop': 'crop_resize', 'augment': f'{row.crop} | flip() | normalise(){mixed}'}


def _smoke(result: ml_collections.ConfigDict, row: Row, many: int, longer: int) -> None:
  """Eight updates of tiny networks on small or stand-in images, with all else as it is."""
  few = min(many, 2)
  unique = 4 if longer == 1 else 4 * few
  result.update({
      'multiplicity': few if result.multiplicity > 1 else 1, 'unique': unique,
      'budget': '8 updates', 'eval_every': '50 percent', 'log_every': '2 updates',
      'eval_batch': 50})
  result.model = ml_collections.ConfigDict({'name': 'resnet_tiny'})
  result.objective = ml_collections.ConfigDict({'name': 'cross_entropy'})
  if 'boundaries' in result.schedule:
    pieces = len(result.schedule.scales)
    result.schedule.boundaries = tuple(f'{i + 1} updates' for i in range(pieces - 1))
  if not row.crop:
    result.data.update({'set': 'fashion_mnist_small', 'train_images': 160})
    return
  # The pictures of `python -m nfnets_am.data.tools.stand_in --data_dir=runs/data`.
  crop = 'crop(size=28, shorter=32)' if 'shorter' in row.crop else 'crop(28)'
  result.data.update({
      'set': 'stand_in', 'data_dir': 'runs/data', 'lanes': 1, 'eval_size': 28,
      'augment': result.data.augment.replace(row.crop, crop)})
  result.eval_batch = 16


def check(column: str, scale: str) -> None:
  """Raises ConfigError for a column or a scale that there is not."""
  for key, value, allowed in (('column', column, COLUMNS), ('scale', scale, SCALES)):
    if value not in allowed:
      raise errors.ConfigError(
          f'{key}={value!r}{registry.did_you_mean(value, allowed)}; allowed: {", ".join(allowed)}')
