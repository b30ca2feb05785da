"""Figure 2: Wide-ResNet-16-4 on CIFAR-100, growing batch, 64 unique images in every update.

    python -m launch.sweep --experiment=experiments/fort2021/figure2.py --workdir=runs/fort2021
    python -m nfnets_am.report --experiment=experiments/fort2021/figure2.py --workdir=runs/fort2021

Accuracy and un-augmented training loss by epoch budget, each at its own best learning rate, and
accuracy by learning rate at 128 epochs; multiplicities 1 to 16, mean of the best 5 of 7 runs. The
paper prints 74.3 ± 0.1% for n = 16 (peak, at 128 epochs), 74.1 ± 0.01% for n = 1 (at 256 epochs)
and 61.4% without augmentation (batch 64, learning rate and budget tuned; multiplicity 0 here).

Hardware: one GPU or TPU core a run; `python -m nfnets_am.experiments` says how much there is to
compute. What the paper leaves open, with the reasons: recipes.py. Here also [C]: the deviation is
that of the 5 runs (ddof 0), since the paper does not say what its ± is; the budgets of the runs
without augmentation are those of the others.
"""

import ml_collections

from experiments.fort2021 import grids
from experiments.fort2021 import recipes
from experiments.fort2021 import statements
from nfnets_am.reporting import claims
from nfnets_am.sweeps import experiment_file
from nfnets_am.sweeps import paper


def get_config(cell: str = '') -> ml_collections.ConfigDict:
  """Returns the config of a cell such as 'multiplicity=16,epochs=128,peak=0.125,seed=3'."""
  return recipes.tuned(cell, unique=64)


def get_sweep(scale: str = 'full') -> experiment_file.Sweep:
  """Returns the grid, and the runs without augmentation."""
  curve, budgets = grids.epochs(128, scale), grids.budgets_of('wide_resnet', scale)
  shown = {'multiplicity': grids.multiplicities_of('wide_resnet', scale)}
  one, many = ({'multiplicity': shown['multiplicity'][i]} for i in (0, -1))
  return experiment_file.Sweep(
      title='Figure 2: Wide-ResNet-16-4, CIFAR-100, growing batch',
      cells=grids.merge(
          grids.grid('wide_resnet', 'growing', scale, curves=(128,)),
          grids.grid('wide_resnet', 'growing', scale, multiplicities=(0,))),
      others=('train/loss',),
      panels=(
          paper.Panel('(a) Test accuracy by epoch budget', 'epochs', where=shown),
          paper.Panel('(b) Training loss by epoch budget', 'epochs', 'train/loss', where=shown,
                      log_y=True),
          paper.Panel(f'(c) Test accuracy by learning rate, {curve} epochs', 'peak', tuned=False,
                      where={**shown, 'epochs': curve})),
      numbers=grids.numbers('figure2', scale),
      epsilons=(({}, 1.5),),
      claims=(
          paper.Claim('Test accuracy rises with the multiplicity when the batch grows, also after '
                      'tuning the epoch budget.', '74.3 ± 0.1 (n = 16) over 74.1 ± 0.01 (n = 1)',
                      claims.rises('multiplicity', shown['multiplicity'])),
          statements.fewer_epochs(many, one, 'peaks at 128 and 256 epochs', 'growing batch'),
          statements.converges_faster(many, one, budgets, 'train/loss', 'Figure 2(b)'),
          statements.similar_at_small('wide_resnet', 'peak', {**shown, 'epochs': curve},
                                      'Figure 2(c)', 'learning rate'),
          paper.Claim('Large multiplicities are better at large learning rates (above the best '
                      'one of n = 1).', 'Figure 2(c)',
                      claims.over({**many, 'epochs': curve}, {**one, 'epochs': curve}, 'peak',
                                  beyond=True)),
          paper.Claim('Large multiplicities are stable at larger learning rates.',
                      'Section 4, on figure 2(c)', claims.stable_to(
                          'larger', 'peak', {**many, 'epochs': curve}, {**one, 'epochs': curve})),
          statements.over_trained(many, one, budgets[-1], 'growing batch'),
          paper.Claim('Without augmentation the accuracy is substantially lower (by more than 5 '
                      'points).', '61.4', claims.better(one, {'multiplicity': 0}, by=5.0))),
      note=grids.note(scale),
      **grids.tuned_sweep(scale))
