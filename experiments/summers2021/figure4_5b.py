"""Figure 4.5 (b) of Summers 2021: a ResNet-152 of ImageNet, fine-tuned at all batch sizes.

    python -m launch.sweep --experiment=experiments/summers2021/figure4_5b.py \\
        --workdir=runs/summers2021 --set=start.file=resnet152.safetensors --set=data.data_dir=DIR
    python -m nfnets_am.report --experiment=experiments/summers2021/figure4_5b.py \\
        --workdir=runs/summers2021 --set=start.file=resnet152.safetensors --set=data.data_dir=DIR

Test accuracies on Flowers-102 and CUB-2011, with the norms of figure4_5.py. Printed are the best
over the batch sizes: 91.0% (batch norm), 93.4% (all four) and 87.3% (group norm) on Flowers-102,
81.1%, 82.4% and 78.6% on CUB-2011. All start from the same file, in timm's layout, which was
trained with batch norm; the head is new.

Choices [C], as the thesis says nothing of fine-tuning:
- length: 100 passes of Flowers-102, 50 of CUB-2011, whatever B is.
- learning rate: 0.01 at B = 128, times B / 128 elsewhere, a ramp of a twentieth and a cosine.
- L2 of 1e-4 on kernels, and at `ours` on scales and offsets.
- images: random crops of 224 pixels and flips; tested on the middle 7/8 of the short side.
- validation: a quarter of the training images of both sets, which alpha is chosen on. The thesis
  takes a quarter of CUB-2011's, and of Flowers-102 the validation images that it comes with.
Hardware: two GTX 1080 Ti, hours not said; 46 runs.
"""

import pathlib

import ml_collections

from experiments.summers2021 import figure4_5
from experiments.summers2021 import norm_recipes
from experiments.summers2021 import tables
from experiments.summers2021 import weighing
from nfnets_am.config import cells as cells_lib
from nfnets_am.config import schema
from nfnets_am.core import errors
from nfnets_am.sweeps import experiment_file
from nfnets_am.sweeps import paper

# Data set -> its name, training images that are left, validation images, passes.
DATA = {'oxford_flowers102': ('Flowers-102', 765, 255, 100),
        'caltech_birds2011': ('CUB-2011', 4496, 1498, 50)}
_PEAK = 0.01
_PENALTY = ("l2(coefficient=1e-4, mask='kernels')",)


def get_config(cell: str = '') -> ml_collections.ConfigDict:
  """Returns the config of a cell such as 'data=caltech_birds2011,method=ours,x=4'.

  `x` is B; of 'ghost' it is B'.
  """
  cell = cells_lib.parse_cell(
      cell, norm_recipes.schema_of(data='oxford_flowers102', method='ours', x=128))
  tables.check_scale(cell['scale'])
  smoke, x = cell['scale'] == 'smoke', cell['x']
  if cell['data'] not in DATA or x not in figure4_5.SIZES:
    raise errors.ConfigError(
        f'data={cell["data"]!r} with x={x}; allowed: {", ".join(DATA)} with '
        f'{", ".join(map(str, figure4_5.SIZES))}')
  _, images, validation, passes = DATA[cell['data']]
  batch = norm_recipes.BATCH if cell['method'] in ('ghost', 'batch') else x
  if smoke:
    batch, x = min(batch, 4), min(x, 4)
  call = figure4_5.norm_of(cell['method'], x, 4 if smoke else 32)
  decays = norm_recipes.DECAYS['to_one' if cell['method'] == 'ours' else 'none']
  config = schema.get_default()
  config.update({
      'views': batch, 'seed': cell['seed'],
      'budget': '4 updates' if smoke else f'{round(passes * images / batch)} updates',
      'data': {'name': 'stream', 'set': cell['data'], 'test_split': 'test',
               'validation': validation, 'eval_crop': 'resize_crop_32', 'lanes': 1,
               'augment': 'crop(224) | flip() | normalise()'},
      'model': {'name': 'resnet152', 'norm': call},
      'start': {'name': 'weights', 'file': 'resnet152.safetensors'},
      'schedule': {'name': 'cosine', 'peak': _PEAK * batch / norm_recipes.BATCH,
                   'warmup': '5 percent'},
      'penalty': ' | '.join((*_PENALTY, *(part.format(decay=1e-4) for part in decays))),
      'eval_batch': 64, 'eval_every': '50 percent', 'log_every': '5 percent'})
  if smoke:
    config.data.update({'set': 'stand_in', 'data_dir': 'runs/data', 'validation': 8,
                        'test_split': 'validation', 'augment': 'crop(28) | flip() | normalise()'})
    config.model = ml_collections.ConfigDict({'name': 'resnet_tiny', 'norm': call})
    config.start = ml_collections.ConfigDict({'name': 'fresh'})
    config.update({'eval_batch': 4, 'log_every': '2 updates'})
  return norm_recipes.weigh(config, weighing.ALPHAS)


def get_sweep(scale: str = 'full') -> experiment_file.Sweep:
  """Returns the runs of two data sets: three curves, and the batch norm of one size."""
  tables.check_scale(scale)
  extra = {'scale': scale} if scale == 'smoke' else {}
  of = lambda data, method, x: {'data': data, 'method': method, 'x': x}
  cells = [of(data, method, x) for data in DATA for method in ('ours', 'group')
           for x in figure4_5.SIZES]
  cells += [of(data, 'ghost', x) for data in DATA for x in figure4_5.SIZES[1:-1]]
  cells += [of(data, 'batch', norm_recipes.BATCH) for data in DATA]
  printed = {'oxford_flowers102': '93.4; 91.0, 87.3', 'caltech_birds2011': '82.4; 81.1, 78.6'}
  found = []
  for data, (name, *_) in DATA.items():
    # The best over the batch sizes, as the text has them.
    ours, group = of(data, 'ours', figure4_5.SIZES), of(data, 'group', figure4_5.SIZES)
    found += [paper.Claim(f'On {name} all four are better than {what} norm, at their best sizes.',
                          printed[data], weighing.beats(ours, other))
              for what, other in (('batch', of(data, 'batch', 128)), ('group', group))]
  return experiment_file.Sweep(
      title='Figure 4.5 (b): fine-tuning at all batch sizes',
      cells=norm_recipes.distinct(({**one, 'seed': 0, **extra} for one in cells), get_config),
      others=tuple(dict.fromkeys((*weighing.METRICS, *weighing.CHOSEN_BY))),
      panels=tuple(paper.Panel(name, x='x', where={'data': data}, line='method')
                   for data, (name, *_) in DATA.items()),
      numbers=paper.read_numbers(
          pathlib.Path(__file__).with_name('paper_chapter4.json'), 'figure4_5b'),
      claims=tuple(found), note=tables.SMOKE_NOTE if scale == 'smoke' else '')
