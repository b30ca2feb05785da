"""What Hoffer et al. 2020 say, to be held against the runs of small.py."""

from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

from experiments.hoffer2020 import checks
from experiments.hoffer2020 import recipes
from nfnets_am.reporting import claims
from nfnets_am.sweeps import paper

NORM = 'train_views/gradient_norm'
KINDS = {'views': 'an image and its view', 'same_class': 'two images of a class',
         'different_class': 'images of two classes'}
_CLASSES = 10


def correlation(kind: str, epoch: int) -> str:
  """Returns the metric of a kind of pairs at an epoch."""
  return f'{kind}_{epoch}/correlation'


def of(at: Mapping[str, Any], many: int, norms: Sequence[str], shown: Sequence[int],
       epochs: Sequence[int], pairs: int) -> tuple[paper.Claim, ...]:
  """Returns the claims.

  Args:
    at: what all cells have that are trained at the chosen rate.
    many: M of the columns.
    norms: of the columns, the first of which has the sweep over M.
    shown: M of that sweep, ascending from 1.
    epochs: at which gradients are compared, from 0 on.
    pairs: of each kind.
  """
  cell = lambda column, norm=norms[0]: {
      **at, 'norm': norm, 'column': column,
      'multiplicity': 1 if column == 'fixed_steps' else many}
  sweep = {**at, 'norm': norms[0], 'column': ('fixed_steps', 'ba')}
  return (
      *(paper.Claim(f'Batch augmentation is better than the baseline with fixed '
                    f'{column.removeprefix("fixed_")} ({norm} norm).', 'Table 2',
                    claims.better(cell('ba', norm), cell(column, norm)))
        for norm in norms for column in recipes.BASELINES),
      paper.Claim('The final error falls as M rises.', 'Figure 2',
                  claims.rises('multiplicity', shown, sweep)),
      paper.Claim('Batch augmentation reduces the norm of the gradient.', 'Figure 1',
                  checks.below(cell('ba'), cell('fixed_steps'), NORM)),
      *_of_correlations(epochs, pairs))


def _of_correlations(epochs: Sequence[int], pairs: int) -> tuple[paper.Claim, ...]:
  measured = {'measured': 1}
  first, *later = epochs
  gaps = lambda high, low, at: [(correlation(high, epoch), correlation(low, epoch))
                                for epoch in at]
  return (
      paper.Claim('Gradients of an image and its view correlate less after training.',
                  '0.99 at first, 0.09 at the end', checks.more(
                      measured, [(correlation('views', first), correlation('views', epochs[-1]))],
                      pairs)),
      paper.Claim('In training they correlate more than those of two images of a class.',
                  '0.51 over 0.42, 0.09 over 0.04',
                  checks.more(measured, gaps('views', 'same_class', later), pairs)),
      paper.Claim('At any time they correlate more than those of images of two classes.',
                  '0.99 over -0.11, 0.51 over -0.04, 0.09 over 0',
                  checks.more(measured, gaps('views', 'different_class', epochs), pairs)),
      paper.Claim('With random weights all gradients of a class correlate (over 0.9).', '0.99',
                  checks.near(measured, correlation('same_class', first), 1.0, 0.1, pairs)),
      paper.Claim('With random weights those of two classes correlate at -1 / (K - 1) (within '
                  '0.02).', '-0.11 ± 0.01', checks.near(
                      measured, correlation('different_class', first), -1 / (_CLASSES - 1), 0.02,
                      pairs)))
