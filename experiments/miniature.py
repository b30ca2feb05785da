"""What the miniatures of papers share: differences between kinds of runs, and whether they hold."""

import dataclasses
import json
import pathlib

import numpy as np

from nfnets_am.sweeps import reduction


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


def difference(more: reduction.Cell | None, less: reduction.Cell | None, metric: str
               ) -> Difference:
  """Returns `more` less `less` over the seeds that finished in both."""
  def by_seed(cell):
    return {run.cell['seed']: run.final[metric] for run in (cell.runs if cell else ())
            if metric in run.final}
  a, b = by_seed(more), by_seed(less)
  return Difference(tuple(a[seed] - b[seed] for seed in sorted(a.keys() & b.keys())))


def commits(workdir: pathlib.Path) -> list[str]:
  """Returns the commits of the starts of a workdir's runs, in order of their first appearance."""
  found: dict[str, None] = {}
  for path in sorted(workdir.glob('*/run.json'), key=lambda path: path.stat().st_mtime):
    for start in json.loads(path.read_text())['starts']:
      commit, _, changes = start['commit'].partition('+')
      found[f'`{commit[:10]}`' + (' with changes' if changes else '')] = None
  return list(found)
