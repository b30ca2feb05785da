"""Section B.4 of Summers 2021: optimisers that do not reduce instability.

    python -m launch.sweep --experiment=experiments/summers2021/sectionB_4.py \\
        --workdir=runs/summers2021
    python -m nfnets_am.report --experiment=experiments/summers2021/sectionB_4.py \\
        --workdir=runs/summers2021

A ResNet-14 on CIFAR-10 with all sources of nondeterminism: SGD with momenta from 0 to 0.999, Adam,
and gradients whose norm is clipped. None of them makes runs vary less; no numbers are printed.
Lengths and learning rates of the same section: tableB_2.py.

[C], as the thesis names neither numbers nor rates: 20 runs a row, as in table B.2; momenta 0, 0.5,
0.99 and 0.999, with rates such that rate / (1 - momentum) is 4, as with 0.9; Adam's peak 0.001,
with its decay in the gradient; gradients clipped to a norm of 1, or taken at the weights with
normal noise of a hundredth of their size. Runs with momentum 0.9 are of table 5.1. Aggressive
averaging of weights, which the authors changed in a way they do not say, is not here. The rows
are measured by a second command like the first, once all runs are finished. What else the thesis
leaves open: chapter5.py.
"""

import ml_collections

from experiments.summers2021 import chapter5
from experiments.summers2021 import chapter5_claims
from nfnets_am.config import cells as cells_lib
from nfnets_am.core import errors
from nfnets_am.reporting import claims
from nfnets_am.sweeps import experiment_file
from nfnets_am.sweeps import paper

_MOMENTA = (0.0, 0.5, 0.99, 0.999)
_USUAL, _ADAM, _CLIP, _OFFSET = 'sgd', 'adam', 'clip', 'offset'
# Way -> momentum of SGD, or None.
WAYS = {_USUAL: 0.9, **{f'momentum{momentum:g}': momentum for momentum in _MOMENTA}, _ADAM: None,
        _CLIP: 0.9, _OFFSET: 0.9}
_CELL = {**chapter5.CELL, 'way': _USUAL}
_RUNS = 20


def get_config(cell: str = '') -> ml_collections.ConfigDict:
  """Returns the config of a cell such as 'way=adam,source=all,seed=7'."""
  read = cells_lib.parse_cell(cell, _CELL)
  way = read.pop('way')
  if way not in WAYS:
    raise errors.ConfigError(f'way={way!r}; allowed: {", ".join(WAYS)}')
  config = chapter5.get_config(cells_lib.cell_name(read), views=False)
  if way == _ADAM:
    config.optimizer.name = _ADAM
    config.schedule.peak = 0.001
  elif way == _CLIP:
    config.clip = ml_collections.ConfigDict({'name': 'global_norm', 'norm': 1.0})
  elif way == _OFFSET:
    config.ascent = ml_collections.ConfigDict({'name': 'random_offset', 'deviation': 0.01})
  elif way != _USUAL:
    config.optimizer.momentum = WAYS[way]
    config.schedule.peak = round(0.4 * (1 - WAYS[way]) / 0.1, 6)
  return config


def get_sweep(scale: str = 'full') -> experiment_file.Sweep:
  """Returns 20 runs of each way, 100 of the usual one, and a row that measures each."""
  # The usual runs are all of table 5.1.
  of = lambda way: {'way': way, 'source': 'all', 'row': 'single',
                    **({} if way == _USUAL else {'count': _RUNS})}
  return experiment_file.Sweep(
      title='Section B.4: optimisers, ResNet-14 on CIFAR-10',
      metric='single/top1_sd',
      others=(*(f'single/{metric}' for metric in chapter5.METRICS[1:]), 'test/top1'),
      cells=chapter5.cells([of(way) for way in WAYS], scale),
      claims=(
          *(paper.Claim(f'{text} not reduce variability (not to less than 0.8 of it).',
                        'Section B.4', claims.all_of(*(
                            chapter5_claims.not_below(of(way), of(_USUAL), 1.25)
                            for way in ways)))
            for text, ways in (('Other momenta do', [f'momentum{m:g}' for m in _MOMENTA]),
                               ('Adam does', [_ADAM]), ('Clipping gradients does', [_CLIP]),
                                ('Gradients at random offsets of the weights do', [_OFFSET]))),
          paper.Claim('Aggressive stochastic weight averaging does not reduce variability.',
                      'Section B.4', claims.not_run_here(
                          'how it was changed so that it converged is not said'))),
      note=chapter5.SMOKE_NOTE if scale == 'smoke' else '')
