"""Table B.3 of Summers 2021: snapshot ensembles of a QRNN on Penn Treebank.

    python -m launch.sweep --experiment=experiments/summers2021/tableB_3.py \\
        --workdir=runs/summers2021 --set=data.data_dir=DIR
    python -m nfnets_am.report --experiment=experiments/summers2021/tableB_3.py \\
        --workdir=runs/summers2021

100 runs of 500 and of 1,000 epochs, as they are and with five cycles of the rate, whose ends are
averaged. Printed: pairs of snapshot ensembles disagree less (13.7% for 17.4%), the deviation of
perplexity is no smaller (0.21 for 0.18), and perplexity itself is worse (75.0 for 73.0). The first
hundred runs are those of table 5.2. What the thesis leaves open: language.py.
"""

import ml_collections

from experiments.summers2021 import language
from experiments.summers2021 import language_claims
from nfnets_am.reporting import claims
from nfnets_am.sweeps import experiment_file
from nfnets_am.sweeps import paper

_EPOCHS = (500, 1000)


def get_config(cell: str = '') -> ml_collections.ConfigDict:
  """Returns the config of a cell such as 'cycles=5,seed=7' or 'cycles=5,row=single'."""
  return language.get_config(cell)


def get_sweep(scale: str = 'full') -> experiment_file.Sweep:
  """Returns 100 runs of each length with one cycle and with five, and the rows."""
  of = lambda cycles, epochs: {'epochs': epochs, 'cycles': cycles, 'row': 'single'}
  # Smoke runs have one length.
  lengths = _EPOCHS if scale == 'full' else _EPOCHS[:1]
  every = lambda key, a, b: claims.all_of(*(
      language_claims.lower(of(a, epochs), of(b, epochs), key) for epochs in lengths))
  return experiment_file.Sweep(
      title='Table B.3: snapshot ensembles, QRNN on Penn Treebank',
      metric='single/perplexity_sd', others=language_claims.OTHERS,
      cells=language.cells(
          [of(cycles, epochs) for epochs in lengths for cycles in (1, 5)], scale),
      numbers=language.numbers('tableB_3'),
      claims=(
          paper.Claim('Snapshot ensembles disagree on fewer tokens.', '13.7% for 17.4%, 14.1% for '
                      '17.6%', every('disagreement', 5, 1)),
          paper.Claim('Their perplexity is higher.', '75.0 for 73.0', every('perplexity', 1, 5))),
      note=language.SMOKE_NOTE if scale == 'smoke' else '')
