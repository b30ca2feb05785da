"""Figure 8: NFNets with augmentation multiplicity, by epochs and against the original NFNets.

    python -m launch.sweep --experiment=experiments/fort2021/figure8.py --workdir=runs/fort2021
    python -m nfnets_am.report --experiment=experiments/fort2021/figure8.py --workdir=runs/fort2021

The runs of tables 1 and 2, which are shared in a common workdir: (a) accuracy by epochs, without
SAM; (b), 'performance across models', the runs with n = 16, with and without SAM, beside the
originals (black: F0 to F5 83.6 to 86.0%, with SAM F5 86.3% and F6 86.5%), which are not run here.
"""

import ml_collections

from experiments.fort2021 import grids
from experiments.fort2021 import recipes
from experiments.fort2021 import table1
from experiments.fort2021 import table2
from nfnets_am.reporting import claims
from nfnets_am.sweeps import experiment_file
from nfnets_am.sweeps import paper

# The rival of the headline, which the paper leaves out of its text.
_F5 = paper.Number(
    {'model': 'nfnet_f5', 'multiplicity': 1, 'rho': recipes.SAM_RHO}, 86.3, 'test/ema_top1', None,
    'Brock et al. 2021b', 'Figure 8(b), black',
    'Of Brock et al. 2021b, Table 3, with SAM; not run here.')


def get_config(cell: str = '') -> ml_collections.ConfigDict:
  """Returns the config of a cell such as 'model=nfnet_f2,multiplicity=16,updates=112600'."""
  return recipes.nfnet(cell)


def get_sweep(scale: str = 'full') -> experiment_file.Sweep:
  """Returns the runs of both tables."""
  one, many = {'multiplicity': 1}, {'multiplicity': 16}
  f2, f3, f5 = ({'model': f'nfnet_f{i}'} for i in (2, 3, 5))
  short, long = ({'updates': grids.updates(u, scale)} for u in (112_600, 225_200))
  plain, sam = {'rho': 0.0}, {'rho': recipes.SAM_RHO}
  return experiment_file.Sweep(
      title='Figure 8: NFNets with and without augmentation multiplicity',
      cells=tuple({**cell, 'rho': cell.get('rho', 0.0)}
                  for table in (table1, table2) for cell in table.get_sweep(scale).cells),
      metric='test/ema_top1',
      panels=(
          paper.Panel('(a) Top-1 accuracy by epochs, without SAM', 'epochs', 'test/ema_top1',
                      where={'rho': 0.0}, dashed='model'),
          paper.Panel('(b) Multiplicity 16 and 1, with and without SAM', 'model',
                      'test/ema_top1', line='rho', dashed='multiplicity', log_x=False,
                      where={'multiplicity': (1, 16)})),
      numbers=(*grids.numbers('figure8', scale), _F5),
      epsilons=(({}, 0.5),),
      claims=(
          paper.Claim('Large multiplicities (n = 16) have higher accuracy after the same updates '
                      '(F2, 112,600).', 'Figure 8(a)',
                      claims.better({**f2, **many, **short}, {**f2, **one, **short})),
          paper.Claim('They reach the accuracy of n = 1 in an order of magnitude fewer epochs (a '
                      'tenth or less; F2).', 'Figure 8(a)',
                      claims.sooner({**f2, **many}, {**f2, **one}, factor=10)),
          paper.Claim('SAM adds to multiplicity 16 (F3, 225,200 updates).', '86.45 over 86.16',
                      claims.better({**f3, **many, **long, **sam},
                                    {**f3, **many, **long, **plain})),
          paper.Claim('With multiplicity 16 every model is better than its original without SAM, '
                      'where that is printed.', 'Figure 8(b): F2 over 85.1, F3 over 85.7',
                      claims.all_of(claims.beats({**f2, **many, **plain}, 85.1),
                                    claims.beats({**f3, **many, **plain}, 85.7))),
          paper.Claim('And than its original with SAM, where that is printed.',
                      'Figure 8(b): F5, 86.78 over 86.3', claims.beats({**f5, **sam}, 86.3)),
          paper.Claim('The same F5 with SAM needs significantly more epochs without multiplicity, '
                      'and reaches less.', '86.3 after 360 epochs (Brock et al. 2021b, Table 3) '
                      'against 86.78 after 34', claims.not_run_here(
                          'F5 with n = 1 is not trained: it would be 112,600 updates with SAM'))),
      note=grids.note(scale))
