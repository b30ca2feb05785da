"""What the tables of Summers 2021, chapter 5, have in common: recipe, sources, cells and numbers.

A run is a network trained with all seeds at 0 but those of one source of nondeterminism, which are
the run's number, from 1 to 100. (The thesis has the others at 1; here no two rows share a run.) A
cell with a `row` trains nothing: it measures the runs beside it whose config is its own but for
these seeds (nfnets_am/analysis/variability.py), all of them, and fails until they are finished; the
same command again measures. [R] is the public code (ceciliaresearch/nondeterminism_instability),
[C] a choice.

  - Learning rate [R]: 0 in the first update, 3 epochs of ramp, a cosine over all epochs; a tenth on
    biases, offsets, and the scales of norms outside shortcuts. The thesis does not say that.
  - Batches [C]: 512 images; what fills no batch is left out and differs from pass to pass. [R] has
    a last one of 336.
  - Images [R]: black pixels around the crop, then mean and deviation of CIFAR-10.
  - Weight decay [R]: on all parameters.
  - One bit [R]: of the first convolution's weights, up or down, before the first update.
  - cuDNN: kernels are deterministic (`kernels=0`) but in the rows of table5_1_kernels.py, which
    need a GPU. On CPU and TPU there are none that differ.
  - Snapshot ensembles [R]: five cycles, each with a ramp of its own; logits averaged.
  - Test-time views: 2 and 162; [R] has 163, the image itself among them.
"""

from collections.abc import Mapping
from collections.abc import Sequence
import math
import pathlib
from typing import Any

import ml_collections

from nfnets_am.config import cells as cells_lib
from nfnets_am.config import schema
from nfnets_am.core import errors
from nfnets_am.sweeps import paper

SCALES = ('full', 'smoke')
# Keys of the config that take the run's number.
SOURCES = {
    'init': ('seeds.init',),
    'shuffle': ('seeds.shuffle',),
    'augment': ('seeds.augment',),
    'shuffle_augment': ('seeds.shuffle', 'seeds.augment'),
    'all': ('seeds.init', 'seeds.shuffle', 'seeds.augment'),
    'bit': ('start.bit_change',),
}
# With a GPU's nondeterministic kernels, which have no seed: the number is that of the repeat.
WITH_KERNELS = {
    'kernels': ('kernels',),
    'shuffle_kernels': ('seeds.shuffle', 'kernels'),
    'shuffle_augment_kernels': ('seeds.shuffle', 'seeds.augment', 'kernels'),
    'all_kernels': ('seeds.init', 'seeds.shuffle', 'seeds.augment', 'kernels'),
}
_SOURCES = SOURCES | WITH_KERNELS
# What a row makes of the runs: the arguments of `agreement`.
ROWS = {
    'single': '',
    'ensembles': 'ensembles=(2, 3, 4, 5), ',
    'flip': "evaluation='flip', against_evaluation='test', ",
    'crop': "evaluation='crop', against_evaluation='test', ",
    'flip_crop': "evaluation='flip_crop', against_evaluation='test', ",
}
_CYCLES = 5
# Of a row whose runs have cycles: held against the others, as they are at their end.
_AGAINST = "snapshots=True, against_changes={'schedule.cycles': 1}, "
# `count` is that of a row's runs, 0 for RUNS; `constant` is what all other seeds are.
CELL = {'model': 'padded_resnet14', 'source': 'all', 'seed': 1, 'cycles': 1, 'onset': 0,
        'peak': 0.4, 'epochs': 500, 'constant': 0, 'row': '', 'count': 0, 'scale': 'full'}
_CIFAR = 'normalise(mean=(.4914,.4822,.4465), std=(.2023,.1994,.2010))'
RATES = 'bias(times=0.1) | norm_offset(times=0.1) | norm_scale_not_shortcut(times=0.1)'
_TINY = {'name': 'padded_resnet10', 'width': 2}
# [R] has 'bn' in the name of no norm of its VGG, and of every norm of its ShuffleNet.
_NO_SCALES = 'bias(times=0.1) | norm_offset(times=0.1)'
_ALL_SCALES = f'{_NO_SCALES} | norm_scale(times=0.1)'
# Network -> module that has the weight of which a bit changes, rates, network of smoke runs.
MODELS = {
    'padded_resnet6': ('padded_resnet/stem', RATES, {'name': 'padded_resnet6', 'width': 2}),
    'padded_resnet14': ('padded_resnet/stem', RATES, _TINY),
    'padded_resnet10': ('padded_resnet/stem', RATES, _TINY),
    'padded_resnet18': ('padded_resnet/stem', RATES, _TINY),
    'shufflenet_v2': ('shufflenet_v2/stem', _ALL_SCALES,
                      {'name': 'shufflenet_v2', 'width': 2, 'last': 4}),
    # Too deep for the images of smoke runs.
    'vgg11_linear': ('vgg11_linear/conv0', _NO_SCALES, {'name': 'vgg11_linear', 'width': 2}),
    'two_convs': ('two_convs/conv0', 'bias(times=0.1)',
                  {'name': 'two_convs', 'channels': 2, 'hidden': 4}),
    'linear': ('linear/linear', 'bias(times=0.1)', {'name': 'linear'}),
    'one_hidden': ('one_hidden/hidden', 'bias(times=0.1)', {'name': 'one_hidden', 'hidden': 4}),
    'one_hidden_conv': ('one_hidden_conv/hidden', 'bias(times=0.1)',
                        {'name': 'one_hidden_conv', 'channels': 2}),
}
METRICS = ('top1_sd', 'loss_sd', 'disagreement', 'correlation', 'top1_delta')
RUNS = 100
SMOKE_RUNS = 4
SMOKE_NOTE = """
These are smoke runs: a tiny network on small images for a few updates, which show that everything
works and nothing else. The thesis' numbers stand beside them to show the form.
"""


def get_config(cell: str, *, views: bool) -> ml_collections.ConfigDict:
  """Returns the config of a network of MODELS on CIFAR-10, or of what measures such runs.

  Args:
    cell: text of keys of CELL.
    views: whether the runs also predict with test-time views, at the ends of five cycles.

  Raises:
    ConfigError: an unknown key, network, source, row or scale.
  """
  cell = cells_lib.parse_cell(cell, CELL)
  for key, allowed in (('model', MODELS), ('source', _SOURCES), ('row', ('', *ROWS)),
                       ('scale', SCALES)):
    if cell[key] not in allowed:
      raise errors.ConfigError(f'{key}={cell[key]!r}; allowed: {", ".join(map(repr, allowed))}')
  smoke = cell['scale'] == 'smoke'
  first, rates, tiny = MODELS[cell['model']]
  config = schema.get_default()
  config.update({
      'views': 512, 'seed': cell['seed'], 'budget': f'{cell["epochs"]} epochs', 'kernels': 0,
      'data': {'set': 'cifar10', 'apply': 'device',
               'augment': f'pad_crop(pad=4) | flip() | {_CIFAR}'},
      'model': {'name': cell['model']},
      'optimizer': {'name': 'sgd', 'weight_decay': 5e-4, 'rates': rates},
      'schedule': {'name': 'cosine', 'peak': cell['peak'], 'warmup': '3 epochs',
                   'cycles': cell['cycles']},
      'eval_every': '20 percent', 'log_every': '50 updates'})
  vary(config, cell['source'], cell['seed'], first, cell['constant'])
  varied = _SOURCES[cell['source']]
  if cell['onset']:
    varied = _vary_late(config, cell['source'], cell['seed'], 1 if smoke else cell['onset'])
  _evaluate(config, views)
  if smoke:
    config.data.update({'set': 'fashion_mnist_small', 'train_images': 64,
                        'augment': 'pad_crop(pad=2) | flip() | normalise()'})
    config.model = ml_collections.ConfigDict(tiny)
    config.schedule.warmup = '1 updates'
    # 10 for 500 epochs, and others for others.
    config.update({'views': 16, 'budget': f'{round(2 * math.log2(cell["epochs"] / 16))} updates',
                   'log_every': '2 updates'})
    config.checkpoint.every = '100 percent'
    for part in config.evals.values():
      part.update({'batch': 32, 'most': 1})
      if part.get('pad'):
        part.pad = 1
  if cell['row']:
    count = count_of(cell, cell['scale'])
    row = ROWS[cell['row']] + (_AGAINST if cell['cycles'] > 1 else '')
    if smoke:
      row = row.replace('(2, 3, 4, 5)', '(2,)')
    config.measure = f'agreement({row}vary={varied!r}, count={count})'
  return config


def count_of(row: Mapping[str, Any], scale: str) -> int:
  """Returns how many runs a row measures."""
  return SMOKE_RUNS if scale == 'smoke' else row.get('count') or RUNS


def vary(config: ml_collections.ConfigDict, source: str, seed: int,
         first: str = 'padded_resnet/stem', constant: int = 0) -> None:
  """Sets the seeds of a run.

  Args:
    config: to change.
    source: of SOURCES or WITH_KERNELS.
    seed: of the source.
    first: module of the network that has the weight of which a bit changes.
    constant: seed of all others.
  """
  for name in schema.SEEDS:
    config.seeds[name] = constant
  for key in _SOURCES[source]:
    section, _, name = key.partition('.')
    if section == 'seeds':
      config.seeds[name] = seed
    elif section == 'kernels':
      config.kernels = seed
    else:
      config.start = ml_collections.ConfigDict(
          {'name': 'fresh', 'bit_change': seed, 'bit_change_in': first})


def _vary_late(config: ml_collections.ConfigDict, source: str, seed: int, epoch: int
               ) -> tuple[str, ...]:
  """Sets the seeds of a run that is like all others until a pass; returns the keys that differ.

  Raises:
    ConfigError: a source that has done its work by then.
  """
  keys = _SOURCES[source]
  if not set(keys) <= {'seeds.shuffle', 'seeds.augment'}:
    raise errors.ConfigError(
        f"source={source!r} with onset={epoch}; allowed: 'shuffle', 'augment', 'shuffle_augment'")
  names = [key.partition('.')[2] for key in keys]
  config.reseed.epoch = epoch
  for name in names:
    config.seeds[name] = 0
    config.reseed[name] = seed
  return tuple(f'reseed.{name}' for name in names)


def _evaluate(config: ml_collections.ConfigDict, views: bool) -> None:
  at = tuple(f'{100 * k // _CYCLES} percent' for k in range(1, _CYCLES + 1))
  more = {'keep_at': at, 'every': '100 percent'} if views else {}
  config.evals.test = ml_collections.ConfigDict(
      {'name': 'accuracy', 'split': 'test', 'keep': True, **more})
  if views:
    for name, pad in (('flip', 0), ('flip_crop', 4)):
      config.evals[name] = ml_collections.ConfigDict(
          {'name': 'views', 'flip': True, 'pad': pad, 'keep': True, **more})


def cells(rows: Sequence[dict[str, Any]], scale: str) -> tuple[dict[str, Any], ...]:
  """Returns the cells of a table: the runs that its rows measure, each once, and then the rows.

  Args:
    rows: keys of CELL, without seed and scale.
    scale: of SCALES.

  Raises:
    ConfigError: an unknown scale.
  """
  if scale not in SCALES:
    raise errors.ConfigError(f'scale={scale!r}; allowed: {", ".join(SCALES)}')
  extra = {'scale': scale} if scale != 'full' else {}
  # Of each kind of run, what its cells say beside seed and scale.
  kinds: dict[str, tuple[dict[str, Any], int]] = {}
  for row in rows:
    kind = {'cycles': 1, **{key: row[key] for key in row if key not in ('row', 'count')}}
    kinds.setdefault(repr(sorted(kind.items())), (kind, count_of(row, scale)))
  runs = [{**kind, 'seed': seed, **extra}
          for kind, count in kinds.values() for seed in range(1, count + 1)]
  return (*runs, *({'cycles': 1, 'seed': 1, **row, **extra} for row in rows))


def numbers(table: str) -> tuple[paper.Number, ...]:
  """Returns what the thesis prints in a table."""
  return paper.read_numbers(pathlib.Path(__file__).with_name('paper_chapter5.json'), table)
