"""Appendix A.3 of Summers 2021: group norms that gained nothing.

    python -m launch.sweep --experiment=experiments/summers2021/sectionA_3_groups.py \\
        --workdir=runs/summers2021
    python -m nfnets_am.report --experiment=experiments/summers2021/sectionA_3_groups.py \\
        --workdir=runs/summers2021

The thesis gives group norm the chance that batches give to batch norm, by noise on its statistics,
random groups of channels and numbers of groups that change; and looks for sizes of groups by a
constant number of elements and by learnt weights. None worked well, the learnt ones overfit; no
number is printed. Validation accuracy on CIFAR-100, B = 128; "not better" is by less than half a
point [C].

[C], as the thesis names no value: noise of 0.1 deviations; random groups always, and in half of the
updates; 4 to 32 groups and 32 to 4; 4,096 elements, which is 16 groups in the first stage of the
ResNet-18 and 2 in the last; learnt weights of 1, 4, 16 and 64 groups; 3 runs each. Hardware: two
GTX 1080 Ti, hours not said. What else the thesis leaves open: norm_recipes.py.
"""

import ml_collections

from experiments.summers2021 import norm_recipes
from experiments.summers2021 import tables
from nfnets_am.config import cells as cells_lib
from nfnets_am.core import errors
from nfnets_am.core import registry
from nfnets_am.reporting import claims
from nfnets_am.sweeps import experiment_file
from nfnets_am.sweeps import paper

_USUAL = 'group'
# Way -> its norm; at the smoke scale there are fewer channels.
WAYS = {
    _USUAL: 'group(groups=32)',
    'noise': 'noisy_group(groups=32, noise=0.1)',
    'random': 'random_group(groups=32)',
    'random_half': 'random_group(groups=32, share=0.5)',
    'rising': 'changing_group(numbers=(4, 8, 16, 32))',
    'falling': 'changing_group(numbers=(32, 16, 8, 4))',
    'even': 'even_group(elements=4096)',
    'learnt': 'switchable(numbers=(1, 4, 16, 64))',
}
_SMOKE = {'groups=32': 'groups=4', '(4, 8, 16, 32)': '(2, 4)', '(32, 16, 8, 4)': '(4, 2)',
          '4096': '64', '(1, 4, 16, 64)': '(1, 4)'}
_RUNS = 3


def get_config(cell: str = '') -> ml_collections.ConfigDict:
  """Returns the config of a cell such as 'way=noise,seed=1'."""
  cell = cells_lib.parse_cell(cell, norm_recipes.schema_of(way=_USUAL))
  way = cell['way']
  if way not in WAYS:
    raise errors.ConfigError(
        f'way={way!r}{registry.did_you_mean(way, WAYS)}; allowed: {", ".join(WAYS)}')
  call = WAYS[way]
  if cell['scale'] == 'smoke':
    for full, small in _SMOKE.items():
      call = call.replace(full, small)
  config = norm_recipes.config_of('cifar100', call, seed=cell['seed'], scale=cell['scale'])
  for split in ('validation', 'train'):
    config.evals[split] = ml_collections.ConfigDict({'name': 'accuracy', 'split': split})
  return config


def get_sweep(scale: str = 'full') -> experiment_file.Sweep:
  """Returns three runs of each way."""
  tables.check_scale(scale)
  extra = {'scale': scale} if scale == 'smoke' else {}
  of = lambda way: {'way': way}
  ways = lambda *names: claims.all_of(*(
      claims.not_worse(of(_USUAL), of(name), 0.5) for name in names))
  return experiment_file.Sweep(
      title='Appendix A.3: group norms that gained nothing, ResNet-18 on CIFAR-100',
      cells=tuple({**of(way), 'seed': seed, **extra} for way in WAYS
                  for seed in range(1 if extra else _RUNS)),
      metric='validation/top1', others=('train/top1', 'validation/loss'),
      claims=tuple(
          paper.Claim(f'{text} not better than group norm, by half a point [C].', 'Appendix A.3',
                      ways(*names))
          for text, names in (
              ('Noise on its statistics is', ('noise',)),
              ('Random groups of channels are', ('random', 'random_half')),
              ('Numbers of groups that change are', ('rising', 'falling')),
              ('Groups with as many elements everywhere are', ('even',)),
              ('Learnt sizes of groups are', ('learnt',)))),
      note=tables.SMOKE_NOTE if scale == 'smoke' else '')
