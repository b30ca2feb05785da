"""What growing.py has done in processes of its own; arguments are texts, answers are printed."""

import json
import os
import pathlib
import shutil
import time

import ml_collections
import numpy as np

from benchmarks import growing
from experiments import quickstart
from experiments.fort2021 import table1
from nfnets_am.core import parallel
from nfnets_am.data.tools import stand_in
from nfnets_am.storage import checkpoints
from nfnets_am.training import loop
from nfnets_am.training import run as run_lib
from nfnets_am.training import starts
from nfnets_am.training import step as step_lib


def _in_memory(data: str) -> ml_collections.ConfigDict:
  del data  # It is in the repository.
  config = quickstart.get_config(growing.CELL)
  config.budget = growing.BUDGET
  return config


def _streamed(data: str) -> ml_collections.ConfigDict:
  """Table 1's way of an image, with few rows: what may grow with the updates is the subject."""
  config = table1.get_config('multiplicity=2,updates=8,scale=smoke')
  config.views = 4
  config.data.data_dir = data
  config.budget = growing.BUDGET
  return config


_INPUTS = {'in memory': _in_memory, 'streamed': _streamed}


def make_pictures(data: str) -> None:
  """Writes the streamed input's images."""
  stand_in.write(data, name='stand_in', train=64, test=16, shards=4)


def read_input(name: str, data: str, *updates: str) -> None:
  """Reads an input on and on; prints the resident bytes after each of these updates, ascending."""
  run = run_lib.build(_INPUTS[name](data))
  looks = {int(update) for update in updates}
  batches = run.dataset.train_batches(run.plan, run.seeds.augment, 0, max(looks) + 1)
  for update, _ in enumerate(batches, start=1):
    if update in looks:
      with open('/proc/self/statm') as f:
        print(int(f.read().split()[1]) * os.sysconf('SC_PAGE_SIZE'))


def first_batch(data: str, update: str) -> None:
  """Prints the seconds of CPU to the first batch of a streamed input that goes on at an update."""
  run = run_lib.build(_streamed(data))
  begin = lambda start: next(iter(run.dataset.train_batches(
      run.plan, run.seeds.augment, start, run.derived.updates)))
  # TensorFlow's own compilation comes once, and not with the update.
  begin(1)
  began = time.process_time()
  begin(int(update))
  print(time.process_time() - began)


def make_checkpoints(folder: str, first: str, second: str) -> None:
  """Trains a run to an update, and makes of it one that stands at a later update.

  The later one has the weights of the first, its own place in the order of the images, and as many
  lines of metrics as a run writes on the way.
  """
  path = pathlib.Path(folder)
  config = _in_memory('')
  loop.train(config, path / first, until=f'{first} updates')
  shutil.copytree(path / first, path / second)
  run = run_lib.build(config, begins=False)
  store = checkpoints.Checkpoints(path / second / 'checkpoints')
  _, state, numbers = starts.newest(store, run.experiment, run.backend)
  metrics = path / second / 'metrics.jsonl'
  lines = metrics.read_text().splitlines(keepends=True)
  last, every = json.loads(lines[-1]), run.derived.log_every
  lines += [json.dumps({**last, 'update': update, 'epochs': run.derived.epochs_at(update)}) + '\n'
            for update in range(int(first) + every, int(second) + 1, every)]
  metrics.write_text(''.join(lines))
  state = state._replace(update=parallel.replicate(np.asarray(int(second), np.int32)))
  store.save(int(second), parallel.over_all_hosts(state, step_lib.AXES),
             {**numbers, 'lines': len(lines)})
  store.close()
