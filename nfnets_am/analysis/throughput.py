"""How many views a second an update takes, of batches that are there already (Hoffer, Table 5)."""

import time

from etils import epath
import jax
import numpy as np

from nfnets_am.analysis import measures
from nfnets_am.core import errors
from nfnets_am.core import parallel
from nfnets_am.storage import progress as progress_lib
from nfnets_am.training import feed
from nfnets_am.training import run as run_lib
from nfnets_am.training import step as step_lib

# Seconds of every update.
SECONDS = 'seconds.json'


def throughput(*, updates: int = 200, warmup: int = 10) -> measures.Measure:
  """The median of the views a second of single updates, and their standard deviation, ddof 0.

  Each update is waited for: what is measured is the step, and neither the input nor how well the
  two overlap. The batch is the run's first.

  Args:
    updates: that are timed, from 1.
    warmup: before them, the compilation among them; from 1.

  Returns:
    A measure of 'step': 'images_per_second' and 'deviation', of all devices together.

  Raises:
    ConfigError: a value out of its range.
  """
  for key, value in (('updates', updates), ('warmup', warmup)):
    if type(value) is not int or value < 1:
      raise errors.ConfigError(f'throughput has {key}={value!r}; allowed: whole numbers from 1')

  def measure(run: run_lib.Run, folder: epath.Path) -> measures.Found:
    del folder
    seconds = times(run, updates, warmup)
    rates = run.derived.views / seconds
    return ({'step': {'images_per_second': float(np.median(rates)),
                      'deviation': float(np.std(rates))}}, {SECONDS: seconds.tolist()})

  return measure


def times(run: run_lib.Run, updates: int, warmup: int) -> np.ndarray:
  """Returns the seconds of each of so many updates, float64 [updates], after others."""
  train_state = run.start(run.backend)
  step = step_lib.map_train_step(run.experiment, run.backend)
  pool = feed.place_pool(run)
  (batch,) = feed.host_batches(run, 0, 1)
  batch = parallel.shard(
      run.dataset.preparation.pack(batch, jax.local_device_count()), run.backend)
  numbers = jax.jit(run.experiment.numbers)(np.int32(0))
  seconds = []
  progress = progress_lib.Progress(
      updates=warmup + updates, start=0, views=run.derived.views, show=True)
  try:
    for k in range(warmup + updates):
      start = time.perf_counter()
      train_state, metrics = step(train_state, numbers, pool, batch)
      jax.block_until_ready((train_state, metrics))
      seconds.append(time.perf_counter() - start)
      progress.show(k + 1, float(metrics['loss']))
  finally:
    progress.close()
  return np.array(seconds[warmup:])
