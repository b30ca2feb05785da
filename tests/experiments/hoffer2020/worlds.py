"""Runs of Hoffer's experiments from functions of their cells: nothing is trained or read."""

import functools

from nfnets_am.config import cells as cells_lib
from nfnets_am.sweeps import experiment_file
from nfnets_am.sweeps import outcomes
from nfnets_am.sweeps import paper
from nfnets_am.sweeps import reduction
from tests import commands

OUTCOMES = (paper.HOLDS, paper.FAILS, paper.OPEN)
FOLDER = commands.ROOT / 'experiments' / 'hoffer2020'
# Seeds scatter in this pattern, whose mean is 0.
_PATTERN = (0, 1, -1)
_DERIVED = {'views': 64, 'updates': 100, 'epochs': 100, 'updates_per_epoch': 1.0}


@functools.cache
def sweep_of(name):
  """An experiment's sweep at its own scale, made once."""
  return experiment_file.get_sweep(FOLDER / f'{name}.py')


class _Reader:
  """In the place of outcomes.Reader."""

  def __init__(self, world, curve):
    self._world, self._curve = world, curve

  def read(self, run):
    final = self._world(run.cell)
    if final is None:
      return outcomes.RunResult(run.cell, 'missing')
    shift = _PATTERN[run.cell.get('seed', 0)] * 0.001
    found = outcomes.RunResult(run.cell, 'finished', derived=_DERIVED, final={
        key: value if key.endswith(('deviation', 'images')) else value + shift
        for key, value in final.items()})
    found.__dict__['history'] = self._curve(run.cell) if self._curve else {}
    return found


def verdict(name, text, world, curve=None):
  """The outcome of the claim that starts with a text, and ends with what stands behind '...'.

  Args:
    name: of the experiment.
    text: of the claim.
    world: cell -> 'split/key' -> value of its run; None is a run that is missing.
    curve: cell -> 'split/key' -> [(update, value), ...].
  """
  start, _, end = text.partition('...')
  (claim,) = [claim for claim in sweep_of(name).claims
              if claim.text.startswith(start) and claim.text.endswith(end)]
  return claim.check(results(name, world, curve)).outcome


def results(name, world, curve=None):
  """The reduced runs of an experiment in a world."""
  sweep = sweep_of(name)
  runs = [experiment_file.Run(cell, cells_lib.cell_name(cell), (), None) for cell in sweep.cells]
  return reduction.reduce(sweep, runs, _Reader(world, curve))


def accuracies(value, images=10_000, metric='test/top1'):
  """A world of accuracies in percent, a function of the cell; None is missing."""
  def world(cell):
    found = value(cell)
    return None if found is None else {metric: found / 100, 'test/images': images}
  return world
