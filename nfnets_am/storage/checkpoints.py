"""Checkpoints with orbax: asynchronous, atomic, the last few and the best one kept.

A checkpoint is the train state and a few numbers of the loop. One that was being written when the
process died leaves a temporary folder, which orbax never reads and the next start removes.
"""

from collections.abc import Sequence
import os
from typing import Any

from absl import logging
from etils import epath
import jax
import orbax.checkpoint as ocp
from orbax.checkpoint import checkpoint_managers

from nfnets_am.core import differences
from nfnets_am.core import errors
from nfnets_am.core import quantities
from nfnets_am.storage import digests
from nfnets_am.storage import leases


def exist(folder: str | os.PathLike) -> bool:
  """Returns whether a folder, which may be missing, holds a finished checkpoint."""
  return (epath.Path(folder).is_dir()
          and Checkpoints(folder, read_only=True).latest() is not None)


class DamagedError(errors.UserError):
  """A checkpoint cannot be read, or holds other arrays than were saved."""


class Checkpoints:
  """The checkpoints of one run; every host calls every method at the same update."""

  def __init__(self, folder: str | os.PathLike, *, keep: int = 1, best: str = '',
               at: Sequence[int] = (), read_only: bool = False):
    """Opens a folder of checkpoints.

    Args:
      folder: made unless `read_only`.
      keep: how many of the last checkpoints stay; at least 1.
      best: an evaluation metric ('test/top1') whose best checkpoint stays too, or ''.
      at: updates whose checkpoints stay too.
      read_only: for evaluation; saves nothing and removes nothing.

    Raises:
      ConfigError: nothing is chosen by a metric like `best`; see quantities.judged.
    """
    low = bool(best) and quantities.judged(best).better == 'low'
    self.folder = epath.Path(folder)
    if leases.is_local(folder):
      self.folder = self.folder.resolve()
    options = {}
    if not read_only:
      policies = [checkpoint_managers.LatestN(keep)]
      if at:
        policies.append(checkpoint_managers.CustomSteps(steps=list(at)))
      if best:
        options = {'best_fn': lambda metrics: metrics[best], 'best_mode': 'min' if low else 'max'}
        policies.append(checkpoint_managers.BestN(
            get_metric_fn=lambda metrics: metrics[best], reverse=low, n=1,
            keep_checkpoints_without_metrics=False))
      options['preservation_policy'] = checkpoint_managers.AnyPreservationPolicy(policies)
    self._best = best
    self._manager = ocp.CheckpointManager(
        self.folder,
        options=ocp.CheckpointManagerOptions(
            create=not read_only, read_only=read_only, cleanup_tmp_directories=not read_only,
            **options),
        item_names=('train_state', 'loop'))

  def latest(self) -> int | None:
    """Returns the update of the newest checkpoint, or None."""
    return self._manager.latest_step()

  def all(self) -> list[int]:
    """Returns the updates of all checkpoints."""
    return sorted(self._manager.all_steps())

  def save(self, update: int, train_state: Any, loop: dict[str, Any],
           metrics: dict[str, float] | None = None) -> None:
    """Starts to save; returns once the state is copied, so that its memory may be reused.

    Args:
      update: updates done.
      train_state: arrays over every device of every host, see parallel.over_all_hosts.
      loop: JSON values.
      metrics: of an evaluation at this update, {'test/top1': 0.9}.

    Raises:
      UserError: this save, or the one before it, failed.
    """
    metrics = metrics if metrics and self._best in metrics else None
    try:
      # Waits for the save before, whose error, if it had one, comes out here.
      self._manager.wait_until_finished()
      self._manager.save(
          update, metrics=metrics,
          args=ocp.args.Composite(
              train_state=ocp.args.StandardSave(train_state),
              loop=ocp.args.JsonSave({**loop, 'digests': digests.of(train_state)})))
    except Exception as e:  # orbax and tensorstore raise many types; all mean that it is not saved.
      raise self._not_saved(e) from e

  def wait(self) -> None:
    """Waits until the last save is on disk.

    Raises:
      UserError: it failed.
    """
    try:
      self._manager.wait_until_finished()
    except Exception as e:
      raise self._not_saved(e) from e

  def restore(self, update: int, abstract_state: Any) -> tuple[Any, dict[str, Any]]:
    """Loads a checkpoint.

    Args:
      update: one of `all()`.
      abstract_state: the train state's shapes, dtypes and shardings, see parallel.shardings.

    Returns:
      The train state, placed on all devices, and the loop's numbers.

    Raises:
      DamagedError: the files are damaged or of another model.
    """
    try:
      restored = self._manager.restore(
          update, args=ocp.args.Composite(
              train_state=ocp.args.StandardRestore(abstract_state), loop=ocp.args.JsonRestore()))
    except Exception as e:
      raise self._damaged(update, self.misfit(update, abstract_state) or _first_line(e)) from e
    state, loop = restored['train_state'], restored['loop']
    saved = loop.pop('digests', None)
    if saved is not None and saved != (found := digests.of(state)):
      wrong = sum(a != b for a, b in zip(saved, found, strict=False))
      raise self._damaged(
          update, f'{wrong} of its {len(saved)} arrays are not what was saved')
    return state, loop

  def misfit(self, update: int, abstract_state: Any) -> str:
    """Says how the arrays of a checkpoint differ from others in name or shape; reads none of them.

    Args:
      update: one of `all()`.
      abstract_state: the shapes that are wanted.

    Returns:
      '' if they do not, or if the checkpoint cannot be read.
    """
    try:
      with ocp.StandardCheckpointer() as reader:
        found = reader.metadata(self.folder / str(update) / 'train_state').item_metadata.tree
    except Exception:  # Damaged; `restore` says how.
      return ''
    return differences.tell(_shapes(found), _shapes(abstract_state))

  def newest(self, abstract_state: Any) -> tuple[int, Any, dict[str, Any]] | None:
    """Loads the newest checkpoint that can be read, removes later ones, and the log says so.

    Args:
      abstract_state: as of `restore`.

    Returns:
      Its update, the state and the loop's numbers; None if there is no checkpoint.

    Raises:
      DamagedError: none of them can be read.
    """
    damaged = []
    for update in reversed(self.all()):
      try:
        found = self.restore(update, abstract_state)
      except DamagedError as e:
        damaged.append((update, e))
        continue
      for later, error in damaged:
        logging.warning('%s; the run goes on from update %d', error, update)
        # Else it could not be saved again.
        self._manager.delete(later)
      return update, *found
    if damaged:
      raise damaged[0][1]
    return None

  def close(self) -> None:
    """Waits for what is being saved and lets the files go."""
    self._manager.close()

  def _damaged(self, update: int, why: str) -> 'DamagedError':
    before = [u for u in self.all() if u < update]
    way_on = f'go on from update {before[-1]}' if before else 'begin again'
    return DamagedError(
        f'the checkpoint {self.folder / str(update)} cannot be read ({why}); remove that folder to '
        f'{way_on}')

  def _not_saved(self, error: Exception) -> errors.UserError:
    kept = ', '.join(map(str, self.all())) or 'none'
    return errors.UserError(
        f'a checkpoint could not be written to {self.folder} ({_first_line(error)}); the good ones '
        f'there are of update {kept}')


def _shapes(tree: Any) -> dict[str, str]:
  """Returns the shapes of a tree by names that do not tell a dict from a tuple with names."""
  return {jax.tree_util.keystr(path, simple=True, separator='/'): str(tuple(leaf.shape))
          for path, leaf in jax.tree_util.tree_leaves_with_path(tree)}


def _first_line(error: Exception) -> str:
  text = str(error).strip().splitlines()
  return (text[0] if text else type(error).__name__)[:200]
