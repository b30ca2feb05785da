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
from nfnets_am.reporting import claims
from nfnets_am.sweeps import experiment_file
from nfnets_am.sweeps import paper


def get_config(cell: str = '') -> ml_collections.ConfigDict:
  """Returns the config of a cell such as 'views=64,multiplicity=4,epochs=128,peak=0.125'."""
  return recipes.tuned(cell, views=1024)


def get_sweep(scale: str = 'full') -> experiment_file.Sweep:
  """Returns the grids at both batches."""
  curve, least = grids.epochs(128, scale), grids.epochs(32, scale)
  large, small = (grids.rows('wide_resnet', regime, scale) for regime in ('large', 'small'))
  many = {'multiplicity': grids.many('wide_resnet', scale)}
  # n = 4 at a quarter of the epochs has the updates of n = 1.
  fast, slow = ({'multiplicity': n, 'epochs': epochs} for n, epochs in ((1, curve), (4, least)))
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
          *(paper.Claim(f'Small multiplicities have the lower training loss after equal updates '
                        f'(B = {rows["views"]}).', where,
                        claims.better({**rows, **fast}, {**rows, **slow}, 'train/loss'))
            for rows, where in ((large, 'Figure 6(a)'), (small, 'Figure 6(b)'))),
          paper.Claim('At large batches the best learning rate does not depend on n.',
                      'Figure 6(c)',
                      claims.at_value('same', 'peak', {**large, **many, 'epochs': curve},
                                      {**large, 'multiplicity': 1, 'epochs': curve})),
          paper.Claim('At small batches large multiplicities need smaller learning rates.',
                      'Figure 6(d)',
                      claims.at_value('smaller', 'peak', {**small, **many, 'epochs': curve},
                                      {**small, 'multiplicity': 1, 'epochs': curve}))),
      note=grids.note(scale),
      **grids.tuned_sweep(scale))
