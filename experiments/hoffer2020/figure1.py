"""Figure 1 of Hoffer et al. 2020: the norm of the gradient while training, M from 1 to 32.

    python -m launch.sweep --experiment=experiments/hoffer2020/figure1.py --workdir=runs/hoffer2020
    python -m nfnets_am.report --experiment=experiments/hoffer2020/figure1.py \\
        --workdir=runs/hoffer2020

The runs of figure2.py, whose folders it shares: ResNet-44 with cutout on CIFAR-10. The norm is that
of the whole update before the L2 term, the mean over what one line of the log covers.
"""

import ml_collections

from experiments.hoffer2020 import checks
from experiments.hoffer2020 import figure2
from experiments.hoffer2020 import sweeps
from nfnets_am.sweeps import experiment_file
from nfnets_am.sweeps import paper

_METRIC = 'train_views/gradient_norm'


def get_config(cell: str = '') -> ml_collections.ConfigDict:
  """Returns the config of a cell such as 'multiplicity=16'."""
  return figure2.get_config(cell)


def get_sweep(scale: str = 'full') -> experiment_file.Sweep:
  """Returns a run for each M."""
  shown = figure2.shown(scale)
  return sweeps.of(
      'figure1', 'Figure 1: norm of the gradient by M', scale, [{'multiplicity': n} for n in shown],
      [paper.Claim('Batch augmentation reduces the norm of the gradient.', 'Figure 1',
                   checks.below({'multiplicity': shown[-1]}, {'multiplicity': 1}, _METRIC))],
      metric=_METRIC)
