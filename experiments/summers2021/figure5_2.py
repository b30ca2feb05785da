"""Figure 5.2 of Summers 2021: how late nondeterminism may begin and still make models differ.

    python -m launch.sweep --experiment=experiments/summers2021/figure5_2.py \\
        --workdir=runs/summers2021
    python -m nfnets_am.report --experiment=experiments/summers2021/figure5_2.py \\
        --workdir=runs/summers2021

A ResNet-14 on CIFAR-10 for 500 epochs: 100 runs are the same up to an epoch, and from then on the
seed of one source differs. Deviations of accuracy after 50 epochs are nearly those from the start,
and fall gradually as the onset comes later; the figure's numbers are not printed.

Every run is trained from its start [C], where the thesis goes on from a saved state: what is the
same in both is so bit for bit. An epoch is a pass [C]: 512 images less than one now and then. From
the start on the runs are those of table 5.1. Nondeterministic kernels, the figure's third line, are
not run. Hardware: the thesis trains on two V100.
"""

import ml_collections

from experiments.summers2021 import chapter5
from experiments.summers2021 import chapter5_claims
from nfnets_am.reporting import claims
from nfnets_am.sweeps import experiment_file
from nfnets_am.sweeps import paper

SOURCES = ('shuffle', 'augment')
ONSETS = (0, 50, 250, 400, 450, 480, 490, 495, 498)


def get_config(cell: str = '') -> ml_collections.ConfigDict:
  """Returns the config of a cell such as 'source=shuffle,onset=250,seed=7'."""
  return chapter5.get_config(cell, views=False)


def get_sweep(scale: str = 'full') -> experiment_file.Sweep:
  """Returns 100 runs of each source and onset, and a row that measures each."""
  of = lambda source, onset: {'source': source, 'onset': onset, 'row': 'single'}
  # A smoke run has few passes, of which the second is the only onset.
  onsets = ONSETS[:2] if scale == 'smoke' else ONSETS
  panel = lambda title, metric: paper.Panel(
      title, 'onset', f'single/{metric}', {'row': 'single'}, tuned=False, line='source',
      log_x=False)
  return experiment_file.Sweep(
      title='Figure 5.2: the onset of nondeterminism, ResNet-14 on CIFAR-10',
      metric='single/top1_sd',
      others=(*(f'single/{metric}' for metric in chapter5.METRICS[1:]), 'test/top1'),
      cells=chapter5.cells([of(source, onset) for source in SOURCES for onset in onsets], scale),
      panels=(panel('Accuracy', 'top1_sd'), panel('Disagreement of pairs', 'disagreement')),
      claims=(
          paper.Claim('Model variability is nearly as high when nondeterminism begins after 50 '
                      'epochs (by a factor of 1.25).', 'Section 5.3.4', claims.all_of(*(
                          chapter5_claims.alike(of(source, 50), of(source, 0), 1.25, ('top1_sd',))
                          for source in SOURCES))),
          paper.Claim('It falls as the onset comes later: less with two epochs left than with half '
                      'of them.', 'Figure 5.2', claims.all_of(*(
                          chapter5_claims.below(of(source, 498), of(source, 250),
                                                metrics=('top1_sd',)) for source in SOURCES)))),
      note=chapter5.SMOKE_NOTE if scale == 'smoke' else '')
