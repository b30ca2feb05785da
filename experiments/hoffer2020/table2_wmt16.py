"""Table 2 of Hoffer et al. 2020, WMT16: a base Transformer with 4 dropout masks for every sentence.

    python -m launch.sweep --experiment=experiments/hoffer2020/table2_wmt16.py \\
        --workdir=runs/hoffer2020 --set=data.data_dir=DIR
    python -m nfnets_am.report --experiment=experiments/hoffer2020/table2_wmt16.py \\
        --workdir=runs/hoffer2020

The three columns, 3 seeds each, English to German; DIR has wmt16_translate/de-en, prepared by TFDS.
Printed are BLEU of 26.88 (fixed steps), 27.13 (fixed samples) and 27.49 (batch augmentation) after
100,000 updates, of the last weights. What the paper leaves open: text_recipes.py.
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
_PRINTED = {'fixed_steps': '27.49 over 26.88', 'fixed_samples': '27.49 over 27.13'}


def get_config(cell: str = '') -> ml_collections.ConfigDict:
  """Returns the config of a cell such as 'column=ba,seed=1'."""
  return text_recipes.transformer(**cells_lib.parse_cell(cell, _CELL))


def get_sweep(scale: str = 'full') -> experiment_file.Sweep:
  """Returns three runs of each column."""
  of = lambda column: {'column': column}
  return sweeps.of(
      'table2_wmt16', 'Table 2: base Transformer on WMT16, 4 dropout masks', scale,
      [of(column) for column in recipes.COLUMNS],
      [paper.Claim(f'Batch augmentation has a higher BLEU than the baseline with fixed '
                   f'{column.removeprefix("fixed_")}.', printed,
                   claims.better(of('ba'), of(column)))
       for column, printed in _PRINTED.items()],
      seeds=3, metric='test/bleu', others=('validation/perplexity',))
