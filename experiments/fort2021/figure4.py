"""Figure 4: fixed batch, large: Wide-ResNet-16-4 with B = 1024, NF-ResNet-50 with B = 4096.

    python -m launch.sweep --experiment=experiments/fort2021/figure4.py --workdir=runs/fort2021
    python -m nfnets_am.report --experiment=experiments/fort2021/figure4.py --workdir=runs/fort2021

Test accuracy by epoch budget and by updates, at the best learning rate of each multiplicity and
budget; CIFAR-100: mean of the best 5 of 7 runs, ImageNet: one run for each learning rate.

The paper prints 78.6% for NF-ResNet-50 with n = 8 (at 128 epochs), 77.3% with n = 1 (peak, at 512
epochs), and for the Wide-ResNet 72.1 ± 0.1% with n = 1 and 73.7 ± 0.04% with n = 4 'after 4x10^5
updates'. At B = 1024 those are 8,192 and 2,048 epochs, far beyond its other budgets, where n = 16
reaches them after 512; at B = 64 they would be 512 and 128. The grid has these two budgets too, so
that the sentence can be tested as it stands.

What the paper leaves open: recipes.py.
"""

import ml_collections

from experiments.fort2021 import grids
from experiments.fort2021 import layouts
from experiments.fort2021 import recipes
from nfnets_am.reporting import claims
from nfnets_am.sweeps import experiment_file
from nfnets_am.sweeps import paper


def get_config(cell: str = '') -> ml_collections.ConfigDict:
  """Returns the config of a cell such as 'multiplicity=4,epochs=128,peak=0.125,seed=3'."""
  return recipes.tuned(cell, views=1024)


def get_sweep(scale: str = 'full') -> experiment_file.Sweep:
  """Returns both grids, and the two budgets of 4x10^5 updates."""
  one, four = {'multiplicity': 1}, {'multiplicity': 4}
  # What 4x10^5 updates are.
  cifar = [{'model': 'wide_resnet', **n, 'epochs': grids.epochs(budget, scale)}
           for n, budget in ((four, 2048), (one, 8192))]
  imagenet = [{'model': 'nf_resnet50', **n, 'epochs': grids.epochs(budget, scale)}
              for n, budget in ((four, 128), (one, 512))]
  return experiment_file.Sweep(
      title='Figure 4: fixed batch, large (1024 on CIFAR-100, 4096 on ImageNet)',
      cells=grids.merge(
          grids.grid('wide_resnet', 'large', scale),
          grids.grid('wide_resnet', 'large', scale, multiplicities=(4,), budgets=(2048,)),
          grids.grid('wide_resnet', 'large', scale, multiplicities=(1,), budgets=(8192,)),
          grids.grid('nf_resnet50', 'large', scale)),
      panels=layouts.by_epochs_and_updates(scale),
      numbers=grids.numbers('figure4', scale),
      claims=(
          *layouts.fixed_batch_claims(scale, '78.6 at 128 epochs over 77.3 at 512'),
          paper.Claim('At equal updates (4x10^5) n = 4 is better than n = 1 on CIFAR-100.',
                      '73.7 ± 0.04 over 72.1 ± 0.1',
                      claims.better(*cifar)),
          paper.Claim('Moderate multiplicities are better without more updates on ImageNet.',
                      'Figure 4(d)',
                      claims.better(*imagenet))),
      note=grids.note(scale),
      **grids.tuned_sweep(scale))
