"""Tables 5.2 and 5.4 of Summers 2021: what each source of nondeterminism does to a QRNN.

    python -m launch.sweep --experiment=experiments/summers2021/table5_2.py \\
        --workdir=runs/summers2021 --set=data.data_dir=DIR
    python -m nfnets_am.report --experiment=experiments/summers2021/table5_2.py \\
        --workdir=runs/summers2021

100 runs a source on Penn Treebank: deviation of perplexity (printed 0.18 to 0.20), disagreement of
pairs (17.3% to 17.7%) and what the mean logits of two runs gain (2.07 or 2.08); 75.49 of a run. One
bit of one weight does as much as all sources together. The rows are measured by a second command
like the first, once all runs are finished. What the thesis leaves open: language.py.
"""

import ml_collections

from experiments.summers2021 import language
from experiments.summers2021 import language_claims
from nfnets_am.reporting import claims
from nfnets_am.sweeps import experiment_file
from nfnets_am.sweeps import paper


def get_config(cell: str = '') -> ml_collections.ConfigDict:
  """Returns the config of a cell such as 'source=init,seed=7' or 'source=init,row=single'."""
  return language.get_config(cell)


def get_sweep(scale: str = 'full') -> experiment_file.Sweep:
  """Returns 100 runs of each source, and a row that measures each."""
  of = lambda source: {'source': source, 'row': 'single'}
  return experiment_file.Sweep(
      title='Tables 5.2 and 5.4: sources of nondeterminism, QRNN on Penn Treebank',
      metric='single/perplexity_sd', others=language_claims.OTHERS,
      cells=language.cells([of(source) for source in language.SOURCES], scale),
      numbers=language.numbers('table5_2'),
      claims=(
          paper.Claim('Each source changes perplexity about as much as both together (by a factor '
                      'of 1.5).', '0.20, 0.19 and 0.18', claims.all_of(*(
                          language_claims.near(of(source), of('all'), 1.5)
                          for source in ('init', 'stochastic')))),
          paper.Claim('One bit of one weight does about as much (by a factor of 1.5).',
                      '0.19 and 0.18', language_claims.near(of('bit'), of('all'), 1.5))),
      note=language.SMOKE_NOTE if scale == 'smoke' else '')
