"""Table 5.5 of Summers 2021: what ensembles, snapshots and test-time views take off variability.

    python -m launch.sweep --experiment=experiments/summers2021/table5_5.py \\
        --workdir=runs/summers2021
    python -m nfnets_am.report --experiment=experiments/summers2021/table5_5.py \\
        --workdir=runs/summers2021

A ResNet-14 on CIFAR-10 with all sources of nondeterminism, 100 runs with one cosine and 100 with
five cycles. Ensembles of N runs have N times the cost and 39% (N = 2) to 67% (N = 5) less
variability by the mean of five measures; a snapshot ensemble 48%, a mirror image 21%, all 162 crops
37%, both with snapshots 58% and 61%, at the cost of one run.

Hardware: the thesis trains on two V100. The rows are measured by a second command like the first,
once all runs are finished. What the thesis leaves open: chapter5.py.
"""

import ml_collections

from experiments.summers2021 import chapter5
from experiments.summers2021 import chapter5_claims
from nfnets_am.reporting import claims
from nfnets_am.sweeps import experiment_file
from nfnets_am.sweeps import paper


def get_config(cell: str = '') -> ml_collections.ConfigDict:
  """Returns the config of a cell such as 'cycles=5,seed=7' or 'cycles=5,row=flip'."""
  return chapter5.get_config(cell, views=True)


def get_sweep(scale: str = 'full') -> experiment_file.Sweep:
  """Returns 100 runs with one cycle and with five, and the rows that measure them."""
  of = lambda row, cycles=1: {'source': 'all', 'cycles': cycles, 'row': row}
  less = lambda *wheres: claims.all_of(*(
      chapter5_claims.below(where, of('ensembles')) for where in wheres))
  rows = [{'source': 'all', 'cycles': cycles, 'row': row}
          for cycles, names in ((1, ('ensembles', 'flip', 'flip_crop')),
                                (5, ('single', 'flip', 'flip_crop'))) for row in names]
  return experiment_file.Sweep(
      title='Table 5.5: reducing variability, ResNet-14 on CIFAR-10',
      metric='single/top1_sd',
      others=(*(f'single/{metric}' for metric in (*chapter5.METRICS[1:], 'reduction')),
              'ensemble2/reduction', 'ensemble3/reduction', 'ensemble4/reduction',
              'ensemble5/reduction', 'test/top1'),
      cells=chapter5.cells(rows, scale),
      numbers=chapter5.numbers('table5_5'),
      claims=(
          paper.Claim('Ensembles of two vary less than single runs, by every measure.', 'Table 5.5',
                      chapter5_claims.below(of('ensembles'), of('ensembles'), line='ensemble2')),
          paper.Claim('So do snapshot ensembles, which are one run each.', 'Table 5.5',
                      less(of('single', 5))),
          paper.Claim('Mirror images reduce variability by every measure.', 'Section 5.5',
                      less(of('flip'))),
          paper.Claim('All crops reduce it further.', 'Table 5.5', claims.all_of(
              chapter5_claims.below(of('flip_crop'), of('flip')),
              chapter5_claims.below(of('flip_crop', 5), of('flip_crop'))))),
      note=chapter5.SMOKE_NOTE if scale == 'smoke' else '')
