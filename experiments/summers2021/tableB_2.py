"""Table B.2 of Summers 2021: longer and shorter runs, and lower learning rates.

    python -m launch.sweep --experiment=experiments/summers2021/tableB_2.py \\
        --workdir=runs/summers2021
    python -m nfnets_am.report --experiment=experiments/summers2021/tableB_2.py \\
        --workdir=runs/summers2021

A ResNet-14 on CIFAR-10 as in table 5.1, for 50 to 2,000 epochs and with peaks of 0.4, 0.2 and 0.1:
rows of 100 runs, and of 20 for all sources at 50, 100, 250 and 2,000 epochs. None of it varies
less; what pairs of runs differ by rises with the length (correlation 0.922 at 50 epochs, 0.828 at
2,000), accuracy itself moves by up to 2 points. With 200 epochs one bit still does what all sources
do, and five cycles take about as much off as at 500.

Rows of 500 epochs at a peak of 0.4 are those of table 5.1: their runs are shared. Hardware: the
thesis trains on two V100, a run of 500 epochs with 4e+15 FLOPs. The rows are measured by a second
command like the first, once all runs are finished. The smoke scale leaves the five cycles out. What
the thesis leaves open: chapter5.py.
"""

from typing import Any

import ml_collections

from experiments.summers2021 import chapter5
from experiments.summers2021 import chapter5_claims
from nfnets_am.config import cells as cells_lib
from nfnets_am.reporting import claims
from nfnets_am.sweeps import experiment_file
from nfnets_am.sweeps import paper

# Epochs of all sources at a peak of 0.4 -> runs.
LENGTHS = {50: 20, 100: 20, 250: 20, 500: 100, 2000: 20}
# (peak, epochs) of the order, and of first weights.
PEAKS = ((0.4, 500), (0.2, 500), (0.2, 1000), (0.1, 500), (0.1, 2000))
_SHORT = 200


def get_config(cell: str = '') -> ml_collections.ConfigDict:
  """Returns the config of a cell such as 'source=shuffle,peak=0.1,epochs=2000,seed=7'."""
  read = cells_lib.parse_cell(cell, chapter5.CELL)
  # Beside runs with cycles lie those without, which keep the same.
  return chapter5.get_config(cell, views=read['epochs'] == _SHORT and read['source'] == 'all')


def of(source: str = 'all', peak: float = 0.4, epochs: int = 500, cycles: int = 1
       ) -> dict[str, Any]:
  """Returns the cell of a row."""
  count = LENGTHS.get(epochs, 0) if source == 'all' else 0
  return {'source': source, 'peak': peak, 'epochs': epochs, 'cycles': cycles, 'row': 'single',
          **({'count': count} if count not in (0, chapter5.RUNS) else {})}


def get_sweep(scale: str = 'full') -> experiment_file.Sweep:
  """Returns the runs of each setting, and a row that measures each."""
  cycles = of(epochs=_SHORT, cycles=5)
  rows = [*(of(epochs=epochs) for epochs in LENGTHS),
          *(of(source, *setting) for source in ('shuffle', 'init') for setting in PEAKS),
          of(epochs=_SHORT), of('bit', epochs=_SHORT), *([cycles] if scale == 'full' else [])]
  deviations, pairwise = chapter5.METRICS[:2], chapter5.METRICS[2:]
  settings = [of(epochs=epochs) for epochs in LENGTHS if epochs != 500] + [
      of(source, *setting) for source in ('shuffle', 'init') for setting in PEAKS[1:]]
  return experiment_file.Sweep(
      title='Table B.2: epochs and learning rates, ResNet-14 on CIFAR-10',
      metric='single/top1_sd',
      others=(*(f'single/{metric}' for metric in chapter5.METRICS[1:]), 'single/reduction',
              'test/top1'),
      cells=chapter5.cells(rows, scale),
      numbers=chapter5.numbers('tableB_2'),
      claims=(
          paper.Claim('Neither the length nor the rate changes the deviations of accuracy and loss '
                      'much (by a factor of 1.5, against 500 epochs at 0.4).', 'Section B.4',
                      claims.all_of(*(
                          chapter5_claims.alike(row, of(row['source']), 1.5, deviations)
                          for row in settings))),
          paper.Claim('Longer runs differ more in pairs: 2,000 epochs against 500.', 'Section B.4',
                      chapter5_claims.below(of(), of(epochs=2000), metrics=pairwise)),
          paper.Claim('One bit does about as much as all sources together (by a factor of 1.5) '
                      'with 200 epochs.', 'Section B.4', chapter5_claims.alike(
                          of('bit', epochs=_SHORT), of(epochs=_SHORT), 1.5)),
          paper.Claim('Snapshot ensembles vary less than single runs with 200 epochs, too.',
                      'Table B.2', chapter5_claims.below(
                          cycles, of(epochs=_SHORT), metrics=('loss_sd', *pairwise)))),
      note=chapter5.SMOKE_NOTE if scale == 'smoke' else '')
