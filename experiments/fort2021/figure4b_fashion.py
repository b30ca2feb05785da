"""Figure 4(b) of Fort et al. 2021 on Fashion-MNIST: where the lines of n = 1, 4 and 16 cross.

    apt-get install dataset-fashion-mnist
    python -m launch.sweep --experiment=experiments/fort2021/figure4b_fashion.py \\
        --workdir=runs/figure4b_fashion --devices_per_run=1
    python -m experiments.fort2021.figure4b_fashion_report --workdir=runs/figure4b_fashion \\
        --out=docs/results

The paper's WRN-16-4 with a fixed batch of 1,024 views, as figure4.py has it on CIFAR-100, on all
60,000 images of Fashion-MNIST, tested on its 10,000. The same command goes on where it was stopped,
and adds the learning rates that tuning calls for. The 81 runs to begin with are 3.6e18 FLOPs, ten
hours of a GPU that reaches 100 TFLOPS; the page tells the hours that it was, and of which card.
'smoke' is a tiny model on bundled images, 'validation' chooses learning rates on 5,000 of the
training images.

What the paper says is said of CIFAR-100 and ImageNet; it prints no number for this. Choices:
- budgets: 1,000, 8,000 and 64,000 updates of every n, which are 17, 137 and 1,092 epochs of one
  view, and a sixteenth of that of 16. They are said in updates, so that all n have the same.
- multiplicities: 1, 4, and the 16 that is the largest of the paper.
- learning rates: 2^-5 to 2^-3 by factors of 2, and on until the best is inside; the best of each
  n and budget, on the test images, as the paper does.
- seeds: 3, all of which count.
- images of 28 pixels, one channel, as they are; all else as in figure4.py (recipes.py).
"""

import ml_collections

from experiments.fort2021 import grids
from experiments.fort2021 import recipes
from nfnets_am.config import cells as cells_lib
from nfnets_am.reporting import claims
from nfnets_am.sweeps import experiment_file
from nfnets_am.sweeps import paper

_CELL = {'multiplicity': 1, 'updates': 8000, 'peak': 0.0625, 'seed': 0, 'scale': 'full'}
_MULTIPLICITIES = (1, 4, 16)
_BUDGETS = {'full': (1000, 8000, 64_000), 'validation': (1000, 8000, 64_000), 'smoke': (2, 4, 8)}
_PEAKS = (0.03125, 0.0625, 0.125)
_SEEDS = 3
_NOTE = """
The claims are what the paper says of CIFAR-100 and ImageNet, held against another set, of grey
images, on which networks differ by less: a difference that is not resolved here may well be there.
The test set's error is that of two networks which see different images; these see the same ones.
"""


def get_config(cell: str = '') -> ml_collections.ConfigDict:
  """Returns the config of a cell such as 'multiplicity=4,updates=64000,peak=0.125,seed=2'."""
  cell = cells_lib.parse_cell(cell, _CELL)
  scale = cell['scale']
  config = recipes.tuned('', views=32 if scale == 'smoke' else 1024, **{
      key: cell[key] for key in ('multiplicity', 'peak', 'seed', 'scale')})
  config.budget = f'{cell["updates"]} updates'
  config.checkpoint.update({'every': '5 percent', 'keep': 1})
  if scale != 'smoke':
    config.data.set = 'fashion_mnist_idx'
  return config


def get_sweep(scale: str = 'full') -> experiment_file.Sweep:
  """Returns the runs of a scale, the shorter ones first."""
  recipes.check_scale(scale)
  smoke, budgets = scale == 'smoke', _BUDGETS[scale]
  least, most = budgets[0], budgets[-1]
  at = lambda n, updates: {'multiplicity': n, 'updates': updates}
  one, many = _MULTIPLICITIES[0], _MULTIPLICITIES[1:]
  crossing = [
      paper.Claim(f'The lines cross: the lead of {n} views over one rises with the updates.',
                  'Figure 4(b)', claims.smaller_gap(
                      (at(n, least), at(one, least)), (at(n, most), at(one, most))))
      for n in many]
  return experiment_file.Sweep(
      title='Figure 4(b) on Fashion-MNIST: fixed batch of 1,024 views, all 60,000 images',
      cells=tuple(
          {**at(n, updates), 'peak': peak, 'seed': seed,
           **({} if scale == 'full' else {'scale': scale})}
          for updates in budgets for seed in range(1 if smoke else _SEEDS)
          for n in _MULTIPLICITIES for peak in (_PEAKS[1:2] if smoke else _PEAKS)),
      others=('train/loss',),
      tune='peak',
      tune_factor=0.0 if smoke else 2.0,
      select='validation' if scale == 'validation' else 'test',
      panels=tuple(paper.Panel(f'{what} by updates', 'updates', metric, log_y=metric != 'test/top1')
                   for what, metric in (('test accuracy', 'test/top1'),
                                        ('training loss', 'train/loss'))),
      claims=(
          paper.Claim(f'At few updates ({least:,}) one view is better than 16.', 'Figure 4(b)',
                      claims.better(at(one, least), at(16, least))),
          *crossing,
          paper.Claim(f'At equal, many updates ({most:,}) 4 views are better than one.',
                      '73.7 ± 0.04 over 72.1 ± 0.1 on CIFAR-100, after 4x10^5 updates',
                      claims.better(at(4, most), at(one, most))),
          paper.Claim('4 views are better than one without more updates.', 'Figure 4(b)',
                      claims.no_dearer({'multiplicity': 4}, {'multiplicity': one}, 'updates')),
          paper.Claim('With a fixed, large batch 16 views are better than one, each at its best '
                      'budget.', 'Figure 4(a)',
                      claims.better({'multiplicity': 16}, {'multiplicity': one}))),
      note=grids.note(scale) or _NOTE)
