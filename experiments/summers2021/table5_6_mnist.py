"""Table 5.6 of Summers 2021, MNIST: a network of two convolutions, which is nearly always right.

    python -m launch.sweep --experiment=experiments/summers2021/table5_6_mnist.py \\
        --workdir=runs/summers2021
    python -m nfnets_am.report --experiment=experiments/summers2021/table5_6_mnist.py \\
        --workdir=runs/summers2021

100 runs each for first weights, for all sources (there is no augmentation, so that these are first
weights and order), for one bit of the first convolution, and for all sources with five cycles.
Printed accuracy 99.14%, its deviation 0.046 points, with one bit 0.035. One bit does less to what
pairs of runs differ by (0.30% disagreement, not 0.56%); nine crops, of images padded by a pixel,
reduce variability, and a snapshot ensemble does not.

[C]: recipe and number of epochs are those of CIFAR-10 (500 epochs, peak 0.4, decay 5e-4), which the
thesis does not say; pixels are normalised by MNIST's mean and deviation. Hardware: a run has 2e+15
FLOPs. The rows are measured by a second command like the first, once all runs are finished. What
else the thesis leaves open: chapter5.py.
"""

import ml_collections

from experiments.summers2021 import chapter5
from experiments.summers2021 import chapter5_claims
from nfnets_am.sweeps import experiment_file
from nfnets_am.sweeps import paper

_MODEL = 'two_convs'


def get_config(cell: str = '') -> ml_collections.ConfigDict:
  """Returns the config of a cell such as 'source=bit,seed=7' or 'row=crop,cycles=5'."""
  config = chapter5.get_config(f'model={_MODEL}{"," if cell else ""}{cell}', views=True)
  smoke = config.data.set != 'cifar10'
  config.data.augment = 'normalise()' if smoke else 'normalise(mean=(.1307,), std=(.3081,))'
  if not smoke:
    config.data.set = 'mnist'
  config.evals.crop = config.evals.flip_crop.copy_and_resolve_references()
  config.evals.crop.update({'flip': False, 'pad': 1})
  del config.evals.flip, config.evals.flip_crop
  return config


def get_sweep(scale: str = 'full') -> experiment_file.Sweep:
  """Returns 100 runs of each source and number of cycles, and the rows of these."""
  of = lambda source='all', row='single', cycles=1: {
      'source': source, 'row': row, 'cycles': cycles}
  rows = [of('init'), of(), of('bit'), of(row='crop'), of(cycles=5), of(row='crop', cycles=5)]
  return experiment_file.Sweep(
      title='Table 5.6: MNIST',
      metric='single/top1_sd',
      others=(*(f'single/{metric}' for metric in chapter5.METRICS[1:]), 'single/reduction',
              'test/top1'),
      cells=chapter5.cells(rows, scale),
      numbers=chapter5.numbers('table5_6_mnist'),
      claims=(
          paper.Claim('First weights do about as much as all sources together (by a factor of '
                      '1.5).', 'Table 5.6', chapter5_claims.alike(of('init'), of(), 1.5)),
          paper.Claim('One bit has a comparable effect on accuracy and loss, by a factor of 2.5.',
                      'Section 5.6', chapter5_claims.alike(
                          of('bit'), of(), 2.5, chapter5.METRICS[:2])),
          paper.Claim('It has a smaller one on what pairs of runs differ by.', 'Section 5.6',
                      chapter5_claims.below(of('bit'), of(), metrics=chapter5.METRICS[2:])),
          paper.Claim('Crops reduce variability.', 'Section 5.6',
                      chapter5_claims.below(of(row='crop'), of())),
          paper.Claim('Snapshot ensembles do not (not to less than two thirds of it).',
                      'Section 5.6', chapter5_claims.not_below(of(cycles=5), of(), 1.5))),
      note=chapter5.SMOKE_NOTE if scale == 'smoke' else '')
