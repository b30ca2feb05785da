"""Plots that several figures of Fort et al. 2021 share."""

from collections.abc import Sequence

from experiments.fort2021 import grids
from nfnets_am.sweeps import paper

_DATA = {'wide_resnet': 'CIFAR-100', 'nf_resnet50': 'ImageNet'}
# A model, a regime and a budget in epochs at full scale.
Shown = tuple[str, str, int]


def by_epochs_and_updates() -> tuple[paper.Panel, ...]:
  """Returns the four plots of figures 4 and 5."""
  return tuple(
      paper.Panel(f'({letter}) {_DATA[model]}: test accuracy by {what}', x, where={'model': model})
      for letter, model, what, x in (
          ('a', 'wide_resnet', 'epoch budget', 'epochs'),
          ('b', 'wide_resnet', 'updates', 'updates'),
          ('c', 'nf_resnet50', 'epoch budget', 'epochs'),
          ('d', 'nf_resnet50', 'updates', 'updates')))


def by_temperature(scale: str, shown: Sequence[Shown]) -> tuple[paper.Panel, ...]:
  """Returns plots over the temperature, one for each model, regime and budget."""
  return tuple(
      paper.Panel(
          f'({letter}) {_DATA[model]}, {regime} batch, {grids.epochs(budget, scale)} epochs',
          'temperature', tuned=False, where=_where(scale, model, regime, budget))
      for letter, (model, regime, budget) in zip('abcd', shown, strict=False))


def _where(scale: str, model: str, regime: str, budget: int) -> dict:
  return {'model': model, **grids.rows(model, regime, scale), 'epochs': grids.epochs(budget, scale)}
