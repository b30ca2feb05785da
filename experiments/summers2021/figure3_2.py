"""Figure 3.2 of Summers 2021: label smoothing alone, on clean images, CIFAR-10.

    python -m launch.sweep --experiment=experiments/summers2021/figure3_2.py \\
        --workdir=runs/summers2021
    python -m nfnets_am.report --experiment=experiments/summers2021/figure3_2.py \\
        --workdir=runs/summers2021
    python -m experiments.summers2021.logit_histograms --figure=figure3_2 \\
        --workdir=runs/summers2021 --out=runs/figure3_2_logits.png

Left: accuracy on clean images and under PGD of 10 steps over the strength s, up to 1 - 1/10. Right,
drawn by the third command: logits at s = 0 and 0.75, on clean images and on those of PGD. Printed:
a range of logits of 20 and 1.2, and under FGSM 6.1% at s = 0, 38.3% at 0.01. Strengths are not
printed [C]: 0.01, then by tenths, and 0.75. Those of 0 and 0.75 are the runs of Table 3.1 and 3.2,
two of each, so that ranges have an error.

Hardware and what the thesis leaves open: robust.py.
"""

import ml_collections

from experiments.summers2021 import robust
from experiments.summers2021 import table3_1
from nfnets_am.config import cells as cells_lib
from nfnets_am.core import errors
from nfnets_am.reporting import claims
from nfnets_am.reporting.claims import judging
from nfnets_am.sweeps import experiment_file
from nfnets_am.sweeps import paper

_STRENGTHS = (0.0, 0.01, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.75, 0.8, 0.9)
_SHOWN = (0.0, 0.75)
_RANGE = 'logits/range'
# Whose logits are measured: '' trains.
_LOGITS = ('', 'test', 'pgd10')
_CELL = {'smoothing': 0.0, 'logits': '', 'seed': 0, 'scale': 'full'}


def get_config(cell: str = '') -> ml_collections.ConfigDict:
  """Returns the config of a cell such as 'smoothing=0.3' or 'smoothing=0.75,logits=pgd10'.

  Raises:
    ConfigError: an unknown key, kind of logits or scale.
  """
  said = cells_lib.parse_cell(cell, _CELL)
  smoothing, logits = said.pop('smoothing'), said.pop('logits')
  if logits not in _LOGITS:
    raise errors.ConfigError(f'logits={logits!r}; allowed: {", ".join(map(repr, _LOGITS))}')
  found = robust.config(
      cells_lib.cell_name({**said, 'method': 'label_smoothing' if smoothing else 'regular'}),
      table3_1.TABLE)
  if smoothing:
    found.objective.label_smoothing = smoothing
  if logits:
    run = robust.folder(get_config, **said, smoothing=smoothing)
    found.measure = f'logits(run={run!r}, evaluation={logits!r})'
  return found


def get_sweep(scale: str = 'full') -> experiment_file.Sweep:
  """Returns fourteen runs, and eight cells that measure logits."""
  extra = robust.check_scale(scale)
  of = lambda smoothing, logits='': {'smoothing': smoothing, 'logits': logits}
  cells = [{**of(s), 'seed': 0} for s in _STRENGTHS if s not in _SHOWN]
  cells += [{**of(s, logits), 'seed': seed}
            for logits in _LOGITS for s in _SHOWN for seed in (0, 1)]
  return experiment_file.Sweep(
      title='Figure 3.2: label smoothing on CIFAR-10', metric=robust.METRIC,
      others=('test/top1', 'fgsm/top1', 'pgd5/top1', 'pgd20/top1', _RANGE,
              'logits/variance'),
      cells=tuple({**cell, **extra} for cell in cells),
      panels=tuple(paper.Panel(title, x='smoothing', metric=metric, where={'logits': ''},
                               log_x=False)
                   for title, metric in (('original test', 'test/top1'),
                                         ('PGD, 10 steps', robust.METRIC))),
      numbers=robust.numbers('figure3_2'), note=robust.note(scale), claims=(
          paper.Claim('A smoothing of 0.01 makes a network far more robust to FGSM, by 20 points.',
                      '6.1 to 38.3', claims.better(of(0.01), of(0.0), 'fgsm/top1', by=20)),
          paper.Claim('Under PGD of 10 steps robustness rises slowly with it: at 0.01 by less '
                      'than half.', 'Figure 3.2, left', claims.smaller_gap(
                          (of(0.01), of(0.0)), (of(_STRENGTHS[2:]), of(0.01)))),
          paper.Claim('At best over 40% are right under PGD of 10 steps.', '41.7',
                      claims.reaches(of(_STRENGTHS), 40)),
          paper.Claim('Smoothing of 0.75 costs no significant accuracy (1 point at most).',
                      '86.9 and 87.4', claims.not_worse(of(0.75), of(0.0), 1, 'test/top1')),
          paper.Claim('It makes the range of logits more than 5 times smaller.', '1.2 and 20',
                      claims.all_of(*(_smaller(of(0.75, logits), of(0.0, logits))
                                      for logits in _LOGITS[1:])))))


def _smaller(a: judging.Where, b: judging.Where, times: float = 5.0) -> claims.Check:
  """The range of logits of a cell is so many times smaller than that of another."""

  @judging.check
  def judge(results):
    small, large = (judging.best(results, where, _RANGE) for where in (a, b))
    return judging.of_side(
        judging.contrast(_RANGE, (1, large), (-times, small)),
        '; '.join(judging.text_of(_RANGE, cell, where) for cell, where in ((small, a), (large, b)))
        + judging.so_far(results, a, b))

  return judge
