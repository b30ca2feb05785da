"""Tables 5.1 and 5.3 of Summers 2021: what each source of nondeterminism does to a ResNet-14.

    python -m launch.sweep --experiment=experiments/summers2021/table5_1.py \\
        --workdir=runs/summers2021
    python -m nfnets_am.report --experiment=experiments/summers2021/table5_1.py \\
        --workdir=runs/summers2021

100 runs a source on CIFAR-10, 500 epochs of batches of 512: deviation of accuracy (printed 0.21 to
0.26 points) and of cross-entropy (0.0068 to 0.0083), disagreement of pairs (10.5% to 10.7%),
Spearman's correlation of their logits (0.871 to 0.874), accuracy of two runs' mean logits over
theirs (1.76 to 1.84 points). One bit of one weight does as much as all sources together.

Rows with cuDNN's kernels, which need a GPU: table5_1_kernels.py. Table 5.4, one bit of a language
model, belongs to table 5.2. Hardware: the thesis trains on two V100, a run with 4e+15 FLOPs. The
rows are measured by a second command like the first, once all runs are finished. What the thesis
leaves open: chapter5.py.
"""

import ml_collections

from experiments.summers2021 import chapter5
from experiments.summers2021 import chapter5_claims
from nfnets_am.reporting import claims
from nfnets_am.sweeps import experiment_file
from nfnets_am.sweeps import paper


def get_config(cell: str = '') -> ml_collections.ConfigDict:
  """Returns the config of a cell such as 'source=init,seed=7' or 'source=init,row=single'."""
  return chapter5.get_config(cell, views=False)


def get_sweep(scale: str = 'full') -> experiment_file.Sweep:
  """Returns 100 runs of each source, and a row that measures each."""
  of = lambda source: {'source': source, 'row': 'single'}
  near = lambda sources, factor: claims.all_of(*(
      chapter5_claims.alike(of(source), of('all'), factor) for source in sources))
  return experiment_file.Sweep(
      title='Tables 5.1 and 5.3: sources of nondeterminism, ResNet-14 on CIFAR-10',
      metric='single/top1_sd',
      others=(*(f'single/{metric}' for metric in chapter5.METRICS[1:]), 'test/top1'),
      cells=chapter5.cells([of(source) for source in chapter5.SOURCES], scale),
      numbers=chapter5.numbers('table5_1'),
      claims=(
          paper.Claim('No source is even a factor of two more important than another, by any '
                      'measure.', 'Table 5.1',
                      near([name for name in chapter5.SOURCES if name not in ('all', 'bit')], 2)),
          paper.Claim('One bit of one weight does about as much as all sources together (by a '
                      'factor of 1.5).', 'Table 5.3', near(['bit'], 1.5))),
      note=chapter5.SMOKE_NOTE if scale == 'smoke' else '')
