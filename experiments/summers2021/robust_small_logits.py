"""What the kept logits of robust_small.py say: histograms, and attacks image by image."""

from collections.abc import Mapping
from collections.abc import Sequence
import dataclasses
import math
import os

import numpy as np

from experiments.summers2021 import robust_small_claims
from nfnets_am.analysis import logits as logits_lib
from nfnets_am.core import errors
from nfnets_am.evaluation import predictions
from nfnets_am.reporting import evidence
from nfnets_am.reporting.claims import judging
from nfnets_am.sweeps import differences
from nfnets_am.sweeps import paper
from nfnets_am.sweeps import reduction

# Attack -> what the page calls it; each is kept of the first images, PGD-20 of all.
STRONG = {'pgd100': 'PGD, 100 steps', 'restarts': 'PGD, 5 x 20 steps', 'spsa': 'SPSA'}
_WEAK = 'pgd20'
# Twice the error of a difference is what may be chance; a network loses "most" of its robustness
# where less than this is left of it.
_MOST = 0.5


def kept(cell: reduction.Cell | None, name: str) -> list[predictions.Predictions]:
  """Returns the predictions of a cell's finished runs under an evaluation, by their seeds."""
  found = []
  for run in cell.runs if cell else ():
    path = os.path.join(run.folder, 'predictions', f'{name}.npz')
    if run.status == 'finished' and run.folder and os.path.exists(path):
      found.append(predictions.read(path))
  return found


def cell_of(results: reduction.Results, method: str) -> reduction.Cell | None:
  """Returns the cell of a method's own runs, if there is one."""
  return next(iter(results.matching(robust_small_claims.of(method))), None)


@dataclasses.dataclass(frozen=True)
class Held:
  """A strong attack against PGD-20, on the same images and networks.

  Attributes:
    strong, weak: accuracies, means over networks.
    error: of their difference, over images: each is counted once, with the mean of the networks.
    images, networks: how many.
  """

  strong: float
  weak: float
  error: float
  images: int
  networks: int

  @property
  def difference(self) -> differences.Difference:
    """What the strong attack finds more; over 0 is what one expects of it."""
    return differences.Difference(
        self.weak - self.strong, None, self.error, self.networks, 'pgd20/top1')


def hold(strong: Sequence[Mapping[str, np.ndarray]], weak: Sequence[Mapping[str, np.ndarray]]
         ) -> Held | None:
  """Compares two attacks on the images that both have met, the first ones of the split.

  Args:
    strong, weak: of each network, 'label' [N] and 'logits' [N, K]; N may differ.

  Raises:
    UserError: the two have not met the same images.
  """
  if not strong or len(strong) != len(weak):
    return None
  gaps, accuracies = [], []
  for a, b in zip(strong, weak, strict=True):
    count = min(len(a['label']), len(b['label']))
    if (a['label'][:count] != b['label'][:count]).any():
      raise errors.UserError('two attacks of a run were made on different images')
    hits = [(one['logits'][:count].argmax(1) == one['label'][:count]).astype(float)
            for one in (a, b)]
    gaps.append(hits[1] - hits[0])
    accuracies.append([one.mean() for one in hits])
  by_image = np.mean(gaps, axis=0)
  mean = np.mean(accuracies, axis=0)
  return Held(float(mean[0]), float(mean[1]), float(by_image.std() / math.sqrt(len(by_image))),
              len(by_image), len(gaps))


def strong_rows(results: reduction.Results) -> list[list[str]]:
  """Returns rows: method, attack, images, accuracy under PGD-20 and it, difference, error, verdict.
  """
  rows = []
  for method in robust_small_claims.METHODS:
    cell = cell_of(results, method)
    for attack, title in STRONG.items():
      found = hold(kept(cell, attack), kept(cell, _WEAK))
      if found is None:
        rows.append([method, title, 'no run', '', '', '', '', paper.NOT_RUN])
        continue
      weaker = found.difference.side < 0
      rows.append([method, title, f'{found.images} x {found.networks}', f'{100 * found.weak:.2f}%',
                   f'{100 * found.strong:.2f}%', f'{100 * (found.strong - found.weak):+.2f}',
                   f'{100 * found.error:.2f}', 'weaker' if weaker else 'not weaker'])
  return rows


def logit_rows(results: reduction.Results) -> list[list[str]]:
  """Returns rows: method, variance and spread on clean images, then on those of PGD-20."""
  rows = []
  for method in robust_small_claims.METHODS:
    cell, row = cell_of(results, method), [method]
    for name in ('test', _WEAK):
      for measure in (logits_lib.variance, logits_lib.spread):
        values = [measure(one['logits']) for one in kept(cell, name)]
        row.append(f'{np.mean(values):.3g} ± {np.std(values):.2g}' if values else 'no run')
    rows.append(row)
  return rows


def claim_rows(results: reduction.Results) -> list[tuple[str, ...]]:
  """Returns rows like those of comparison.claim_rows, of statements about logits and attacks."""
  less = lambda text, printed, measure, a, b: _row(
      text, printed, *_less(results, measure, a, b))
  rows = [
      less('Logits of ALP have less variance than those of PGD-based training.', '4.02 and 8.31',
           logits_lib.variance, 'alp', 'pgd'),
      less('Logits of label smoothing lie in a far smaller range than those of regular training.',
           '1.2 and 20', logits_lib.spread, 'label_smoothing', 'regular')]
  for method in robust_small_claims.METHODS[1:]:
    cell = cell_of(results, method)
    found = hold(kept(cell, 'pgd100'), kept(cell, _WEAK))
    lost = method == 'label_smoothing'
    rows.append(_row(
        f'From 20 steps to very many {method} loses '
        + ('most of its robustness.' if lost else 'next to nothing (2 points at most).'),
        '34.4 to 7.2' if lost else 'by 0.2 points at most', *_loses(found, lost)))
  return rows


def _row(text: str, printed: str, ours: str, found: differences.Difference | None
         ) -> tuple[str, ...]:
  outcome = judging.of_side(found, '').outcome if found else paper.NOT_RUN
  return (text, printed, ours, *evidence.columns(found), outcome)


def _less(results, measure, a, b):
  values = [[measure(one['logits']) for one in kept(cell_of(results, method), 'test')]
            for method in (a, b)]
  if not all(values):
    return 'no run', None
  parts = [differences.Difference(
      float(np.mean(x)), float(np.std(x, ddof=1) / math.sqrt(len(x))) if len(x) > 1 else None,
      0.0, len(x), 'clean/variance') for x in values]
  return (f'{parts[0].value:.3g} of {a}, {parts[1].value:.3g} of {b}',
          differences.weighted(((-1, parts[0]), (1, parts[1]))))


def _loses(found, most):
  if found is None:
    return 'no run', None
  lost = found.difference
  judged = (dataclasses.replace(lost, value=lost.value - _MOST * found.weak) if most
            else dataclasses.replace(lost, value=0.02 - lost.value))
  return (f'{100 * found.weak:.2f}% and {100 * found.strong:.2f}% on the same {found.images} '
          'images', judged)
