"""Section B.6 of Summers 2021: deviations depend on what the other seeds are.

    python -m launch.sweep --experiment=experiments/summers2021/sectionB_6.py \\
        --workdir=runs/summers2021
    python -m nfnets_am.report --experiment=experiments/summers2021/sectionB_6.py \\
        --workdir=runs/summers2021

A row of table 5.1 is of runs whose other seeds are one constant; with another constant its
deviations may be a little other ones. Here the first weights, the order, the augmentation and one
bit of a ResNet-14 on CIFAR-10, 100 runs each, with two more constants: the general conclusions
stay. No numbers are printed.

[C]: the constants are 200 and 300, where the thesis has 2 and 3: larger than the numbers of the
runs, so that no run is of two rows. Rows with constant 0 are those of table 5.1. The rows are
measured by a second command like the first, once all runs are finished. What else the thesis leaves
open: chapter5.py.
"""

import ml_collections

from experiments.summers2021 import chapter5
from experiments.summers2021 import chapter5_claims
from nfnets_am.reporting import claims
from nfnets_am.sweeps import experiment_file
from nfnets_am.sweeps import paper

CONSTANTS = (200, 300)
SOURCES = ('init', 'shuffle', 'augment', 'bit')


def get_config(cell: str = '') -> ml_collections.ConfigDict:
  """Returns the config of a cell such as 'source=init,constant=200,seed=7'."""
  return chapter5.get_config(cell, views=False)


def get_sweep(scale: str = 'full') -> experiment_file.Sweep:
  """Returns 100 runs of each source and constant, and a row that measures each."""
  of = lambda source, constant=0: {'source': source, 'constant': constant, 'row': 'single'}
  rows = [of('all'), *(of(source, constant) for source in SOURCES
                       for constant in (0, *CONSTANTS))]
  every = [(source, constant) for source in SOURCES for constant in CONSTANTS]
  return experiment_file.Sweep(
      title='Section B.6: other constants, ResNet-14 on CIFAR-10',
      metric='single/top1_sd',
      others=(*(f'single/{metric}' for metric in chapter5.METRICS[1:]), 'test/top1'),
      cells=chapter5.cells(rows, scale),
      claims=(
          paper.Claim('With other constants, too, no source is a factor of two less or more '
                      'important than all together.', 'Section B.6', claims.all_of(*(
                          chapter5_claims.alike(of(*one), of('all'), 2) for one in every))),
          paper.Claim('The constant matters little (by a factor of 1.5).', 'Section B.6',
                      claims.all_of(*(chapter5_claims.alike(of(*one), of(one[0]), 1.5)
                                      for one in every)))),
      note=chapter5.SMOKE_NOTE if scale == 'smoke' else '')
