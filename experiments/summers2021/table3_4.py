"""Table 3.4 of Summers 2021: five methods against images made on each of them, CIFAR-100.

    python -m launch.sweep --experiment=experiments/summers2021/table3_4.py \\
        --workdir=runs/summers2021
    python -m nfnets_am.report --experiment=experiments/summers2021/table3_4.py \\
        --workdir=runs/summers2021

As Table 3.2, with the runs of Table 3.3 as targets. Printed: 31.3% to 50.1%; methods are much more
alike, but for clean networks on images of robust ones.

Hardware and what the thesis leaves open: robust.py, robust_black_box.py.
"""

import ml_collections

from experiments.summers2021 import robust
from experiments.summers2021 import robust_black_box
from experiments.summers2021 import table3_3
from nfnets_am.reporting import claims
from nfnets_am.sweeps import experiment_file
from nfnets_am.sweeps import paper

_CLEAN = ('regular', 'label_smoothing')


def get_config(cell: str = '') -> ml_collections.ConfigDict:
  """Returns the config of a cell such as 'method=lrm,seed=1' or 'method=lrm,black_box=1,seed=1'."""
  return robust_black_box.config(cell, table3_3.TABLE)


def get_sweep(scale: str = 'full') -> experiment_file.Sweep:
  """Returns two runs of each method, and five sources that are measured."""
  return robust_black_box.sweep(
      table3_3.TABLE, 'table3_4', 'Table 3.4: black box, CIFAR-100', [
          paper.Claim('Images made on robust networks mislead clean ones less than those made on '
                      'clean ones.', '43.8 to 50.1, and 31.6 to 37.0', claims.all_of(*(
                          claims.better(robust_black_box.of(robust_source),
                                        robust_black_box.of(source),
                                        robust_black_box.metric(target))
                          for robust_source in robust.ROBUST for source in _CLEAN
                          for target in _CLEAN)))], scale)
