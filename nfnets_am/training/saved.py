"""A run from its folder: what its config.json builds, and the state of its newest checkpoint."""

import os
from typing import Any

from etils import epath
import ml_collections

from nfnets_am.core import errors
from nfnets_am.storage import checkpoints
from nfnets_am.storage import run_folder
from nfnets_am.training import run as run_lib
from nfnets_am.training import sections
from nfnets_am.training import starts


def config_of(workdir: str | os.PathLike) -> ml_collections.ConfigDict:
  """Returns the config that a folder's run was started with.

  Raises:
    UserError: the folder holds no run.
  """
  folder = epath.Path(workdir)
  flat = run_folder.RunFolder(folder).read('config.json')
  if flat is None or not (folder / 'checkpoints').is_dir():
    raise errors.UserError(f'{folder} holds no run: config.json or checkpoints/ is missing')
  return sections.from_json(flat)


def build(workdir: str | os.PathLike, *, data_dir: str | None = None, batch: int | None = None
          ) -> run_lib.Run:
  """Builds the run of a folder.

  Args:
    workdir: the folder.
    data_dir: where the data set is now, if it moved.
    batch: examples in an evaluation step, instead of the config's.

  Raises:
    UserError: the folder holds no run, or the run cannot be built here.
  """
  config = config_of(workdir)
  if data_dir is not None:
    config.data.data_dir = data_dir
  if batch is not None:
    config.eval_batch = batch
    for name in config.evals:
      config.evals[name].batch = 0
  return run_lib.build(config, begins=False)


def newest(workdir: str | os.PathLike, run: run_lib.Run) -> tuple[int, Any]:
  """Returns the update of the newest checkpoint and its train state, placed on all devices.

  Raises:
    UserError: there is none, or it is damaged.
  """
  store = checkpoints.Checkpoints(epath.Path(workdir) / 'checkpoints', read_only=True)
  update = store.latest()
  if update is None:
    raise errors.UserError(f'{store.folder} holds no finished checkpoint')
  train_state, _ = starts.restore(store, update, run.experiment, run.backend)
  return update, train_state
