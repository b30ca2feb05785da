"""Table 5.1 of Summers 2021, the rows with cuDNN: kernels of a GPU that differ from run to run.

    python -m launch.sweep --experiment=experiments/summers2021/table5_1_kernels.py \\
        --workdir=runs/summers2021
    python -m nfnets_am.report --experiment=experiments/summers2021/table5_1_kernels.py \\
        --workdir=runs/summers2021

100 runs a row of a ResNet-14 on CIFAR-10: nothing but kernels (printed: deviation of accuracy 0.22
points, of cross-entropy 0.0083, 10.5% disagreement), with the order, with order and augmentation,
and with all sources, which is the thesis' row "all". Runs that share all seeds have a number of
their own, the config's `kernels`.

A GPU is needed, and a run that finds none says so: on CPU and TPU no kernels differ from run to
run, and the row is that there is none. Whether XLA takes kernels that differ for these programs is
the GPU's to say. All runs have all kernels, so that one warm process may train them; those of
table5_1.py have deterministic ones, and take another process. What the thesis leaves open:
chapter5.py.
"""

import ml_collections

from experiments.summers2021 import chapter5
from experiments.summers2021 import chapter5_claims
from nfnets_am.reporting import claims
from nfnets_am.sweeps import experiment_file
from nfnets_am.sweeps import paper


def get_config(cell: str = '') -> ml_collections.ConfigDict:
  """Returns the config of a cell such as 'source=kernels,seed=7' or 'source=kernels,row=single'."""
  return chapter5.get_config(cell, views=False)


def get_sweep(scale: str = 'full') -> experiment_file.Sweep:
  """Returns 100 runs of each source with kernels, and a row that measures each."""
  of = lambda source: {'source': source, 'row': 'single'}
  return experiment_file.Sweep(
      title='Table 5.1: nondeterministic kernels, ResNet-14 on CIFAR-10',
      metric='single/top1_sd',
      others=(*(f'single/{metric}' for metric in chapter5.METRICS[1:]), 'test/top1'),
      cells=chapter5.cells([of(source) for source in chapter5.WITH_KERNELS], scale),
      numbers=chapter5.numbers('table5_1_kernels'),
      claims=(
          paper.Claim('Kernels alone are not even a factor of two less important than all sources '
                      'together, by any measure.', 'Table 5.1',
                      chapter5_claims.alike(of('kernels'), of('all_kernels'), 2)),
          paper.Claim('Nor are they with the order, or with order and augmentation.', 'Table 5.1',
                      claims.all_of(*(chapter5_claims.alike(of(source), of('all_kernels'), 2)
                                      for source in ('shuffle_kernels',
                                                     'shuffle_augment_kernels'))))),
      note=chapter5.SMOKE_NOTE if scale == 'smoke' else '')
