"""Variance between minibatch gradients at initialisation (Fort et al. 2021, appendix A).

Nothing is trained: the gradients of a run's first M updates are taken at its first weights, on the
views that its own pipeline makes, and folded into running moments.
"""

from collections.abc import Sequence
import dataclasses
import os
from typing import Any

import jax
import ml_collections
import numpy as np

from nfnets_am.analysis import moments as moments_lib
from nfnets_am.core import errors
from nfnets_am.core import parallel
from nfnets_am.storage import metrics as metrics_lib
from nfnets_am.storage import progress as progress_lib
from nfnets_am.storage import run_folder
from nfnets_am.sweeps import outcomes
from nfnets_am.sweeps import reduction
from nfnets_am.training import feed
from nfnets_am.training import run as run_lib

# What a cell's folder calls its number, and where it has the mean of every layer.
METRIC = 'init/variance'
LAYERS = 'layers.json'


def measure_cell(config: ml_collections.ConfigDict, path: str | os.PathLike) -> None:
  """Measures a cell into its folder, unless that was done before.

  Raises:
    ConfigError: the config cannot run, has an L2 term, or draws fewer than two minibatches.
  """
  folder = run_folder.RunFolder(path)
  if folder.read(LAYERS) is not None:  # Written last.
    return
  if config.optimizer.l2:
    raise errors.ConfigError(
        f'optimizer.l2={config.optimizer.l2}; allowed: 0, since the variance is that of the loss '
        'without it (Fort et al. 2021, appendix A)')
  run = run_lib.build(config)
  folder.open(config)
  try:
    folder.record_start(dataclasses.asdict(run.derived), 0)
    layers = layer_means(measure(run))
    lines = metrics_lib.MetricsFile(folder.path / 'metrics.jsonl', update=0)
    lines.write({'update': run.derived.updates, 'epochs': run.derived.epochs, 'split': 'init',
                 'variance': float(np.mean(list(layers.values())))})
    lines.close()
    folder.set_status('finished', update=run.derived.updates, updates=run.derived.updates)
    folder.write(LAYERS, layers)
  finally:
    folder.close()


def measure(run: run_lib.Run) -> dict[str, dict[str, np.ndarray]]:
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
  train_state = parallel.replicate(jax.jit(run.experiment.init)(run.weights))
  moments = parallel.replicate(moments_lib.start(train_state.params))

  def add(moments, train_state, pool, batch):
    grads, _, metrics = run.experiment.gradient(train_state, pool, batch)
    return moments_lib.add(moments, grads), metrics['loss']

  add = parallel.map_step(add, run.backend, replicated=3, donate=(0,))
  pool = feed.place_pool(run)
  progress = progress_lib.Progress(
      updates=derived.updates, start=0, views=derived.views, show=True)
  try:
    for k, batch in enumerate(feed.placed_batches(run, 0), 1):
      moments, loss = add(moments, train_state, pool, batch)
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
