"""Figure 4: fixed batch, large: Wide-ResNet-16-4 with B = 1024, NF-ResNet-50 with B = 4096.

    python -m launch.sweep --experiment=experiments/fort2021/figure4.py --workdir=runs/fort2021
    python -m nfnets_am.report --experiment=experiments/fort2021/figure4.py --workdir=runs/fort2021

Test accuracy by epoch budget and by updates, at the best learning rate of each multiplicity and
budget; CIFAR-100: mean of the best 5 of 7 runs, ImageNet: one run for each learning rate.

The paper prints 78.6% for NF-ResNet-50 with n = 8 (at 128 epochs), 77.3% with n = 1 (peak, at 512
epochs), and for the Wide-ResNet 72.1 ± 0.1% with n = 1 and 73.7 ± 0.04% with n = 4 'after 4x10^5
updates'. At B = 1024 that is where n = 16 comes to after 512 epochs; so (b) is read as having all
its lines end there: budgets of up to 8,192 / n epochs for every n [C]. (At B = 64 they would be 512
and 128 epochs.) What is said of epoch budgets is judged at those of all n, 16 to 512.

What the paper leaves open: recipes.py.
"""

import ml_collections

from experiments.fort2021 import grids
from experiments.fort2021 import layouts
from experiments.fort2021 import recipes
from experiments.fort2021 import statements
from nfnets_am.reporting import claims
from nfnets_am.sweeps import experiment_file
from nfnets_am.sweeps import paper


def get_config(cell: str = '') -> ml_collections.ConfigDict:
  """Returns the config of a cell such as 'multiplicity=4,epochs=128,peak=0.125,seed=3'."""
  return recipes.tuned(cell, views=1024)


def get_sweep(scale: str = 'full') -> experiment_file.Sweep:
  """Returns both grids, and the budgets on the way to 4x10^5 updates."""
  found = []
  for model, higher in (('wide_resnet', 'Figure 4(a)'),
                        ('nf_resnet50', '78.6 (n = 8) at 128 epochs over 77.3 (n = 1) at 512')):
    one, many, _ = statements.of_fixed_batch(model, scale)
    data, n = statements.DATA[model], many['multiplicity']
    any_one, any_four = ({'model': model, 'multiplicity': i} for i in (1, 4))
    found += [
        paper.Claim(f'With a fixed, large batch large multiplicities are better ({data}, n = {n}).',
                    higher, claims.better(many, one)),
        statements.fewer_epochs(many, one, higher, f'{data}, n = {n}'),
        paper.Claim('Moderately large multiplicities are better without more updates '
                    f'({data}, n = 4).', f'Figure 4({"b" if model == "wide_resnet" else "d"})',
                    claims.no_dearer(any_four, any_one, 'updates')),
        statements.over_trained(many, one, one['epochs'][-1], f'{data}, large batch')]
  # What 4x10^5 updates are.
  one, four = ({'model': 'wide_resnet', 'multiplicity': n, 'epochs': grids.epochs(budget, scale)}
               for n, budget in ((1, 8192), (4, 2048)))
  return experiment_file.Sweep(
      title='Figure 4: fixed batch, large (1024 on CIFAR-100, 4096 on ImageNet)',
      cells=grids.merge(
          grids.grid('wide_resnet', 'large', scale),
          *(grids.grid('wide_resnet', 'large', scale, multiplicities=(n,), budgets=budgets)
            for n, budgets in grids.to_equal_updates(scale).items()),
          grids.grid('nf_resnet50', 'large', scale)),
      panels=layouts.by_epochs_and_updates(),
      numbers=grids.numbers('figure4', scale),
      epsilons=(({'model': 'wide_resnet'}, 1.5), ({'model': 'nf_resnet50'}, 0.8)),
      claims=(
          *found,
          paper.Claim('At equal updates (4x10^5) n = 4 is better than n = 1 on CIFAR-100.',
                      '73.7 ± 0.04 over 72.1 ± 0.1', claims.better(four, one))),
      note=grids.note(scale),
      **grids.tuned_sweep(scale))
