"""Figure 11: n views within an update against n neighbouring updates, Wide-ResNet-16-4, B = 1024.

    python -m launch.sweep --experiment=experiments/fort2021/figure11.py --workdir=runs/fort2021
    python -m nfnets_am.report --experiment=experiments/fort2021/figure11.py --workdir=runs/fort2021

'Neighbouring' (appendix C): an update holds 1,024 unique images with one view each, and the same
images come in n consecutive updates. 'Within' is the scheme of figure 4, whose runs are shared. No
number is printed: neighbouring helps at moderate n, is poor at large n, and has slightly lower
training losses.

Multiplicities 1 to 16 and all budgets of figure 4 [C]; the x axis is the epoch budget [C]. n = 1 is
the same in both schemes and is run once. What else the paper leaves open: recipes.py.
"""

import ml_collections

from experiments.fort2021 import grids
from experiments.fort2021 import recipes
from nfnets_am.reporting import claims
from nfnets_am.sweeps import experiment_file
from nfnets_am.sweeps import paper


def get_config(cell: str = '') -> ml_collections.ConfigDict:
  """Returns the config of a cell such as 'neighbouring=1,multiplicity=4,epochs=128'."""
  return recipes.tuned(cell, views=1024)


def get_sweep(scale: str = 'full') -> experiment_file.Sweep:
  """Returns the grids of both schemes."""
  several = grids.multiplicities_of('wide_resnet', scale)[1:]
  few, many = ({'multiplicity': n} for n in (4, several[-1]))
  within, neighbouring = ({'neighbouring': i} for i in (0, 1))
  return experiment_file.Sweep(
      title='Figure 11: within an update against in neighbouring updates',
      cells=tuple({'neighbouring': 0, **cell} for cell in (
          *grids.grid('wide_resnet', 'large', scale),
          *grids.grid('wide_resnet', 'large', scale, multiplicities=several, neighbouring=True))),
      others=('train/loss',),
      panels=(
          paper.Panel('(a) Test accuracy by epoch budget', 'epochs', dashed='neighbouring'),
          paper.Panel('(b) Training loss by epoch budget', 'epochs', 'train/loss',
                      dashed='neighbouring', log_y=True)),
      claims=(
          paper.Claim('Neighbouring also helps at moderate multiplicities (n = 4).',
                      'Figure 11(a)',
                      claims.better({**neighbouring, **few}, {**within, 'multiplicity': 1})),
          paper.Claim(f'At the largest multiplicity (n = {several[-1]}) it falls behind within, '
                      'and behind itself at n = 4.', 'Figure 11(a)', claims.all_of(
                          claims.worse({**neighbouring, **many}, {**within, **many}),
                          *(() if few == many else (claims.worse(
                              {**neighbouring, **many}, {**neighbouring, **few}),)))),
          paper.Claim('It achieves slightly lower training losses after equal epochs.',
                      'Figure 11(b)', claims.all_of(*(
                          claims.over({**neighbouring, 'multiplicity': n},
                                      {**within, 'multiplicity': n}, 'epochs', 'train/loss')
                          for n in several)))),
      note=grids.note(scale),
      **grids.tuned_sweep(scale))
