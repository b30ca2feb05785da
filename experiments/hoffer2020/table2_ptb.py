"""Table 2 of Hoffer et al. 2020, Penn Treebank: AWD-LSTM with 10 dropout masks for every segment.

    python -m launch.sweep --experiment=experiments/hoffer2020/table2_ptb.py \\
        --workdir=runs/hoffer2020 --set=data.data_dir=DIR
    python -m nfnets_am.report --experiment=experiments/hoffer2020/table2_ptb.py \\
        --workdir=runs/hoffer2020

The three columns, 3 seeds each; DIR has ptb.train.txt, ptb.valid.txt and ptb.test.txt. Printed are
58.8 for both baselines and 58.6 for batch augmentation, without fine-tuning. What the paper leaves
open: text_recipes.py.
"""

import ml_collections

from experiments.hoffer2020 import recipes
from experiments.hoffer2020 import sweeps
from experiments.hoffer2020 import text_recipes
from nfnets_am.config import cells as cells_lib
from nfnets_am.reporting import claims
from nfnets_am.sweeps import experiment_file
from nfnets_am.sweeps import paper

_CELL = {'column': 'ba', 'seed': 0, 'scale': 'full'}


def get_config(cell: str = '') -> ml_collections.ConfigDict:
  """Returns the config of a cell such as 'column=ba,seed=1'."""
  return text_recipes.lstm(**cells_lib.parse_cell(cell, _CELL))


def get_sweep(scale: str = 'full') -> experiment_file.Sweep:
  """Returns three runs of each column."""
  of = lambda column: {'column': column}
  return sweeps.of(
      'table2_ptb', 'Table 2: AWD-LSTM on Penn Treebank, 10 dropout masks', scale,
      [of(column) for column in recipes.COLUMNS],
      [paper.Claim(f'Batch augmentation has a lower perplexity than the baseline with fixed '
                   f'{column.removeprefix("fixed_")}.', '58.6 under 58.8',
                   claims.better(of('ba'), of(column))) for column in recipes.BASELINES],
      seeds=3, metric='test/ema_perplexity', at='validation/ema_perplexity',
      others=('validation/ema_perplexity', 'test/perplexity'))
