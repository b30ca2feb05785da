"""The claims of the paper, held against the runs of small.py."""

from collections.abc import Sequence

import numpy as np

from experiments import miniature
from nfnets_am.sweeps import differences
from nfnets_am.sweeps import paper
from nfnets_am.sweeps import reduction

ACCURACY, LOSS, VALIDATION = 'test/top1', 'train/loss', 'validation/top1'


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


def claims(chosen: Sequence[reduction.Cell], measured: Sequence[Sequence]) -> list[list[str]]:
  """Returns rows: claim, its figure, what is compared here, then those of miniature.HEADER."""
  def row(claim, figure, compared, more, less, metric=ACCURACY, sign=1):
    return [claim, figure, compared, *miniature.columns(
        miniature.difference(find(chosen, *more), find(chosen, *less), metric), sign)]

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
                    (*four, epochs), (*growing, epochs), LOSS))
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
                    (*four, e4), (*one, e1), LOSS, sign=-1))
  for updates, e1, e4 in ((1000, 128, 32), (4000, 512, 128)):
    rows.append(row('Neighbouring views help too, for moderate n', '11a',
                    f'B = 64: neighbouring n = 4 less n = 1, {updates:,} updates',
                    (*neighbouring, e4), (*one, e1)))
    rows.append(row('Neighbouring views fit the training set a little faster than within', '11b',
                    f'B = 64: training loss, neighbouring less within, n = 4, {updates:,} updates',
                    (*neighbouring, e4), (*four, e4), LOSS))
  return rows + _of_variance(measured)


def _of_variance(measured: Sequence[Sequence]) -> list[list[str]]:
  """Claims of Figure 9, at the largest n that was measured in each scheme."""
  rows = []
  for scheme, expected, least, most in (
      ('fixed', 'rises with n', 1, np.inf),
      ('growing', 'does not depend strongly on n (by less than a factor of 1.5)', 1 / 1.5, 1.5)):
    values = [row for row in measured[1:] if row[0] == scheme and isinstance(row[5], float)]
    claim = f'Gradient variance at initialisation, {scheme} batch: {expected}'
    if not values:
      rows.append([claim, '9', '', 'no runs', '', '', '', '', paper.NOT_RUN])
      continue
    row = max(values, key=lambda row: row[1])
    ratio, error = row[7], row[8] / max(1, row[9] - 1) ** 0.5
    low, high = ratio - 2 * error, ratio + 2 * error
    rows.append([claim, '9', f'n = {row[1]} against n = 1', f'{ratio:.2f} x', str(row[9]),
                 f'{error:.2f}' if row[9] > 1 else 'unknown', 'none',
                 f'{differences.SEEN * error:.2f}' if row[9] > 1 else 'unknown',
                 paper.OPEN if row[9] < 2 or low <= least <= high or low <= most <= high else
                 paper.HOLDS if least < ratio < most else paper.FAILS])
  return rows
