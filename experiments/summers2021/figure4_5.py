"""Figure 4.5 (a) of Summers 2021: test accuracy over the batch size, all four things together.

    python -m launch.sweep --experiment=experiments/summers2021/figure4_5.py \\
        --workdir=runs/summers2021
    python -m nfnets_am.report --experiment=experiments/summers2021/figure4_5.py \\
        --workdir=runs/summers2021

CIFAR-100 (a pre-activation ResNet-18) and Caltech-256 (Inception-v3), B from 1 to 128. `ours` is,
at B = 1, group norm whose scales and offsets decay; at 2, batch-group norm over two examples with
that decay and example weighing; from 4 on, ghost batches with both. Beside it stand group norm,
ghost batches alone (B = 128, over B') and batch norm at 128, which is idealised where the figure
draws it over all sizes. Printed: 6.5 points over batch norm on Caltech-256, and 5.9 over group norm
at B = 2.

Ghost batches of `ours` have half the batch, and 16 at most [C]; the thesis tunes them. Its alpha is
tuned on the validation images, in the claims; the curves are those of each norm's own inference.
Hardware: not said; 46 runs of as many images each, so that small batches take longer. What else the
thesis leaves open: norm_recipes.py. Figure 4.5 (b), which fine-tunes, is
figure4_5b.py.
"""

import ml_collections

from experiments.summers2021 import norm_recipes
from experiments.summers2021 import tables
from experiments.summers2021 import weighing
from nfnets_am.config import cells as cells_lib
from nfnets_am.core import errors
from nfnets_am.sweeps import experiment_file
from nfnets_am.sweeps import paper

SIZES = (1, 2, 4, 8, 16, 32, 64, 128)
DATA = ('cifar100', 'caltech256')
METHODS = ('ours', 'group', 'ghost', 'batch')
_SMOKE_BATCH = 16


def get_config(cell: str = '') -> ml_collections.ConfigDict:
  """Returns the config of a cell such as 'data=cifar100,method=ours,x=4'.

  `x` is B; of 'ghost' it is B'.
  """
  cell = cells_lib.parse_cell(
      cell, norm_recipes.schema_of(data='cifar100', method='ours', x=128))
  tables.check_scale(cell['scale'])
  smoke, x = cell['scale'] == 'smoke', cell['x']
  if x not in SIZES:
    raise errors.ConfigError(f'x={x}; allowed: {", ".join(map(str, SIZES))}')
  batch = norm_recipes.BATCH if cell['method'] in ('ghost', 'batch') else x
  most = _SMOKE_BATCH if smoke else batch
  config = norm_recipes.config_of(
      cell['data'], norm_of(cell['method'], min(x, most),
                            norm_recipes.groups_of(cell['data'], cell['scale'])),
      seed=cell['seed'], scale=cell['scale'], batch=batch,
      decays='to_one' if cell['method'] == 'ours' else 'none')
  return norm_recipes.weigh(config, weighing.ALPHAS)


def norm_of(method: str, x: int, groups: int) -> str:
  """Returns the call of a line's norm at B, or at B' of 'ghost'; raises ConfigError for no line."""
  if method not in METHODS:
    raise errors.ConfigError(f'method={method!r}; allowed: {", ".join(METHODS)}')
  if method != 'ours':
    return norm_recipes.norm(method, x, groups)
  if x <= 2:
    return norm_recipes.norm(('group', 'batch_group')[x - 1], x, groups)
  return norm_recipes.norm('ghost', min(x // 2, 16))


def get_sweep(scale: str = 'full') -> experiment_file.Sweep:
  """Returns the runs of two data sets: three curves, and the batch norm of one size."""
  tables.check_scale(scale)
  extra = {'scale': scale} if scale == 'smoke' else {}
  of = lambda data, method, x: {'data': data, 'method': method, 'x': x}
  cells = [of(data, method, x) for data in DATA
           for method in METHODS[:2] for x in SIZES]
  cells += [of(data, 'ghost', x) for data in DATA for x in SIZES[1:-1]]
  cells += [of(data, 'batch', norm_recipes.BATCH) for data in DATA]
  return experiment_file.Sweep(
      title='Figure 4.5 (a): all batch sizes',
      cells=norm_recipes.distinct(({**one, 'seed': 0, **extra} for one in cells), get_config),
      others=tuple(dict.fromkeys((*weighing.METRICS, *weighing.CHOSEN_BY))),
      panels=tuple(paper.Panel(data, x='x', where={'data': data}, line='method') for data in DATA),
      claims=tuple(
          paper.Claim(text.format(data), evidence, weighing.beats(
              of(data, 'ours', x), of(data, method, x)))
          for data, over_batch, over_group in (('cifar100', 'in the figure', 'in the figure'),
                                               ('caltech256', 'by 6.5 points', 'by 5.9 points'))
          for text, evidence, method, x in (
              ('On {} all four are better than batch norm at B = 128.', over_batch, 'batch', 128),
              ('On {} they are better than group norm at B = 2.', over_group, 'group', 2))),
      note=tables.SMOKE_NOTE if scale == 'smoke' else '')
