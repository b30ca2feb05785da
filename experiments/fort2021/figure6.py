"""Figure 6: training loss by updates and accuracy by learning rate, Wide-ResNet-16-4, CIFAR-100.

    python -m launch.sweep --experiment=experiments/fort2021/figure6.py --workdir=runs/fort2021
    python -m nfnets_am.report --experiment=experiments/fort2021/figure6.py --workdir=runs/fort2021

The runs of figures 4 and 5 at B = 1024 and 64: in a common workdir they are trained once. Added are
the outer learning rates at 128 epochs, where the whole curve is drawn. No number is printed: small
multiplicities have the lower training loss after equal updates; the best learning rate does not
depend on n at B = 1024 and falls with n at B = 64.

Each point of (a) and (b) is the end of a run with that many updates [C], at the learning rate that
minimises its training loss; what else the paper leaves open: recipes.py.
"""

import ml_collections

from experiments.fort2021 import grids
from experiments.fort2021 import recipes
from experiments.fort2021 import statements
from nfnets_am.reporting import claims
from nfnets_am.sweeps import experiment_file
from nfnets_am.sweeps import paper


def get_config(cell: str = '') -> ml_collections.ConfigDict:
  """Returns the config of a cell such as 'views=64,multiplicity=4,epochs=128,peak=0.125'."""
  return recipes.tuned(cell, views=1024)


def get_sweep(scale: str = 'full') -> experiment_file.Sweep:
  """Returns the grids at both batches."""
  curve, several = grids.epochs(128, scale), grids.multiplicities_of('wide_resnet', scale)
  large, small = (grids.rows('wide_resnet', regime, scale) for regime in ('large', 'small'))
  # The lines of (c) and (d) whose ends are compared.
  one, many = ({'multiplicity': several[i], 'epochs': curve} for i in (0, -1))
  return experiment_file.Sweep(
      title='Figure 6: Wide-ResNet-16-4, CIFAR-100, training loss and learning rates',
      cells=grids.merge(*(grids.grid('wide_resnet', regime, scale, curves=(128,))
                          for regime in ('large', 'small'))),
      others=('train/loss',),
      panels=(
          *(paper.Panel(f'({letter}) Training loss by updates, B = {rows["views"]}', 'updates',
                        'train/loss', where=rows, log_y=True)
            for letter, rows in (('a', large), ('b', small))),
          *(paper.Panel(f'({letter}) Test accuracy by learning rate, B = {rows["views"]}, '
                        f'{curve} epochs', 'peak', where={**rows, 'epochs': curve}, tuned=False)
            for letter, rows in (('c', large), ('d', small)))),
      claims=(
          *(paper.Claim('Small multiplicities have the lower training loss after a given number '
                        f'of updates (B = {rows["views"]}).', where, claims.all_of(*(
                            claims.over({**rows, 'multiplicity': 1}, {**rows, 'multiplicity': n},
                                        'updates', 'train/loss') for n in several[1:])))
            for rows, where in ((large, 'Figure 6(a)'), (small, 'Figure 6(b)'))),
          paper.Claim('At large batches large multiplicities are better at a similar learning rate '
                      '(by a step of the grid).', 'Figure 6(c)', claims.all_of(
                          claims.better({**large, **many}, {**large, **one}),
                          claims.best_at('same', 'peak', {**large, **many}, {**large, **one}))),
          paper.Claim('At small batches large multiplicities are better, with smaller learning '
                      'rates.', 'Figure 6(d)', claims.all_of(
                          claims.better({**small, **many}, {**small, **one}),
                          claims.best_at('smaller', 'peak', {**small, **many}, {**small, **one}))),
          *(paper.Claim('Large multiplicities do not enable stable training at larger learning '
                        f'rates (B = {rows["views"]}).', where,
                        claims.stable_to('no larger', 'peak', {**rows, **many}, {**rows, **one}))
            for rows, where in ((large, 'Figure 6(c)'), (small, 'Figure 6(d)'))),
          statements.pronounced(scale, 'wide_resnet')),
      note=grids.note(scale),
      **grids.tuned_sweep(scale))
