"""Table B.1 of Summers 2021: how deep a network must be for one bit to matter.

    python -m launch.sweep --experiment=experiments/summers2021/tableB_1.py \\
        --workdir=runs/summers2021
    python -m nfnets_am.report --experiment=experiments/summers2021/tableB_1.py \\
        --workdir=runs/summers2021

A linear network, two with one hidden layer and a ResNet-10 on CIFAR-10, 100 runs for first weights,
for all sources and for one bit of one weight of the first layer. The bit does nothing to the linear
network (deviation of the loss 1e-7, printed), as much as anything to a hidden layer of 512 and to
the ResNet, and half as much to a hidden convolution. All crops and their mirror images reduce it.

Hardware: the thesis trains on two V100. The rows are measured by a second command like the first,
once all runs are finished. What the thesis leaves open: chapter5.py; for the networks without norms
it is also the schedule, which is that of the ResNets here.
"""

import ml_collections

from experiments.summers2021 import chapter5
from experiments.summers2021 import chapter5_claims
from nfnets_am.reporting import claims
from nfnets_am.sweeps import experiment_file
from nfnets_am.sweeps import paper

NETWORKS = ('linear', 'one_hidden', 'one_hidden_conv', 'padded_resnet10')


def get_config(cell: str = '') -> ml_collections.ConfigDict:
  """Returns the config of a cell such as 'model=linear,source=bit,seed=7'."""
  return chapter5.get_config(cell, views=True)


def get_sweep(scale: str = 'full') -> experiment_file.Sweep:
  """Returns 100 runs of each network and source, and the rows that measure them."""
  of = lambda model, source='all', row='single', cycles=1: {
      'model': model, 'source': source, 'row': row, 'cycles': cycles}
  rows = [row for model in NETWORKS
          for row in (of(model, 'init'), of(model), of(model, 'bit'), of(model, row='flip_crop'))]
  rows += [of('padded_resnet10', row=row, cycles=5) for row in ('single', 'flip_crop')]
  deep, unlike_linear = ('one_hidden', 'padded_resnet10'), NETWORKS[1:]
  near = lambda source, networks: claims.all_of(*(
      chapter5_claims.alike(of(model, source), of(model), 1.5) for model in networks))
  return experiment_file.Sweep(
      title='Table B.1: nondeterminism and depth, CIFAR-10',
      metric='single/top1_sd',
      others=(*(f'single/{metric}' for metric in chapter5.METRICS[1:]), 'single/reduction',
              'test/top1'),
      cells=chapter5.cells(rows, scale),
      numbers=chapter5.numbers('tableB_1'),
      claims=(
          paper.Claim('One bit does about as much as all sources together (by a factor of 1.5), in '
                      'a network with a hidden layer of 512 and in a ResNet-10.', 'Table B.1',
                      near('bit', deep)),
          paper.Claim('One bit does nothing that counts to the linear network: a thousandth of '
                      'what all sources do to accuracy, loss and answers.', 'Section 5.4.2',
                      chapter5_claims.below(of('linear', 'bit'), of('linear'), 1000,
                                            ('top1_sd', 'loss_sd', 'disagreement'))),
          paper.Claim('It does less to a hidden convolution than all sources do together.',
                      'Section B.1', chapter5_claims.below(
                          of('one_hidden_conv', 'bit'), of('one_hidden_conv'))),
          paper.Claim('Test-time views reduce what pairs of runs differ by, in all networks but '
                      'the linear one.', 'Section B.1', claims.all_of(*(
                          chapter5_claims.below(of(model, row='flip_crop'), of(model),
                                                metrics=chapter5.METRICS[2:])
                          for model in unlike_linear))),
          paper.Claim('First weights do about as much as all sources together (by a factor of 1.5) '
                      'in all networks but the linear one.', 'Section B.1',
                      near('init', unlike_linear))),
      note=chapter5.SMOKE_NOTE if scale == 'smoke' else '')
