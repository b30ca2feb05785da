"""Claims that several figures of Fort et al. 2021 share, in the words of its sections 2 to 4.

Allowances stand in the texts: 'similar' is within 2 points on CIFAR-100 and within 1 on ImageNet,
which is what the test sets can tell apart, 1.3 and 0.6 points, and some; 'converges faster' is
judged at the three shortest budgets, since after long ones every loss is near its least.
"""

from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

from experiments.fort2021 import grids
from nfnets_am.reporting import claims
from nfnets_am.sweeps import paper

DATA = {'wide_resnet': 'CIFAR-100', 'nf_resnet50': 'ImageNet'}
SIMILAR = {'wide_resnet': 2.0, 'nf_resnet50': 1.0}
# Of the budgets of a grid, those at which a convergence is judged.
_SHORT = 3

Where = Mapping[str, Any]
# A model, a regime and a budget in epochs at full scale.
Shown = tuple[str, str, int]


def fewer_epochs(many: Where, one: Where, evidence: str, what: str) -> paper.Claim:
  """Large multiplicities require fewer training epochs to reach optimal performance."""
  return paper.Claim(f'Large multiplicities need fewer epochs to reach their best ({what}).',
                     evidence, claims.best_at('smaller', 'epochs', many, one))


def over_trained(many: Where, one: Where, epochs: int, what: str) -> paper.Claim:
  """They do achieve lower test accuracy for very large epoch budgets (sections 2 to 4)."""
  return paper.Claim(
      f'Large multiplicities have the lower test accuracy at a very large budget ({epochs} epochs, '
      f'{what}).', 'Section 4, on figures 2 to 5',
      claims.worse({**many, 'epochs': epochs}, {**one, 'epochs': epochs}))


def converges_faster(many: Where, one: Where, budgets: Sequence[int], metric: str, evidence: str,
                     subject: str = 'Large multiplicities') -> paper.Claim:
  """Faster convergence on the training set, per epoch."""
  short = {'epochs': tuple(budgets[:_SHORT])}
  return paper.Claim(
      f'{subject} converge faster on the training set (budgets of '
      f'{", ".join(map(str, budgets[:_SHORT]))} epochs).', evidence,
      claims.over({**many, **short}, {**one, **short}, 'epochs', metric))


def similar_at_small(model: str, x: str, where: Where, evidence: str, what: str) -> paper.Claim:
  """Different multiplicities achieve similar test accuracy when x is small."""
  return paper.Claim(
      f'Different multiplicities have similar test accuracy where the {what} is small (the two '
      f'least that all have, within {SIMILAR[model]:g} points).', evidence,
      claims.together('multiplicity', x, where, SIMILAR[model]))


def of_fixed_batch(model: str, scale: str) -> tuple[Where, Where, Where]:
  """Returns the cells of n = 1 and of the largest n at all common budgets, and n = 4's."""
  common = {'model': model, 'epochs': grids.budgets_of(model, scale)}
  one, four, many = ({**common, 'multiplicity': n} for n in (1, 4, grids.many(model, scale)))
  return one, many, four


def of_temperature(scale: str, shown: Sequence[Shown], where: str) -> tuple[paper.Claim, ...]:
  """Returns what figure 7 says of each model, regime and budget."""
  found = []
  for model, regime, budget in shown:
    cells = at(scale, model, regime, budget)
    what = f'{DATA[model]}, {regime} batch, {budget} epochs'
    one, many = ({**cells, 'multiplicity': n} for n in (1, grids.many(model, scale)))
    found += [
        similar_at_small(model, 'temperature', cells, where, f'temperature ({what})'),
        paper.Claim(
            'Large multiplicities are stable at higher temperatures, and better overall '
            f'({what}).', where, claims.all_of(
                claims.stable_to('larger', 'temperature', many, one), claims.better(many, one)))]
  return tuple(found)


def pronounced(scale: str, model: str, epochs: int | None = None) -> paper.Claim:
  """The benefit is particularly pronounced for large batch training."""
  gaps = []
  for regime in ('small', 'large'):
    cells = {**grids.rows(model, regime, scale), **({'epochs': epochs} if epochs else {}),
             'model': model}
    gaps.append(tuple({**cells, 'multiplicity': n} for n in (grids.many(model, scale), 1)))
  return paper.Claim(
      f'The benefit is larger for large batches than for small ones ({DATA[model]}'
      + (f', {epochs} epochs).' if epochs else ').'), 'Sections 1 and 7, figures 4 and 5',
      claims.smaller_gap(*gaps))


def at(scale: str, model: str, regime: str, budget: int) -> dict[str, Any]:
  """Returns what the cells of a plot over the learning rate have."""
  return {'model': model, **grids.rows(model, regime, scale), 'epochs': grids.epochs(budget, scale)}
