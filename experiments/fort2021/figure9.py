"""Fort et al. 2021, Figure 9: variance between minibatch gradients at initialisation.

    python -m launch.sweep --experiment=experiments/fort2021/figure9.py \\
        --workdir=runs/fort2021
    python -m nfnets_am.report --experiment=experiments/fort2021/figure9.py --workdir=runs/fort2021

WRN-16-4 with SkipInit on CIFAR-100 as it is initialised, without an L2 term. Fixed batch: B = 16
views, U = 16 / n unique images. Growing batch: U = 16, B = 16 n. The variance of every parameter's
gradient between minibatches, averaged over the parameters of a layer, then over the layers.

The paper prints no number: the variance of the growing batch "does not depend strongly" on n, that
of the fixed batch "increases". All cells are 450,000 views forward and backward: about 6 hours on a
CPU core, minutes on an accelerator. The scale 'small' is WRN-10-1 on the Fashion-MNIST images that
are in the repository, minutes on a CPU core; 'smoke' is a tiny network, in seconds.

Where the paper is silent:
- minibatches: 256 (`budget`). The standard error of a variance is then 9 percent for one parameter,
  and far less for the mean over thousands.
- multiplicities: 1, 2, 4, 8, 16, which are all that divide B = 16 by factors of 2.
- initialisations: 3 seeds, of weights, images and views; their mean and deviation are shown.
- layers: a convolution or linear with its bias is a layer. The convolutions behind a SkipInit
  scalar, whose gradient is exactly 0 as long as the scalar is, count with 0. Whether the scalars
  count as layers is open: 'all model parameters' has them. Both are shown. With them the value is
  8.5 times larger and ratios change, since a scalar's variance rises less with n: n = 4 of the
  fixed batch has 3.36 times the variance of n = 1, without them 3.76 (at the scale 'small').
  `layers.json` has every layer.
- minibatches hold no image twice, as in training: they partition a pass over the images.
- the L2 term, which the paper switches off, would shift all gradients alike and leave the variance.
"""

import ml_collections

from experiments.fort2021 import grids
from nfnets_am.config import cells as cells_lib
from nfnets_am.config import schema
from nfnets_am.core import errors
from nfnets_am.reporting import claims
from nfnets_am.sweeps import experiment_file
from nfnets_am.sweeps import paper

_CELL = {'scheme': 'fixed', 'multiplicity': 1, 'seed': 0, 'scale': 'full'}
_SCHEMES = ('fixed', 'growing')
_METRIC, _ALL = 'init/variance', 'init/variance_of_all'
# Both readings of 'all model parameters'.
_METRICS = ((_METRIC, ''), (_ALL, ', the SkipInit scalars included'))
_SMALL = {'name': 'wide_resnet', 'depth': 10, 'width': 1, 'stem_stride': 2}
# Scale -> data set, padding, model, minibatches.
_SCALES = {
    'full': ('cifar100', 4, {'name': 'wide_resnet', 'depth': 16, 'width': 4}, 256),
    'small': ('fashion_mnist_small', 4, _SMALL, 256),
    'smoke': ('fashion_mnist_small', 2, {'name': 'wide_resnet_tiny'}, 8),
}


def get_config(cell: str = '') -> ml_collections.ConfigDict:
  """Returns the config of a cell such as 'scheme=growing,multiplicity=4'."""
  cell = cells_lib.parse_cell(cell, _CELL)
  if cell['scheme'] not in _SCHEMES:
    raise errors.ConfigError(f'scheme={cell["scheme"]}; allowed: {", ".join(_SCHEMES)}')
  if cell['scale'] not in _SCALES:
    raise errors.ConfigError(f'scale={cell["scale"]}; allowed: {", ".join(_SCALES)}')
  name, pad, model, minibatches = _SCALES[cell['scale']]
  config = schema.get_default()
  config.multiplicity = cell['multiplicity']
  config['views' if cell['scheme'] == 'fixed' else 'unique'] = 16
  config.seed = cell['seed']
  config.budget = f'{minibatches} updates'
  config.data.set = name
  config.data.augment = f'pad_crop(pad={pad}) | flip() | normalise()'
  config.data.apply = 'device'
  config.model = ml_collections.ConfigDict(model)
  config.measure = 'gradient_variance()'
  return config


def get_sweep(scale: str = 'full') -> experiment_file.Sweep:
  """Returns the cells: both schemes, all multiplicities, 3 seeds."""
  extra = {} if scale == 'full' else {'scale': scale}
  multiplicities, seeds = ((1, 4), (0, 1)) if scale == 'smoke' else ((1, 2, 4, 8, 16), (0, 1, 2))
  return experiment_file.Sweep(
      title='Figure 9: variance between minibatch gradients at initialisation',
      cells=tuple({'scheme': scheme, 'multiplicity': n, 'seed': seed, **extra}
                  for scheme in _SCHEMES for n in multiplicities for seed in seeds),
      metric=_METRIC,
      others=(_ALL,),
      panels=tuple(
          paper.Panel(f'Mean variance of the gradient, by multiplicity{what}', 'multiplicity',
                      metric, line='scheme', tuned=False) for metric, what in _METRICS),
      claims=tuple(claim for metric, what in _METRICS for claim in (
          paper.Claim(f'With a fixed batch the variance rises with the multiplicity{what}.',
                      'Figure 9', claims.rises('multiplicity', multiplicities,
                                               {'scheme': 'fixed'}, metric)),
          paper.Claim('With a growing batch it does not depend strongly on it (by less than a '
                      f'factor of 1.5){what}.', 'Figure 9', claims.within_factor(
                          {'scheme': 'growing', 'multiplicity': multiplicities[-1]},
                          {'scheme': 'growing', 'multiplicity': 1}, 1.5, metric)))),
      note=grids.note(scale))
