"""Table 2 of Hoffer et al. 2020: twelve networks, two baselines and batch augmentation.

    python -m launch.sweep --experiment=experiments/hoffer2020/table2.py --workdir=runs/hoffer2020
    python -m nfnets_am.report --experiment=experiments/hoffer2020/table2.py \\
        --workdir=runs/hoffer2020

With --scale=resnet44_cifar10, or another row of recipes.py, both are of that row alone.

Accuracy on the test images (of ImageNet: validation) after the last update. M is in the rows, the
three columns are what recipes.py says. Printed for ResNet-44 on CIFAR-10: 93.70% with fixed steps,
93.80% with fixed samples, 95.43% with batch augmentation; elsewhere the paper has 93.41% (Table 4)
and 93.07% (section 4.1) for the first.

Hardware: CIFAR's rows fit one GPU or TPU core in bfloat16 but for AmoebaNet's 1,024 views of an
update; ImageNet's need a slice. What the paper leaves open: recipes.py. One seed for each [C]: the
paper does not say how many.
"""

import dataclasses

import ml_collections

from experiments.hoffer2020 import recipes
from experiments.hoffer2020 import sweeps
from nfnets_am.config import cells as cells_lib
from nfnets_am.core import errors
from nfnets_am.core import registry
from nfnets_am.reporting import claims
from nfnets_am.sweeps import experiment_file
from nfnets_am.sweeps import paper

_CELL = {'row': 'resnet44_cifar10', 'column': 'ba', 'seed': 0, 'scale': 'full'}


def get_config(cell: str = '') -> ml_collections.ConfigDict:
  """Returns the config of a cell such as 'row=vgg16_cifar10,column=fixed_samples'."""
  return recipes.config(**cells_lib.parse_cell(cell, _CELL))


def get_sweep(scale: str = 'full') -> experiment_file.Sweep:
  """Returns three runs for each of the twelve rows; of one, where its name is the scale."""
  if scale not in (*recipes.SCALES, *recipes.ROWS):
    raise errors.ConfigError(
        f'scale={scale!r}{registry.did_you_mean(scale, recipes.ROWS)}; allowed: '
        f'{", ".join(recipes.SCALES)}, or a row: {", ".join(recipes.ROWS)}')
  rows = {'full': tuple(recipes.ROWS), 'smoke': ('resnet44_cifar10', 'alexnet_imagenet')}.get(
      scale, (scale,))
  alone = scale in recipes.ROWS
  alexnet = {'row': 'alexnet_imagenet'}
  claimed = [paper.Claim(
      f'{recipes.ROWS[row].title}: batch augmentation is better than the baseline with fixed '
      f'{column.removeprefix("fixed_")}.', 'Table 2',
      claims.better({'row': row, 'column': 'ba'}, {'row': row, 'column': column}))
             for row in rows for column in recipes.BASELINES]
  if alexnet['row'] in rows:
    claimed.append(paper.Claim(
        'AlexNet has the most dramatic improvement, more than 4 points.', '62.31 over 58.25',
        claims.better({**alexnet, 'column': 'ba'}, {**alexnet, 'column': 'fixed_steps'}, by=4)))
  found = sweeps.of(
      'table2', 'Table 2: batch augmentation and two baselines', 'full' if alone else scale,
      [{'row': row, 'column': column} for row in rows for column in recipes.COLUMNS], claimed)
  if alone:
    found = dataclasses.replace(found, numbers=tuple(
        number for number in found.numbers if number.cell['row'] == scale))
  return found
