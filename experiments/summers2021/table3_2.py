"""Table 3.2 of Summers 2021: five methods against images made on each of them, CIFAR-10.

    python -m launch.sweep --experiment=experiments/summers2021/table3_2.py \\
        --workdir=runs/summers2021
    python -m nfnets_am.report --experiment=experiments/summers2021/table3_2.py \\
        --workdir=runs/summers2021

Accuracy of targets on the images that PGD of 10 steps makes on a source. Printed: 26.8% to 75.6%;
label smoothing has 66.7% at its worst source, the others 55.7% at most. Targets are the runs of
Table 3.1; five more are trained as sources.

Hardware and what the thesis leaves open: robust.py, robust_black_box.py.
"""

import ml_collections

from experiments.summers2021 import robust
from experiments.summers2021 import robust_black_box
from experiments.summers2021 import robust_small_claims
from experiments.summers2021 import table3_1
from nfnets_am.reporting import claims
from nfnets_am.sweeps import experiment_file
from nfnets_am.sweeps import paper


def get_config(cell: str = '') -> ml_collections.ConfigDict:
  """Returns the config of a cell such as 'method=lrm,seed=1' or 'method=lrm,black_box=1,seed=1'."""
  return robust_black_box.config(cell, table3_1.TABLE)


def get_sweep(scale: str = 'full') -> experiment_file.Sweep:
  """Returns two runs of each method, and five sources that are measured."""
  of = robust_black_box.of
  harder = lambda a, b, targets: claims.all_of(*(
      claims.better(of(b), of(a), robust_black_box.metric(target)) for target in targets))
  found = [
      paper.Claim(f'{a.upper()} is a stronger source than {b.upper()} for every target.',
                  'Table 3.2', harder(a, b, robust.METHODS))
      for a, b in (('lrm', 'alp'), ('alp', 'pgd'))]
  return robust_black_box.sweep(table3_1.TABLE, 'table3_2', 'Table 3.2: black box, CIFAR-10', [
      *found,
      paper.Claim('At the source that is worst for it label smoothing is over 10 points better '
                  'than any other method at its own.', '66.7, and 55.7 at most',
                  robust_small_claims.highest_least('label_smoothing', by=10)),
      paper.Claim('With LRM as source PGD and ALP are misled more than with PGD.', 'Table 3.2',
                  harder('lrm', 'pgd', ('pgd', 'alp')))], scale)
