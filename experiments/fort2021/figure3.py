"""Figure 3: NF-ResNet-50 on ImageNet, growing batch, 256 unique images in every update.

    python -m launch.sweep --experiment=experiments/fort2021/figure3.py --workdir=runs/fort2021
    python -m nfnets_am.report --experiment=experiments/fort2021/figure3.py --workdir=runs/fort2021

Top-1 accuracy and training loss on a single minibatch by epoch budget, each at its own best
learning rate, and accuracy by learning rate at 128 epochs; multiplicities 1 to 8, one run for each
learning rate. The paper prints 77.9% for n = 1 (peak, at 512 epochs) and 78.4% for n = 8 (peak, at
128 epochs).

Hardware: a TPU slice or several GPUs a run: n = 8 has 2,048 views in an update. Budgets that only
the plot shows [C]: 32 to 512 epochs. What else the paper leaves open: recipes.py.
"""

import ml_collections

from experiments.fort2021 import grids
from experiments.fort2021 import recipes
from experiments.fort2021 import statements
from nfnets_am.reporting import claims
from nfnets_am.sweeps import experiment_file
from nfnets_am.sweeps import paper


def get_config(cell: str = '') -> ml_collections.ConfigDict:
  """Returns the config of a cell such as 'multiplicity=8,epochs=128,peak=0.1'."""
  return recipes.tuned(cell, model='nf_resnet50', unique=256, peak=0.1)


def get_sweep(scale: str = 'full') -> experiment_file.Sweep:
  """Returns the grid."""
  curve, budgets = grids.epochs(128, scale), grids.budgets_of('nf_resnet50', scale)
  several = grids.multiplicities_of('nf_resnet50', scale)
  one, many = ({'multiplicity': several[i]} for i in (0, -1))
  return experiment_file.Sweep(
      title='Figure 3: NF-ResNet-50, ImageNet, growing batch',
      cells=grids.grid('nf_resnet50', 'growing', scale, curves=(128,)),
      others=('minibatch/loss',),
      panels=(
          paper.Panel('(a) Top-1 accuracy by epoch budget', 'epochs'),
          paper.Panel('(b) Training loss of a minibatch by epoch budget', 'epochs',
                      'minibatch/loss', log_y=True),
          paper.Panel(f'(c) Top-1 accuracy by learning rate, {curve} epochs', 'peak', tuned=False,
                      where={'epochs': curve})),
      numbers=grids.numbers('figure3', scale),
      epsilons=(({}, 0.8),),
      claims=(
          paper.Claim('Large multiplicities achieve higher top-1 accuracy when the batch grows.',
                      '78.4 (n = 8) over 77.9 (n = 1)', claims.rises('multiplicity', several)),
          statements.fewer_epochs(many, one, 'peaks at 128 and 512 epochs', 'growing batch'),
          statements.converges_faster(many, one, budgets, 'minibatch/loss', 'Figure 3(b)'),
          statements.over_trained(many, one, budgets[-1], 'growing batch')),
      note=grids.note(scale),
      **grids.tuned_sweep(scale))
