"""Figure 10: accuracy by temperature at 32 and 512 epochs, Wide-ResNet-16-4, CIFAR-100.

    python -m launch.sweep --experiment=experiments/fort2021/figure10.py --workdir=runs/fort2021
    python -m nfnets_am.report --experiment=experiments/fort2021/figure10.py --workdir=runs/fort2021

The runs of figures 4 and 5 at 32 and 512 epochs, with learning rates added as in figure 7. No
number is printed: at 32 epochs all multiplicities are alike at small temperatures; at 512 epochs
small multiplicities are better at a given temperature, which is compared where both learn. What
the paper leaves open: recipes.py.
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
  """Returns the config of a cell such as 'views=64,multiplicity=4,epochs=512,peak=0.125'."""
  return recipes.tuned(cell, views=1024)


def get_sweep(scale: str = 'full') -> experiment_file.Sweep:
  """Returns the runs at both budgets and both batches."""
  shown = [('wide_resnet', regime, budget) for budget in (32, 512) for regime in ('large', 'small')]
  found = []
  for (model, regime, budget), letter in zip(shown, 'abcd', strict=True):
    cells = statements.at(scale, model, regime, budget)
    where = f'Figure 10({letter})'
    what = f'{regime} batch, {budget} epochs'
    one, many = ({**cells, 'multiplicity': n} for n in (1, grids.many(model, scale)))
    if budget == 32:
      found += [
          statements.similar_at_small(model, 'temperature', cells, where, f'temperature ({what})'),
          paper.Claim('Large multiplicities are better at large temperatures (above the best one '
                      f'of n = 1; {what}).', where,
                      claims.over(many, one, 'temperature', beyond=True))]
    else:
      found += [
          paper.Claim('Small multiplicities are better at a given temperature, where both learn '
                      f'({what}).', where,
                      claims.over(one, many, 'temperature', where_both_learn=True)),
          statements.over_trained(many, one, cells['epochs'], f'{regime} batch')]
  return experiment_file.Sweep(
      title='Figure 10: accuracy by temperature at 32 and 512 epochs',
      cells=grids.whole_curves(scale, shown),
      panels=layouts.by_temperature(scale, shown),
      claims=tuple(found),
      note=grids.note(scale),
      **grids.tuned_sweep(scale))
