"""The recipes that the experiments of Summers 2021, chapter 4, share (sec. 4.3 and 4.4.1).

The thesis names networks, splits and batch size here, and neither optimiser, rate nor length. [R]
is its public layer (ceciliaresearch/four_things_batch_norm), [C] a choice.

  - Norms [R]: moving averages of E[x] and E[x^2] of each channel over the whole batch, whatever the
    groups, with the decay 0.99, from 0 and 1; epsilon 1e-5; 32 groups of channels; 16 of
    Inception-v3's [C], some of whose widths 32 does not divide.
  - Training [C]: that of chapter 2 (recipes.py), with L2 of 5e-4 on kernels alone: what decays a
    norm's scale and offset is one of the four things. Of B images, the rate is B / 128 times as
    high, and its pieces are 128 / B times as many updates long, as in chapter 2's public code.
  - Order of rows [C]: random, so that a ghost batch is a random part of the batch.
  - Renormalisation [C]: the ramps of Ioffe 2017; the decay 0.99 and epsilon 0.001 of TensorFlow.
  - Splits: 40,000 / 10,000 of CIFAR-100, 80 / 20 of the 604,388 of SVHN, 40 / 10 / 30 images a
    class of Caltech-256. Section 4.3 has validation images, section 4.4 test images.
  - SVHN [C]: the recipe of CIFAR without flips.
"""

from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Mapping
from typing import Any

import ml_collections

from experiments.summers2021 import recipes
from experiments.summers2021 import tables
from nfnets_am.config import cells as cells_lib
from nfnets_am.core import errors
from nfnets_am.core import registry

# B of the tables and of what is idealised.
BATCH = 128
_MOVING = "decay=0.99, variance='squares'"
# Name of a method -> its norm, of the size B' of ghost batches or groups of examples.
_NORMS: Mapping[str, str] = {
    'batch': f'batch({_MOVING})',
    'renorm': 'renorm()',
    'ghost': 'ghost(size={size}, ' + _MOVING + ')',
    'group': 'group(groups={groups})',
    'batch_group': 'batch_group(groups={groups}, examples={size})',
}
METHODS = tuple(_NORMS)
# L2 of kernels; and of what else, where scales and offsets are decayed too (sec. 4.3.3).
_KERNELS = "l2(coefficient={decay}, mask='kernels')"
_OFFSETS = "l2(coefficient={decay}, mask='norm_offset')"
DECAYS: Mapping[str, tuple[str, ...]] = {
    'none': (),
    'to_one': ('towards(coefficient={decay})', _OFFSETS),
    'to_zero': ("l2(coefficient={decay}, mask='norm_scale')", _OFFSETS),
}
# Data set -> images held out as 'validation'.
_SMALL = {'cifar100': 10_000, 'svhn': 120_878}
DATA = (*_SMALL, 'caltech256')
# Of the 'validation' and the test images each, under these names.
WEIGHED = {'weighed_validation': 'validation', 'weighed': 'test'}


def norm(method: str, size: int = 0, groups: int = 32) -> str:
  """Returns the call of a method's norm.

  Args:
    method: of METHODS.
    size: B', of those that have one.
    groups: of channels, of those that have some.

  Raises:
    ConfigError: an unknown method.
  """
  if method not in _NORMS:
    raise errors.ConfigError(
        f'method={method!r}{registry.did_you_mean(method, _NORMS)}; allowed: {", ".join(_NORMS)}')
  return _NORMS[method].format(size=size, groups=groups)


def groups_of(data: str, scale: str) -> int:
  """Returns the groups of channels of a data set's network."""
  return 4 if scale == 'smoke' else 16 if data == 'caltech256' else 32


def config_of(data: str, call: str, *, seed: int, scale: str, batch: int = BATCH,
              decays: str = 'none') -> ml_collections.ConfigDict:
  """Returns the config of a run.

  Args:
    data: of DATA.
    call: of the norm.
    seed: of everything.
    scale: of tables.SCALES.
    batch: B.
    decays: of DECAYS, where scales are drawn to, and offsets to 0.

  Raises:
    ConfigError: an unknown data set, scale or decay.
  """
  if data not in DATA:
    raise errors.ConfigError(f'data={data!r}; allowed: {", ".join(DATA)}')
  if decays not in DECAYS:
    raise errors.ConfigError(f'decay={decays!r}; allowed: {", ".join(DECAYS)}')
  if data == 'caltech256':
    config = tables.caltech(f'seed={seed},scale={scale}')
    decay = 4e-5
    if scale == 'smoke':
      config.model = ml_collections.ConfigDict({'name': 'resnet_tiny'})
  else:
    config = tables.cifar(f'seed={seed},scale={scale}', data_set=data,
                          decay={recipes.BASELINE: 5e-4, 'mixed': 5e-4})
    decay = 5e-4
    config.data.validation = _SMALL[data]
    if data == 'svhn':
      config.data.augment = f'{recipes.CIFAR} | pad_crop(pad=4)'
  config.model.norm = call
  config.penalty = ' | '.join(part.format(decay=decay) for part in (_KERNELS, *DECAYS[decays]))
  if scale == 'smoke':
    config.data.validation = 8 if data == 'caltech256' else 64
    return config
  times = config.views / batch
  config.views = batch
  config.budget = f'{round(int(config.budget.split()[0]) * times)} updates'
  config.schedule.peak = config.schedule.peak / times
  config.schedule.boundaries = tuple(round(b * times) for b in config.schedule.boundaries)
  if config.schedule.get('warmup'):
    config.schedule.warmup = f'{round(int(config.schedule.warmup.split()[0]) * times)} updates'
  return config


def weigh(config: ml_collections.ConfigDict, alphas: Any) -> ml_collections.ConfigDict:
  """Adds evaluations at weights of an example's own statistics, half-way and at the end."""
  for name, split in WEIGHED.items():
    config.evals[name] = ml_collections.ConfigDict(
        {'name': 'example_weighing', 'split': split, 'alphas': alphas, 'every': '50 percent'})
  return config


def distinct(cells: Iterable[Mapping[str, Any]], get_config: Callable[[str], Any]
             ) -> tuple[Mapping[str, Any], ...]:
  """Returns cells less those whose run is an earlier one's: at small scales sizes are cut."""
  runs = {}
  for cell in cells:
    text = get_config(cells_lib.cell_name(cell)).to_json_best_effort(sort_keys=True)
    runs.setdefault(text, cell)
  return tuple(runs.values())


def schema_of(**keys: Any) -> dict[str, Any]:
  """Returns the keys of a cell with their defaults."""
  return {**keys, 'seed': 0, 'scale': 'full'}
