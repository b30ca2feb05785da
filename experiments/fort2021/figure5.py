"""Figure 5: fixed batch, small: Wide-ResNet-16-4 with B = 64, NF-ResNet-50 with B = 256.

    python -m launch.sweep --experiment=experiments/fort2021/figure5.py --workdir=runs/fort2021
    python -m nfnets_am.report --experiment=experiments/fort2021/figure5.py --workdir=runs/fort2021

Test accuracy by epoch budget and by updates, at the best learning rate of each multiplicity and
budget; CIFAR-100: mean of the best 5 of 7 runs, ImageNet: one run for each learning rate.

The paper prints no number: the benefit saturates from n = 4 on CIFAR-100 and keeps rising with n on
ImageNet, and large multiplicities need more updates.

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
  return recipes.tuned(cell, views=64)


def get_sweep(scale: str = 'full') -> experiment_file.Sweep:
  """Returns both grids."""
  found = []
  for model, letter in (('wide_resnet', 'a'), ('nf_resnet50', 'c')):
    one, many, _ = statements.of_fixed_batch(model, scale)
    data, n = statements.DATA[model], many['multiplicity']
    larger = grids.multiplicities_of(model, scale)[1:]
    found += [
        paper.Claim('With a fixed, small batch every multiplicity above 1 is better '
                    f'({data}, n = {", ".join(map(str, larger))}).', f'Figure 5({letter})',
                    claims.all_of(*(claims.better({**one, 'multiplicity': i}, one)
                                    for i in larger))),
        statements.fewer_epochs(many, one, f'Figure 5({letter})', f'{data}, n = {n}'),
        paper.Claim('Large multiplicities need more updates to reach their best '
                    f'({data}, n = {n}).', f'Figure 5({"b" if letter == "a" else "d"})',
                    claims.best_at('larger', 'updates', many, one)),
        statements.over_trained(many, one, one['epochs'][-1], f'{data}, small batch')]
  one, many, four = statements.of_fixed_batch('wide_resnet', scale)
  return experiment_file.Sweep(
      title='Figure 5: fixed batch, small (64 on CIFAR-100, 256 on ImageNet)',
      cells=grids.merge(*(grids.grid(model, 'small', scale)
                          for model in ('wide_resnet', 'nf_resnet50'))),
      panels=layouts.by_epochs_and_updates(),
      claims=(
          *found,
          paper.Claim('On CIFAR-100 the benefit saturates from n = 4: what more views add to it is '
                      'less than what 4 add to 1.', 'Figure 5(a)', claims.all_of(
                          claims.better(four, one),
                          claims.smaller_gap((many, four), (four, one)))),
          paper.Claim('On ImageNet the peak rises with every multiplicity.', 'Figure 5(c)',
                      claims.rises('multiplicity', grids.multiplicities_of('nf_resnet50', scale),
                                   {'model': 'nf_resnet50'}))),
      note=grids.note(scale),
      **grids.tuned_sweep(scale))
