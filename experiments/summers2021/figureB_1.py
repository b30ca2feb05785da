"""Figure B.1 of Summers 2021: what one bit does to the loss, epoch by epoch.

    python -m launch.sweep --experiment=experiments/summers2021/figureB_1.py \\
        --workdir=runs/summers2021
    python -m nfnets_am.report --experiment=experiments/summers2021/figureB_1.py \\
        --workdir=runs/summers2021

A linear network and one with a hidden layer of 512 on CIFAR-10, 100 runs of each, which differ by
one bit of one weight of the first layer. The deviation of the test loss of the hidden layer grows
in the first epochs and falls late; that of the linear network stays five or more orders of
magnitude below it. The figure's values are not printed.

The loss is taken once an epoch. The report draws its mean and its deviation over the runs, where
the figure has the range of the middle 95 percent; metrics.jsonl of each run has the values. These
runs are those of table B.1 but for when they are evaluated. [C]: both axes as the report draws
them. What else the thesis leaves open: tableB_1.py, chapter5.py.
"""

import math

import ml_collections
import numpy as np

from experiments.summers2021 import chapter5
from nfnets_am.reporting import claims
from nfnets_am.reporting.claims import judging
from nfnets_am.sweeps import differences
from nfnets_am.sweeps import experiment_file
from nfnets_am.sweeps import paper
from nfnets_am.sweeps import reduction

_METRIC = 'test/loss'
LINEAR, HIDDEN = {'model': 'linear'}, {'model': 'one_hidden'}


def get_config(cell: str = '') -> ml_collections.ConfigDict:
  """Returns the config of a cell such as 'model=linear,source=bit,seed=7'."""
  config = chapter5.get_config(cell, views=False)
  config.evals.test.update({'every': '1 epochs', 'keep': False})
  return config


def get_sweep(scale: str = 'full') -> experiment_file.Sweep:
  """Returns 100 runs of each network."""
  networks = [{**where, 'source': 'bit'} for where in (LINEAR, HIDDEN)]
  return experiment_file.Sweep(
      title='Figure B.1: one bit over time, CIFAR-10',
      metric=_METRIC,
      others=('test/top1',),
      # Without the rows that would measure them.
      cells=chapter5.cells(networks, scale)[:-len(networks)],
      claims=(
          paper.Claim('The deviation of the linear network stays five or more orders of magnitude '
                      'below that of the hidden layer.', 'Section B.2', orders_below(5)),
          paper.Claim('The deviation of the hidden layer grows at first, and decreases later: it '
                      'is greater halfway than after an epoch and at the end.', 'Section B.2',
                      grows_and_falls())),
      note=chapter5.SMOKE_NOTE if scale == 'smoke' else '')


def orders_below(orders: float) -> claims.Check:
  """The linear network's deviation over the runs is so many powers of ten lower at every epoch."""

  @judging.check
  def judge(results):
    low, high = _deviations(results, LINEAR), _deviations(results, HIDDEN)
    found = [_power(high[update], low[update]).less(orders)
             for update in low.keys() & high.keys()]
    if not found:
      raise judging.Unjudged(paper.NOT_RUN, 'no runs have been evaluated at the same updates')
    weakest = judging.weakest(found)
    return judging.of_side(weakest, f'at least {orders + weakest.value:.1f} orders of magnitude')

  return judge


def grows_and_falls() -> claims.Check:
  """The hidden layer's deviation halfway is greater than after an epoch, and than at the end."""

  @judging.check
  def judge(results):
    found = list(_deviations(results, HIDDEN).values())
    if not found:
      raise judging.Unjudged(paper.NOT_RUN, 'no run has been evaluated')
    half = found[len(found) // 2]
    return judging.of_side(
        judging.weakest([_power(half, found[0]), _power(half, found[-1])]),
        f'{found[0][0]:.2g} after an epoch, {half[0]:.2g} halfway, {found[-1][0]:.2g} at the end')

  return judge


def _deviations(results: reduction.Results, where: claims.Where) -> dict[int, tuple[float, int]]:
  """Returns update -> (deviation of the loss, runs), in order."""
  (cell,) = judging.cells_of(results, where)
  updates, _, deviation = cell.history(_METRIC)
  runs = sum(run.status == 'finished' for run in cell.runs)
  if runs < 2:
    raise judging.Unjudged(paper.NOT_RUN, f'{runs} runs are finished at {claims.name_of(where)}')
  return {int(update): (float(x), runs) for update, x in zip(updates, deviation, strict=True)}


def _power(high: tuple[float, int], low: tuple[float, int]) -> differences.Difference:
  """Returns the power of ten between two deviations, as those of normal samples are uncertain."""
  error = math.sqrt(sum(1 / (2 * (runs - 1)) for _, runs in (high, low))) / math.log(10)
  with np.errstate(divide='ignore', invalid='ignore'):
    power = float(np.nan_to_num(np.log10(high[0]) - np.log10(low[0]), nan=0, posinf=math.inf,
                                neginf=-math.inf))
  return differences.Difference(power, error, 0.0, min(high[1], low[1]), _METRIC)
