"""Figure 3.1 of Summers 2021: what logit pairing does to logits, and squeezing beside it, CIFAR-10.

    python -m launch.sweep --experiment=experiments/summers2021/figure3_1.py \\
        --workdir=runs/summers2021
    python -m nfnets_am.report --experiment=experiments/summers2021/figure3_1.py \\
        --workdir=runs/summers2021
    python -m experiments.summers2021.logit_histograms --figure=figure3_1 \\
        --workdir=runs/summers2021 --out=runs/figure3_1_logits.png

Left, drawn by the third command: logits on clean test images with and without pairing; printed are
variances of 4.02 and 8.31. Right: accuracy under PGD of 10 steps over the weight of squeezing, for
both. Without squeezing these are the runs of Table 3.1 and 3.2, two of each, so that the variance
has an error. Weights are not printed: 1e-4 to 1 by factors of 10 [C]. Squeezed are clean and
adversarial logits, the sum over classes [C].

Hardware and what the thesis leaves open: robust.py.
"""

import ml_collections

from experiments.summers2021 import robust
from experiments.summers2021 import table3_1
from nfnets_am.config import cells as cells_lib
from nfnets_am.reporting import claims
from nfnets_am.sweeps import experiment_file
from nfnets_am.sweeps import paper

_WEIGHTS = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)
_METHODS = ('pgd', 'alp')
_CELL = {**robust.CELL, 'method': 'pgd', 'squeezing': 0.0, 'logits': 0}


def get_config(cell: str = '') -> ml_collections.ConfigDict:
  """Returns the config of a cell such as 'method=alp,squeezing=0.01' or 'method=alp,logits=1'."""
  said = cells_lib.parse_cell(cell, _CELL)
  squeezing, measured = said.pop('squeezing'), said.pop('logits')
  found = robust.config(cells_lib.cell_name(said), table3_1.TABLE)
  # 0 is the default, and the run of the table.
  if squeezing:
    found.objective.squeezing = squeezing
  if measured:
    found.measure = f'logits(run={robust.folder(get_config, **said, squeezing=squeezing)!r})'
  return found


def get_sweep(scale: str = 'full') -> experiment_file.Sweep:
  """Returns fourteen runs, and four cells that measure logits."""
  extra = robust.check_scale(scale)
  of = lambda method, squeezing=0.0, logits=0: {
      'method': method, 'squeezing': squeezing, 'logits': logits}
  squeezed = [{**of(method, weight), 'seed': 0} for method in _METHODS for weight in _WEIGHTS]
  plain = [{**of(method, logits=measured), 'seed': seed}
           for measured in (0, 1) for method in _METHODS for seed in (0, 1)]
  return experiment_file.Sweep(
      title='Figure 3.1: logit squeezing on CIFAR-10', metric=robust.METRIC,
      others=('test/top1', 'logits/variance', 'logits/range'),
      cells=tuple({**cell, **extra} for cell in squeezed + plain),
      panels=(paper.Panel('squeezing, by PGD of 10 steps', x='squeezing', metric=robust.METRIC,
                          where={'squeezing': _WEIGHTS, 'logits': 0}, line='method'),),
      numbers=robust.numbers('figure3_1'), note=robust.note(scale), claims=(
          paper.Claim('With logit pairing the variance of logits on clean images is smaller.',
                      '4.02 and 8.31', claims.better(of('pgd', logits=1), of('alp', logits=1),
                                                     'logits/variance')),
          paper.Claim('Without pairing, the best squeezing makes a network more robust.',
                      'Figure 3.1, right', claims.better(of('pgd', _WEIGHTS), of('pgd'))),
          paper.Claim('It recovers more than half of the gain of pairing.', 'Figure 3.1, right',
                      claims.smaller_gap((of('alp'), of('pgd', _WEIGHTS)),
                                         (of('pgd', _WEIGHTS), of('pgd')))),
          paper.Claim('With pairing, squeezing of any weight hurts.', 'Figure 3.1, right',
                      claims.all_of(*(claims.better(of('alp'), of('alp', weight))
                                      for weight in _WEIGHTS)))))
