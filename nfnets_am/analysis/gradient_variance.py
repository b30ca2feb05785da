"""Variance between minibatch gradients at initialisation (Fort et al. 2021, appendix A).

Nothing is trained: the gradients of a run's first M updates are taken at its first weights, on the
views that its own pipeline makes, and folded into running moments.
"""

from collections.abc import Sequence
from typing import Any

from etils import epath
import jax
import numpy as np

from nfnets_am.analysis import measures
from nfnets_am.analysis import moments as moments_lib
from nfnets_am.core import errors
from nfnets_am.core import parallel
from nfnets_am.storage import progress as progress_lib
from nfnets_am.sweeps import outcomes
from nfnets_am.sweeps import reduction
from nfnets_am.training import feed
from nfnets_am.training import run as run_lib
from nfnets_am.training import step as step_lib

# What a cell's folder calls its number, and where it has the mean of every layer.
METRIC = 'init/variance'
LAYERS = 'layers.json'


def gradient_variance() -> measures.Measure:
  """The mean over layers of the variance of their gradients, as 'init/variance'.

  SkipInit scalars are layers in 'init/variance_of_all' only.

  Its cells have no penalty, since the variance is that of the loss without it (Fort et al. 2021,
  appendix A), and a budget that says how many minibatches are drawn, at least two.
  """
  return _measure


def _measure(run: run_lib.Run, folder: epath.Path) -> measures.Found:
  del folder
  if run.config.penalty:
    raise errors.ConfigError(
        f"penalty={run.config.penalty!r}; allowed: '', since the variance is that of the loss "
        'without it (Fort et al. 2021, appendix A)')
  found = variance(run)
  layers, every = layer_means(found), layer_means(found, skip_gains=True)
  return {'init': {'variance': _mean(layers), 'variance_of_all': _mean(every)}}, {LAYERS: every}


def _mean(layers: dict[str, float]) -> float:
  return float(np.mean(list(layers.values())))


def variance(run: run_lib.Run) -> dict[str, dict[str, np.ndarray]]:
  """Returns the variance between minibatch gradients of every parameter, at initialisation.

  The gradients are folded into running moments on the device: memory does not grow with their
  number.

  Args:
    run: its updates are the minibatches, M of them; at least 2.

  Returns:
    {module: {name: float32 array like the parameter}}, unbiased (ddof 1).

  Raises:
    ConfigError: M is 1.
  """
  derived = run.derived
  if derived.updates < 2:
    raise errors.ConfigError(
        f'budget is {derived.updates} minibatches; allowed: at least 2, for a variance')
  train_state = run.start(run.backend)
  moments = parallel.replicate(moments_lib.start(train_state.params))

  def add(moments, train_state, numbers, pool, batch):
    grads, _, metrics = run.experiment.update_gradient(train_state, numbers, pool, batch)
    return moments_lib.add(moments, grads), metrics['loss']

  add = parallel.map_step(
      add, run.backend, in_axes=(None, step_lib.AXES, None, None, 0), donate=(0,))
  # Of the first update: no weight and no mask of it changes from minibatch to minibatch.
  numbers = jax.jit(run.experiment.numbers)(train_state.update)
  pool = feed.place_pool(run)
  progress = progress_lib.Progress(
      updates=derived.updates, start=0, views=derived.views, show=True)
  try:
    for k, batch in enumerate(feed.placed_batches(run, 0), 1):
      moments, loss = add(moments, train_state, numbers, pool, batch)
      progress.show(k, float(loss))
  finally:
    progress.close()
  return jax.device_get(moments_lib.variance(moments))


def layer_means(
    variance: dict[str, dict[str, np.ndarray]], skip_gains: bool = False) -> dict[str, float]:
  """Returns the mean over the parameters of each layer; the figure's number is their mean.

  The mean over layers of these, and not over all parameters, of which the wide layers have most.

  Args:
    variance: of every parameter.
    skip_gains: whether the SkipInit scalars count as layers. The paper does not say; a layer here
      is a convolution or linear with its bias. (The convolutions behind a scalar that is still 0
      have no gradient, and count with a variance of 0.)
  """
  layers = {}
  for module, weights in sorted(variance.items()):
    values = [np.ravel(x).astype(np.float64) for name, x in sorted(weights.items())
              if skip_gains or name != 'skip_gain']
    if values:
      layers[module] = float(np.concatenate(values).mean())
  return layers


def rows_of(cells: Sequence[reduction.Cell]) -> list[list[Any]]:
  """Returns the table: a header, and for every cell its numbers over the seeds."""
  rows: list[list[Any]] = [['scheme', 'n', 'unique', 'views', 'minibatches', 'variance', '±',
                            'ratio', '±', 'seeds', 'state']]
  # Of every scheme and seed, the variance at the least n.
  least: dict[tuple[str, int], float] = {}
  for cell in sorted(cells, key=lambda cell: cell.key['multiplicity']):
    for run in _measured(cell):
      least.setdefault((run.derived['scheme'], run.cell['seed']), run.final[METRIC])
  for cell in cells:
    runs = _measured(cell)
    if not runs:
      rows.append([cell.key['scheme'], cell.key['multiplicity'], '', '', '', 'no run', '', '', '',
                   0, cell.state])
      continue
    derived = runs[0].derived
    values = np.array([run.final[METRIC] for run in runs])
    ratios = values / [least[run.derived['scheme'], run.cell['seed']] for run in runs]
    rows.append([
        *(derived[key] for key in ('scheme', 'multiplicity', 'unique', 'views', 'updates')),
        *(float(x) for x in (values.mean(), values.std(), ratios.mean(), ratios.std())),
        len(runs), cell.state])
  return rows


def _measured(cell: reduction.Cell) -> list[outcomes.RunResult]:
  return [run for run in cell.runs if METRIC in run.final]
