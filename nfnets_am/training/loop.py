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
from nfnets_am.evaluation import predictions
from nfnets_am.optim import asgd
from nfnets_am.storage import checkpoints as checkpoints_lib
from nfnets_am.storage import metrics as metrics_lib
from nfnets_am.storage import progress as progress_lib
from nfnets_am.storage import run_folder
from nfnets_am.storage import sinks as sinks_lib
from nfnets_am.storage.sinks import sink as sink_lib
from nfnets_am.training import feed
from nfnets_am.training import run as run_lib
from nfnets_am.training import sections
from nfnets_am.training import signals
from nfnets_am.training import starts
from nfnets_am.training import step as step_lib
from nfnets_am.training import sums as sums_lib
from nfnets_am.training import warm as warm_lib

# What collectives and the coordination service say when a host does not answer any more.
_LOST = re.compile('gloo|connection (closed|reset|refused)|heartbeat|unavailable|DEADLINE_EXCEEDED',
                   re.IGNORECASE)


def train(config: ml_collections.ConfigDict, workdir: str | os.PathLike, *, until: str = '',
          warm: warm_lib.Warm | None = None, experiment: str = '') -> dict[str, Any]:
  """Trains a run to its end, or from where it stands.

  Args:
    config: see schema.get_default.
    workdir: the run's folder; the same config there resumes.
    until: a duration after which the run is saved and left as 'stopped'; '' goes on to the end. No
      part of what the run is.
    warm: what the runs of this process hand on, if there are several.
    experiment: what sinks call the experiment of which this is a run.

  Returns:
    The status: {'status': 'finished' | 'stopped' | 'diverged', ...}.

  Raises:
    UserError: bad input, or a file that cannot be read or written; status.json says 'failed'.
    LostHostError: another host is gone; status.json says 'stopped'.
  """
  if config.measure:
    raise errors.ConfigError(
        f'measure={config.measure!r}: this is measured and not trained, by '
        'python -m nfnets_am.measure with the same flags')
  sinks_lib.require(config.sinks)
  folder = run_folder.RunFolder(workdir, writer=jax.process_index() == 0)
  begins = not checkpoints_lib.exist(folder.path / 'checkpoints')
  run = run_lib.build(config, begins=begins, warm=warm)
  last = run.derived.interval('until', until) if until else run.derived.updates
  folder.open(run.config, sections.defaults(run.config))
  try:
    status = folder.status()
    if status['status'] in run_folder.DONE:
      return status
    return _Loop(run, folder, last, experiment).run()
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

  def __init__(self, run: run_lib.Run, folder: run_folder.RunFolder, last: int,
               experiment: str):
    self._run = run
    self._experiment = experiment
    self._derived = run.derived
    self._last = min(last, run.derived.updates)
    self._folder = folder
    self._writer = jax.process_index() == 0
    self._checkpoints = checkpoints_lib.Checkpoints(
        folder.path / 'checkpoints', keep=run.config.checkpoint.keep,
        best=run.config.checkpoint.best, at=run.derived.checkpoint_at)
    self._step = run.experiment.compiled_step(run.backend)
    self._numbers = run.experiment.compiled_numbers()
    # Each with the updates after which it is due.
    self._evaluations = [
        (one, run.derived.interval(f'evals.{one.name}.every', one.every),
         evaluator_lib.Evaluator(one, run.experiment.model, run.dataset, backend=run.backend,
                                 seed=run.seeds.at(one.source, -1),
                                 programs=run.experiment.programs))
        for one in run.evaluations]
    # Updates whose predictions stay, by the name of the evaluation.
    self._keep_at = {
        one.name: {run.derived.interval(f'evals.{one.name}.keep_at', text) for text in one.keep_at}
        for one in run.evaluations}
    # Sums over the updates since the last line of training metrics.
    self._sums = sums_lib.Sums()
    # Of metrics, that the checkpoint counts on which this start goes on from.
    self._lines: int | None = None
    self._metrics: metrics_lib.MetricsFile | None = None
    self._sinks: list[Any] = []
    self._progress: progress_lib.Progress | None = None

  def run(self) -> dict[str, Any]:
    """Trains until the end, a signal or a loss that is not finite."""
    train_state, start = self._start()
    derived = self._derived
    self._folder.record_start(dataclasses.asdict(derived), start, parallel.hardware())
    if self._writer:
      run_lib.print_derived(derived)
    self._folder.set_status('running', update=start, updates=derived.updates)
    if self._writer:
      self._metrics = metrics_lib.MetricsFile(
          self._folder.path / 'metrics.jsonl', update=start, lines=self._lines)
      self._sinks.append(self._metrics)
      self._sinks += sinks_lib.open_all(self._run.config.sinks, sink_lib.Facts(
          folder=self._folder, name=self._folder.name, experiment=self._experiment,
          config=self._run.config.to_dict(), update=start))
    self._progress = progress_lib.Progress(
        updates=derived.updates, start=start, views=derived.views, show=self._writer)
    try:
      with signals.StopSignal() as stop:
        status = self._updates(train_state, start, stop)
      self._checkpoints.wait()
      self._checkpoints.close()
      self._folder.set_status(**status)
      return status
    finally:
      self._progress.close()
      for sink in self._sinks:
        sink.close()

  def _start(self) -> tuple[Any, int]:
    """Returns the placed train state and its update: of the newest checkpoint, or the first."""
    found = starts.newest(self._checkpoints, self._run.experiment, self._run.backend)
    if found is None:
      train_state = self._run.start(self._run.backend)
      return train_state, int(train_state.update)
    update, train_state, loop = found
    self._sums, self._lines = sums_lib.Sums(loop['sums']), loop.get('lines')
    return train_state, update

  def _updates(self, train_state: Any, start: int, stop: signals.StopSignal) -> dict[str, Any]:
    """Runs the updates after `start`; returns the status that they end in."""
    derived = self._derived
    if start >= self._last < derived.updates:
      return self._stopped(start, 'until')
    pool = feed.place_pool(self._run)
    batches = feed.placed_batches(self._run, start)
    # The metrics of update k are read while update k + 1 computes: the device never waits for the
    # host, and at most two steps are in flight.
    waiting, evaluated = None, {}
    for update in range(start + 1, derived.updates + 1):
      batch = next(batches)
      numbers = self._numbers(train_state.update)
      train_state, scalars = self._step(train_state, numbers, pool, batch)
      if waiting and not self._count(*waiting):
        return self._diverged(waiting[0])
      waiting = update, scalars
      stopping = stop.requested(update)
      leaving = stopping or update == self._last
      if not (leaving or self._is_due(update)):
        continue
      if not self._count(*waiting):
        return self._diverged(update)
      waiting = None
      train_state, evaluated = self._milestone(update, train_state, leaving)
      if leaving and update < derived.updates:
        return self._stopped(update, 'a signal' if stopping else 'until')
    # What the last update did to the weights, no later loss of training shows. A start that finds
    # all updates done knows of it from what was written.
    for name, loss in (evaluated or self._written(derived.updates)).items():
      if name.endswith('/loss') and not math.isfinite(loss):
        return self._diverged(derived.updates, f'on the split {name.removesuffix("/loss")!r} ')
    return {'status': 'finished', 'update': derived.updates, 'updates': derived.updates}

  def _is_due(self, update: int) -> bool:
    """Whether anything is written after an update."""
    derived = self._derived
    named = update in derived.checkpoint_at or any(update in at for at in self._keep_at.values())
    return named or any(update % every == 0 for every in (
        derived.log_every, derived.checkpoint_every, *(every for _, every, _ in self._evaluations)))

  def _count(self, update: int, scalars: dict[str, jax.Array]) -> bool:
    """Adds an update's metrics to the sums; returns whether its loss is finite."""
    values = {key: float(np.asarray(value)) for key, value in scalars.items()}
    self._sums.add(values)
    self._progress.show(update, values['loss'])
    return math.isfinite(values['loss'])

  def _milestone(self, update: int, train_state: Any, leaving: bool
                 ) -> tuple[Any, dict[str, float]]:
    """Writes what is due after an update: training metrics, a checkpoint, and what it returns.

    Returns:
      The state, which the metric that its optimiser watches may change, and 'NAME/METRIC' -> value
      of the evaluations; {} if none is due.
    """
    derived = self._derived
    last = update == derived.updates
    if last or update % derived.log_every == 0:
      self._write(update, 'train_views', {**self._sums.means(), **self._left_out()})
      self._sums = sums_lib.Sums()
    evaluated = {}
    for one, every, evaluator in self._evaluations:
      if last or update % every == 0 or update in self._keep_at[one.name]:
        found = self._evaluate(update, one, evaluator, train_state)
        watched = found.get(self._run.experiment.watch)
        if watched is not None and update % every == 0:
          train_state = train_state._replace(opt_state=asgd.observe(
              train_state.opt_state, watched, parallel.replicate))
        evaluated |= found
    if last or leaving or update % derived.checkpoint_every == 0 or update in derived.checkpoint_at:
      for sink in self._sinks:
        sink.sync()
      self._checkpoints.save(update, parallel.over_all_hosts(train_state, step_lib.AXES),
                             {'sums': self._sums.state(),
                              'lines': self._metrics.lines if self._metrics else None}, evaluated)
    return train_state, evaluated

  def _evaluate(self, update: int, one: Any, evaluator: evaluator_lib.Evaluator,
                train_state: Any) -> dict[str, float]:
    result, predicted = evaluator.evaluate(evaluator_lib.weights_of(train_state))
    self._write(update, one.name, result)
    self._progress.say(f'update {update}: {one.name} ' + ', '.join(
        f'{key} {value:.4g}' for key, value in result.items()))
    if predicted and self._writer:
      names = [one.name]
      if update in self._keep_at[one.name]:
        names.append(f'{one.name}-{update}')
      for name in names:
        predictions.write(self._folder.path / 'predictions' / f'{name}.npz', predicted)
    return {f'{one.name}/{key}': value for key, value in result.items()}

  def _written(self, update: int) -> dict[str, float]:
    """Returns 'NAME/METRIC' -> value of the evaluations that metrics.jsonl holds for an update."""
    lines = metrics_lib.read_end(self._folder.path / 'metrics.jsonl', update)
    names = {one.name for one, _, _ in self._evaluations}
    return {f'{line["split"]}/{key}': value for line in lines if line['split'] in names
            for key, value in line.items() if isinstance(value, float)}

  def _left_out(self) -> dict[str, int]:
    """Returns how many bad records of the training set are left out, if any are."""
    bad = len(self._run.dataset.bad)
    return {'bad_records': bad} if bad else {}

  def _write(self, update: int, split: str, values: dict[str, float]) -> None:
    line = {'update': update, 'epochs': self._derived.epochs_at(update), 'split': split, **values}
    for sink in self._sinks:
      sink.write(line)

  def _stopped(self, update: int, why: str) -> dict[str, Any]:
    return {'status': 'stopped', 'update': update, 'updates': self._derived.updates,
            'reason': f'{why}; the same command goes on'}

  def _diverged(self, update: int, where: str = '') -> dict[str, Any]:
    return {'status': 'diverged', 'update': update, 'updates': self._derived.updates,
            'reason': f'the loss {where}of update {update} is not finite'}
