"""The claims of the paper, held against the runs of small.py."""

from collections.abc import Sequence
import dataclasses

import numpy as np

from nfnets_am.sweeps import reduction

ACCURACY, LOSS, VALIDATION = 'test/top1', 'train/loss', 'validation/top1'


@dataclasses.dataclass(frozen=True)
class Difference:
  """A metric of one kind of run less that of another, paired by seed.

  Attributes:
    values: one for each seed that both have.
  """

  values: tuple[float, ...]

  @property
  def mean(self) -> float:
    return float(np.mean(self.values))

  @property
  def error(self) -> float:
    """Standard error of the mean, from the deviation between seeds (ddof 1)."""
    return float(np.std(self.values, ddof=1) / len(self.values) ** 0.5)

  def verdict(self) -> str:
    """Whether it is over 0, by 2 standard errors of 3 seeds or more; of fewer, the signs alone."""
    seeds = len(self.values)
    if not seeds:
      return 'not run'
    if seeds < 3:
      signs = {np.sign(x) for x in self.values}
      side = {1.0: 'for it', -1.0: 'against it'}.get(signs.pop()) if len(signs) == 1 else None
      return f'{side or "undecided"}, {seeds} seed{"s" if seeds > 1 else ""}'
    if abs(self.mean) <= 2 * self.error:
      return 'not resolved'
    return 'holds' if self.mean > 0 else 'does not hold'

  def __str__(self) -> str:
    if not self.values:
      return 'no runs'
    spread = f' ± {100 * self.error:.2f}' if len(self.values) > 1 else ''
    return f'{100 * self.mean:+.2f}{spread} points ({len(self.values)})'


def choose(cells: Sequence[reduction.Cell]) -> list[reduction.Cell]:
  """Returns, of the cells that differ only in the peak, the best by mean validation accuracy.

  Only peaks with the most finished runs stand for choice, so that no single lucky run is chosen. A
  run that never learned counts like any other.
  """
  def score(cell):
    values = [run.final[VALIDATION] for run in cell.runs if VALIDATION in run.final]
    return len(values), float(np.mean(values)) if values else 0.0
  return [max(group, key=score) for group in reduction.groups_of(cells, 'peak')]


def find(cells: Sequence[reduction.Cell], scheme: str, unique: int, n: int, epochs: int
         ) -> reduction.Cell | None:
  """Returns the cell of a kind at a budget, if there is one."""
  wanted = {'scheme': scheme, 'unique': unique, 'multiplicity': n, 'epochs': epochs}
  return next((c for c in cells if wanted.items() <= c.key.items()), None)


def difference(more: reduction.Cell | None, less: reduction.Cell | None, metric: str = ACCURACY
               ) -> Difference:
  """Returns `more` less `less` over the seeds that finished in both."""
  def by_seed(cell):
    return {run.cell['seed']: run.final[metric] for run in (cell.runs if cell else ())
            if metric in run.final}
  a, b = by_seed(more), by_seed(less)
  return Difference(tuple(a[seed] - b[seed] for seed in sorted(a.keys() & b.keys())))


def claims(chosen: Sequence[reduction.Cell], measured: Sequence[Sequence]) -> list[list[str]]:
  """Returns rows: claim, its figure, what is compared here, the difference, whether it holds."""
  def row(claim, figure, compared, more, less, metric=ACCURACY, sign=1):
    found = difference(find(chosen, *more), find(chosen, *less), metric)
    if metric == LOSS:
      text = 'no runs' if not found.values else (
          f'{found.mean:+.4f} nats ({len(found.values)})')
    else:
      text = str(found)
    judged = Difference(tuple(sign * x for x in found.values)).verdict()
    return [claim, figure, compared, text, judged]

  one, two, four = ('within', 64, 1), ('within', 32, 2), ('within', 16, 4)
  growing, neighbouring = ('within', 16, 1), ('neighbouring', 64, 4)
  rows = []
  for epochs in (32, 128, 512):
    rows.append(row('Growing batch: at the same epochs, more views are better', '2a',
                    f'U = 16: n = 4 less n = 1, {epochs} epochs', (*four, epochs),
                    (*growing, epochs)))
  for epochs in (32, 128, 512):
    rows.append(row('Growing batch: at the same epochs, more views fit the training set faster',
                    '2b', f'U = 16: training loss, n = 4 less n = 1, {epochs} epochs',
                    (*four, epochs), (*growing, epochs), LOSS, sign=-1))
  for epochs in (128, 512):
    rows.append(row('Fixed batch: at the same epochs, more views are better', '4a, 5a',
                    f'B = 64: n = 4 less n = 1, {epochs} epochs', (*four, epochs),
                    (*one, epochs)))
  for updates, e1, e2, e4 in ((1000, 128, 64, 32), (4000, 512, 256, 128), (16000, 2048, 0, 512)):
    for n, kind, epochs in ((2, two, e2), (4, four, e4)):
      if epochs:
        rows.append(row('Fixed batch: at the same updates, more views are better, past a budget',
                        '4b, 5b', f'B = 64: n = {n} less n = 1, {updates:,} updates',
                        (*kind, epochs), (*one, e1)))
  for updates, e1, e4 in ((1000, 128, 32), (4000, 512, 128), (16000, 2048, 512)):
    rows.append(row('Fixed batch: at the same updates, fewer views fit the training set faster',
                    '6b', f'B = 64: training loss, n = 4 less n = 1, {updates:,} updates',
                    (*four, e4), (*one, e1), LOSS))
  for updates, e1, e4 in ((1000, 128, 32), (4000, 512, 128)):
    rows.append(row('Neighbouring views help too, for moderate n', '11a',
                    f'B = 64: neighbouring n = 4 less n = 1, {updates:,} updates',
                    (*neighbouring, e4), (*one, e1)))
    rows.append(row('Neighbouring views fit the training set a little faster than within', '11b',
                    f'B = 64: training loss, neighbouring less within, n = 4, {updates:,} updates',
                    (*neighbouring, e4), (*four, e4), LOSS, sign=-1))
  return rows + _of_variance(measured)


def _of_variance(measured: Sequence[Sequence]) -> list[list[str]]:
  """Claims of Figure 9, at the largest n that was measured in each scheme."""
  rows = []
  for scheme, expected, least, most in (
      ('fixed', 'rises with n', 2, np.inf), ('growing', 'does not depend strongly on n', 0.5, 2)):
    values = [row for row in measured[1:] if row[0] == scheme and isinstance(row[5], float)]
    claim = f'Gradient variance at initialisation, {scheme} batch: {expected}'
    if not values:
      rows.append([claim, '9', '', 'no runs', 'not run'])
      continue
    row = max(values, key=lambda row: row[1])
    rows.append([claim, '9', f'n = {row[1]} against n = 1',
                 f'{row[7]:.2f} x ± {row[8]:.2f} ({row[9]})',
                 'holds' if least < row[7] < most else 'does not hold'])
  return rows
