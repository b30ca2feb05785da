"""What section 2.4.2 of Summers 2021 says, held against the runs of small.py."""

from collections.abc import Sequence

from experiments import miniature
from experiments.summers2021 import recipes
from nfnets_am.sweeps import reduction

ACCURACY, LOSS, VALIDATION = 'test/top1', 'train/loss', 'validation/top1'
# Claim, better method, worse method.
_BASELINE = recipes.BASELINE
_HARMFUL = ('random_pixels', 'random_elements')
_BEST = ('vh_mixup', 'vh_bc_plus')
_CLAIMS = (
    *(('Mixing is better than the baseline, linear or not', method, _BASELINE)
      for method in recipes.MIXED if method not in _HARMFUL),
    *(('Mixing every pixel by itself is worse than the baseline', _BASELINE, method)
      for method in _HARMFUL),
    # The thesis says it of all others; here stand those next to them in its tables.
    *(('VH-Mixup and VH-BC+ are better than all others', best, other)
      for best in _BEST for other in ('mixup', 'bc_plus', 'mixed_concat', 'random_2x2')),
    *(('Rand. 2x2 is slightly better than mixup and BC+', 'random_2x2', other)
      for other in ('mixup', 'bc_plus')),
    ('Noisy Mixup is not as good as mixup', 'mixup', 'noisy_mixup'),
    ('Rows are better mixed than columns', 'vertical_concat', 'horizontal_concat'),
    ('Rows are better mixed than columns', 'random_rows', 'random_columns'),
    ('Rows are better mixed than columns', 'random_row_interval', 'random_column_interval'),
)


def find(cells: Sequence[reduction.Cell], method: str, peak: float) -> reduction.Cell | None:
  """Returns the cell of a method at a learning rate, if there is one."""
  return next((cell for cell in cells
               if (cell.key['method'], cell.key['peak']) == (method, peak)), None)


def claims(cells: Sequence[reduction.Cell], peak: float) -> list[list[str]]:
  """Returns rows: claim, what is compared here, then those of miniature.HEADER."""
  return [[claim, f'{_title(better)} less {_title(worse)}', *miniature.columns(
      miniature.difference(find(cells, better, peak), find(cells, worse, peak), ACCURACY))]
          for claim, better, worse in _CLAIMS]


def counts(rows: Sequence[Sequence[str]]) -> str:
  """Returns how many rows of `claims` have each verdict: '3 holds, 20 not resolved'."""
  verdicts = [row[-1] for row in rows]
  return ', '.join(f'{verdicts.count(verdict)} {verdict}' for verdict in dict.fromkeys(verdicts))


def _title(method: str) -> str:
  return 'baseline' if method == _BASELINE else recipes.title(method)
