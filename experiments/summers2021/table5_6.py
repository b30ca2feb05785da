"""Table 5.6 of Summers 2021, CIFAR-10: other networks, and what reduces their variability.

    python -m launch.sweep --experiment=experiments/summers2021/table5_6.py \\
        --workdir=runs/summers2021
    python -m nfnets_am.report --experiment=experiments/summers2021/table5_6.py \\
        --workdir=runs/summers2021

ResNet-6 and 18, a ShuffleNetV2 of half the channels and a VGG-11, 100 runs each for first weights,
for all sources, for one bit of the first convolution, and for all sources with five cycles. One
bit does about what all sources do (printed: deviations of accuracy 0.41 and 0.43 points of
ResNet-6, 0.13 and 0.18 of ResNet-18). Crops and snapshot ensembles reduce the variability of all
but ResNet-6, whose accuracy and loss vary as before.

Rates of norms [R]: VGG-11's scales take the whole rate, ShuffleNet's a tenth, ResNets' as those of
ResNet-14. Hardware: the thesis trains on two V100. The rows are measured by a second command like
the first, once all runs are finished; MNIST and ImageNet are table5_6_mnist.py and
table5_6_imagenet.py. The smoke scale leaves VGG-11 out, whose pools its images are too small for.
What the thesis leaves open: chapter5.py.
"""

import ml_collections

from experiments.summers2021 import chapter5
from experiments.summers2021 import chapter5_claims
from nfnets_am.reporting import claims
from nfnets_am.sweeps import experiment_file
from nfnets_am.sweeps import paper

NETWORKS = ('padded_resnet6', 'padded_resnet18', 'shufflenet_v2', 'vgg11_linear')


def get_config(cell: str = '') -> ml_collections.ConfigDict:
  """Returns the config of a cell such as 'model=vgg11_linear,source=bit,seed=7'."""
  return chapter5.get_config(cell, views=True)


def get_sweep(scale: str = 'full') -> experiment_file.Sweep:
  """Returns 100 runs of each network, source and number of cycles, and the rows of these."""
  of = lambda model, source='all', row='single', cycles=1: {
      'model': model, 'source': source, 'row': row, 'cycles': cycles}
  networks = NETWORKS[:3] if scale == 'smoke' else NETWORKS
  rows = [row for model in networks for row in (
      of(model, 'init'), of(model), of(model, 'bit'), of(model, row='flip_crop'),
      of(model, cycles=5), of(model, row='flip_crop', cycles=5))]
  pairwise = chapter5.METRICS[2:]
  reducing = [of('', row='flip_crop'), of('', cycles=5), of('', row='flip_crop', cycles=5)]
  less = lambda networks, metrics: claims.all_of(*(
      chapter5_claims.below({**row, 'model': model}, of(model), metrics=metrics)
      for model in networks for row in reducing))
  return experiment_file.Sweep(
      title='Table 5.6: other networks on CIFAR-10',
      metric='single/top1_sd',
      others=(*(f'single/{metric}' for metric in chapter5.METRICS[1:]), 'single/reduction',
              'test/top1'),
      cells=chapter5.cells(rows, scale),
      numbers=chapter5.numbers('table5_6'),
      claims=(
          paper.Claim('One bit does about as much as all sources together (by a factor of 1.5), in '
                      'every network and by every measure.', 'Table 5.6', claims.all_of(*(
                          chapter5_claims.alike(of(model, 'bit'), of(model), 1.5)
                          for model in NETWORKS))),
          paper.Claim('Crops, snapshots and both together reduce what pairs of runs differ by, in '
                      'every network.', 'Section 5.6', less(NETWORKS, pairwise)),
          paper.Claim('They reduce the deviations of accuracy and loss, but of ResNet-6.',
                      'Section 5.6', less(NETWORKS[1:], chapter5.METRICS[:2]))),
      note=chapter5.SMOKE_NOTE if scale == 'smoke' else '')
