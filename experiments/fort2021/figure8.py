"""Figure 8: NFNets with augmentation multiplicity, by epochs and against the original NFNets.

    python -m launch.sweep --experiment=experiments/fort2021/figure8.py --workdir=runs/fort2021
    python -m nfnets_am.report --experiment=experiments/fort2021/figure8.py --workdir=runs/fort2021

The runs of tables 1 and 2, which are shared in a common workdir: (a) accuracy by epochs, without
SAM; (b) the runs with n = 16, with and without SAM, beside the original F0 to F6 (black: 83.6 to
86.0%, F6 with SAM 86.5%), which are not run here. The x axis of (b) is the model, as
its caption says ("Performance across models").
"""

import ml_collections

from experiments.fort2021 import grids
from experiments.fort2021 import layouts
from experiments.fort2021 import recipes
from experiments.fort2021 import table1
from experiments.fort2021 import table2
from nfnets_am.reporting import claims
from nfnets_am.sweeps import experiment_file
from nfnets_am.sweeps import paper


def get_config(cell: str = '') -> ml_collections.ConfigDict:
  """Returns the config of a cell such as 'model=nfnet_f2,multiplicity=16,updates=112600'."""
  return recipes.nfnet(cell)


def get_sweep(scale: str = 'full') -> experiment_file.Sweep:
  """Returns the runs of both tables."""
  one, many = {'multiplicity': 1}, {'multiplicity': 16}
  return experiment_file.Sweep(
      title='Figure 8: NFNets with and without augmentation multiplicity',
      cells=tuple({**cell, 'rho': cell.get('rho', 0.0)}
                  for table in (table1, table2) for cell in table.get_sweep(scale).cells),
      metric='test/ema_top1',
      panels=(
          paper.Panel('(a) Top-1 accuracy by epochs, without SAM', 'epochs', 'test/ema_top1',
                      where={'rho': 0.0}, dashed='model', names={'model': layouts.NFNETS}),
          # Circles are with SAM and triangles without, as in the paper.
          paper.Panel('(b) Performance across models', 'model', 'test/ema_top1', dashed='rho',
                      log_x=False, where={'multiplicity': (1, 16)},
                      names={'model': layouts.NFNETS,
                             'rho': {0.0: 'without SAM', recipes.SAM_RHO: 'with SAM'}})),
      numbers=grids.numbers('figure8', scale),
      claims=(
          paper.Claim('Large multiplicities reach higher accuracy in far fewer epochs (F2).',
                      'Figure 8(a)', claims.all_of(
                          claims.better({'model': 'nfnet_f2', **many},
                                        {'model': 'nfnet_f2', **one}),
                          claims.at_value('smaller', 'epochs', {'model': 'nfnet_f2', **many},
                                          {'model': 'nfnet_f2', **one}))),
          paper.Claim('SAM adds to multiplicity 16 (F3, 225,200 updates).', '86.45 over 86.16',
                      claims.better(
                          {'model': 'nfnet_f3', **many, 'rho': recipes.SAM_RHO,
                           'updates': grids.updates(225_200, scale)},
                          {'model': 'nfnet_f3', **many, 'rho': 0.0,
                           'updates': grids.updates(225_200, scale)}))),
      note=grids.note(scale))
