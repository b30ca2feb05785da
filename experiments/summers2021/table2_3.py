"""Table 2.3 of Summers 2021: Caltech-256, Inception-v3 from scratch, four ways to mix and none.

    python -m launch.sweep --experiment=experiments/summers2021/table2_3.py \\
        --workdir=runs/summers2021 --set=data.data_dir=DIR
    python -m nfnets_am.report --experiment=experiments/summers2021/table2_3.py \\
        --workdir=runs/summers2021 --set=data.data_dir=DIR

DIR holds the folder 256_ObjectCategories as Caltech publishes it (docs/own_images.md): of each of
its 256 classes 40 images for training, 10 for validation and 30 for testing; the thesis prints no
seed. Printed errors: 51.4% (baseline), 42.7% (mixup), 42.6% (BC+), 43.7% (VH-Mixup), 40.3%
(VH-BC+), a single run each. The text says that mixing improves by up to 10%; the table by 11.1.

As in the thesis, a run's number is that of its evaluation with the best validation accuracy, whose
checkpoint is kept, too.

Hardware: the thesis needs 10 hours a run on a GTX 1080 Ti. A streamed set has no disjoint pairs:
partners are fresh images of another update. What else the thesis leaves open: recipes.py.
"""

import ml_collections

from experiments.summers2021 import recipes
from experiments.summers2021 import tables
from nfnets_am.reporting import claims
from nfnets_am.sweeps import experiment_file
from nfnets_am.sweeps import paper

METHODS = (recipes.BASELINE, 'mixup', 'bc_plus', 'vh_mixup', 'vh_bc_plus')


def get_config(cell: str = '') -> ml_collections.ConfigDict:
  """Returns the config of a cell such as 'method=vh_bc_plus'."""
  return tables.caltech(cell)


def get_sweep(scale: str = 'full') -> experiment_file.Sweep:
  """Returns the five runs."""
  one = lambda method: {'method': method}
  return tables.sweep(
      'table2_3', 'Table 2.3: mixing on Caltech-256', METHODS, scale, copies=1,
      epsilon=2.0, at='validation/top1', found=(
          paper.Claim('All ways to mix are better than the baseline.', '51.4; 42.7, 42.6, 43.7, '
                      '40.3', claims.all_of(*(claims.better(one(method), one(recipes.BASELINE))
                                              for method in METHODS[1:]))),
          paper.Claim('VH-BC+ is better than the other ways.', '40.3; 42.6, 42.7, 43.7',
                      claims.all_of(*(claims.better(one('vh_bc_plus'), one(method))
                                      for method in METHODS[1:-1])))))
