"""One run from start to end: input, step, metrics, checkpoint, evaluation; start, resume, stop.

Interrupted equals uninterrupted, bit for bit. What the run is at an update is in the checkpoint of
that update and in the lines of metrics.jsonl up to it: the lines are on disk before the checkpoint
is, and a restart cuts off those that are later than its checkpoint.
"""

import dataclasses
import math
import os
import re
from typing import Any

import jax
import ml_collections
import numpy as np

from nfnets_am.core import errors
from nfnets_am.core import parallel
from nfnets_am.evaluation import evaluator as evaluator_lib
from nfnets_am.storage import checkpoints as checkpoints_lib
from nfnets_am.storage import metrics as metrics_lib
from nfnets_am.storage import progress as progress_lib
from nfnets_am.storage import run_folder
from nfnets_am.training import feed
from nfnets_am.training import run as run_lib
from nfnets_am.training import signals

# What collectives and the coordination service say when a host does not answer any more.
_LOST = re.compile('gloo|connection (closed|reset|refused)|heartbeat|unavailable|DEADLINE_EXCEEDED',
                   re.IGNORECASE)


def train(config: ml_collections.ConfigDict, workdir: str | os.PathLike) -> dict[str, Any]:
  """Trains a run to its end, or from where it stands.

  Args:
    config: see config.get_default.
    workdir: the run's folder; the same config there resumes.

  Returns:
    The status: {'status': 'finished' | 'stopped' | 'diverged', ...}.

  Raises:
    UserError: bad input, or a file that cannot be read or written; status.json says 'failed'.
    LostHostError: another host is gone; status.json says 'stopped'.
  """
  folder = run_folder.RunFolder(workdir, writer=jax.process_index() == 0)
  run = run_lib.build(config, begins=not checkpoints_lib.exist(folder.path / 'checkpoints'))
  folder.open(config)
  try:
    status = folder.status()
    if status['status'] in run_folder.DONE:
      return status
    return _Loop(run, folder).run()
  except Exception as e:
    if jax.process_count() > 1 and _LOST.search(str(e)):
      reason = f'another host is gone ({str(e).strip().splitlines()[0][:200]})'
      folder.set_status('stopped', reason=reason)
      raise errors.LostHostError(f'{reason}; the same command on all hosts goes on') from e
    try:
      folder.set_status('failed', reason=str(e) or type(e).__name__)
    except errors.UserError:
      pass  # A full disk: the first error says so.
    raise
  finally:
    folder.close()


class _Loop:
  """The moving parts of one start of a run."""

  def __init__(self, run: run_lib.Run, folder: run_folder.RunFolder):
    self._run = run
    self._derived = run.derived
    self._folder = folder
    self._writer = jax.process_index() == 0
    self._checkpoints = checkpoints_lib.Checkpoints(
        folder.path / 'checkpoints', keep=run.keep, best=run.best)
    self._step = parallel.map_step(
        run.experiment.train_step, run.backend, replicated=2, donate=(0,))
    self._evaluator = evaluator_lib.Evaluator(
        run.experiment.eval_step, run.dataset, batch=run.derived.eval_batch, backend=run.backend)
    # Sums over the updates since the last line of training metrics.
    self._sums: dict[str, float] = {}
    self._sinks: list[Any] = []
    self._progress: progress_lib.Progress | None = None

  def run(self) -> dict[str, Any]:
    """Trains until the end, a signal or a loss that is not finite."""
    train_state, start = self._start()
    derived = self._derived
    self._folder.record_start(dataclasses.asdict(derived), start)
    if self._writer:
      run_lib.print_derived(derived)
    self._folder.set_status('running', update=start, updates=derived.updates)
    if self._writer:
      self._sinks.append(metrics_lib.MetricsFile(self._folder.path / 'metrics.jsonl', update=start))
      if self._run.tensorboard:
        self._sinks.append(metrics_lib.TensorBoard(self._folder.path / 'tensorboard', update=start))
    self._progress = progress_lib.Progress(
        updates=derived.updates, start=start, views=derived.views, show=self._writer)
    try:
      with signals.StopSignal() as stop:
        status = self._updates(train_state, start, stop)
      self._checkpoints.wait()
      self._folder.set_status(**status)
      return status
    finally:
      self._progress.close()
      for sink in self._sinks:
        sink.close()

  def _start(self) -> tuple[Any, int]:
    """Returns the placed train state and its update: of the newest checkpoint, or the first."""
    init = self._run.experiment.init
    update = self._checkpoints.latest()
    if update is None:
      return parallel.replicate(jax.jit(init)(self._run.weights)), 0
    train_state, loop = self._checkpoints.restore(update, jax.eval_shape(init))
    self._sums = loop['sums']
    return train_state, update

  def _updates(self, train_state: Any, start: int, stop: signals.StopSignal) -> dict[str, Any]:
    """Runs the updates after `start`; returns the status that they end in."""
    derived = self._derived
    pool = feed.place_pool(self._run)
    batches = feed.placed_batches(self._run, start)
    # The metrics of update k are read while update k + 1 computes: the device never waits for the
    # host, and at most two steps are in flight.
    waiting, evaluated = None, {}
    for update in range(start + 1, derived.updates + 1):
      batch = next(batches)
      train_state, scalars = self._step(train_state, pool, batch)
      if waiting and not self._count(*waiting):
        return self._diverged(waiting[0])
      waiting = update, scalars
      stopping = stop.requested(update)
      at_end = stopping or update == derived.updates
      if not (at_end or any(update % every == 0 for every in (
          derived.log_every, derived.eval_every, derived.checkpoint_every))):
        continue
      if not self._count(*waiting):
        return self._diverged(update)
      waiting = None
      evaluated = self._milestone(update, train_state, stopping)
      if stopping and update < derived.updates:
        return {'status': 'stopped', 'update': update, 'updates': derived.updates,
                'reason': 'a signal; the same command goes on'}
    # What the last update did to the weights, no later loss of training shows.
    for split in self._run.eval_splits:
      if not math.isfinite(evaluated.get(f'{split}/loss', 0.0)):
        return self._diverged(derived.updates, f'on the split {split!r} ')
    return {'status': 'finished', 'update': derived.updates, 'updates': derived.updates}

  def _count(self, update: int, scalars: dict[str, jax.Array]) -> bool:
    """Adds an update's metrics to the sums; returns whether its loss is finite."""
    values = {key: float(np.asarray(value)) for key, value in scalars.items()}
    self._sums['updates'] = self._sums.get('updates', 0) + 1
    for key in ('loss', 'top1'):
      self._sums[key] = self._sums.get(key, 0.0) + values[key]
    self._sums['learning_rate'] = values['learning_rate']
    self._progress.show(update, values['loss'])
    return math.isfinite(values['loss'])

  def _milestone(self, update: int, train_state: Any, stopping: bool) -> dict[str, float]:
    """Writes what is due after an update: training metrics, a checkpoint, and what it returns.

    Returns:
      'SPLIT/METRIC' -> value of the evaluation; {} if none is due.
    """
    derived = self._derived
    last = update == derived.updates
    if last or update % derived.log_every == 0:
      updates = self._sums['updates']
      self._write(update, 'train_views', {
          'loss': self._sums['loss'] / updates, 'top1': self._sums['top1'] / updates,
          'learning_rate': self._sums['learning_rate'], **self._left_out()})
      self._sums = {}
    evaluated = {}
    if last or update % derived.eval_every == 0:
      for split in self._run.eval_splits:
        result = self._evaluator.evaluate(
            split, evaluator_lib.weights_of(train_state), train_state.state)
        self._write(update, split, result)
        evaluated.update({f'{split}/{key}': value for key, value in result.items()})
        self._progress.say(f'update {update}: {split} ' + ', '.join(
            f'{key} {value:.4g}' for key, value in result.items()))
    if last or stopping or update % derived.checkpoint_every == 0:
      for sink in self._sinks:
        sink.sync()
      self._checkpoints.save(update, train_state, {'sums': self._sums}, evaluated)
    return evaluated

  def _left_out(self) -> dict[str, int]:
    """Returns how many bad records of the training set are left out, if any are."""
    bad = len(self._run.dataset.bad)
    return {'bad_records': bad} if bad else {}

  def _write(self, update: int, split: str, values: dict[str, float]) -> None:
    line = {'update': update, 'epochs': self._derived.epochs_at(update), 'split': split, **values}
    for sink in self._sinks:
      sink.write(line)

  def _diverged(self, update: int, where: str = '') -> dict[str, Any]:
    return {'status': 'diverged', 'update': update, 'updates': self._derived.updates,
            'reason': f'the loss {where}of update {update} is not finite'}
