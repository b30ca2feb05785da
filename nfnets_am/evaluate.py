"""Evaluates the newest checkpoint of a run, with raw and with averaged weights.

    python -m nfnets_am.evaluate --workdir=runs/mine --split=test
"""

import json
import pathlib

from absl import flags
import jax
import ml_collections
from rich import console
from rich import table

from nfnets_am import checkpoints
from nfnets_am import cli
from nfnets_am import config as config_lib
from nfnets_am import errors
from nfnets_am import evaluation
from nfnets_am import run as run_lib
from nfnets_am import run_folder

_WORKDIR = flags.DEFINE_string('workdir', None, "The run's folder.")
_SPLIT = flags.DEFINE_enum('split', 'test', ['train', 'validation', 'test'], 'What to evaluate.')
_DATA_DIR = flags.DEFINE_string('data_dir', None, 'Where the data set is now, if it moved.')


def main() -> None:
  folder = pathlib.Path(_WORKDIR.value)
  saved = run_folder.RunFolder(folder).read('config.json')
  if saved is None or not (folder / 'checkpoints').is_dir():
    raise errors.UserError(f'{folder} holds no run: config.json or checkpoints/ is missing')
  config = config_from(saved)
  if _DATA_DIR.value is not None:
    config.data.data_dir = _DATA_DIR.value
  run = run_lib.build(config)
  if _SPLIT.value not in run.dataset.splits:
    raise errors.UserError(
        f'split={_SPLIT.value!r}; this run has: {", ".join(run.dataset.splits)}')
  store = checkpoints.Checkpoints(folder / 'checkpoints', read_only=True)
  update = store.latest()
  if update is None:
    raise errors.UserError(f'{folder / "checkpoints"} holds no finished checkpoint')
  train_state, _ = store.restore(update, jax.eval_shape(run.experiment.init))
  evaluator = evaluation.Evaluator(
      run.experiment.eval_step, run.dataset, batch=run.derived.eval_batch, backend=run.backend)
  result = evaluator.evaluate(
      _SPLIT.value, evaluation.weights_of(train_state), train_state.state)
  show(f'{folder}, update {update}, {result["images"]} images of {_SPLIT.value}', result)
  print(json.dumps({'update': update, 'split': _SPLIT.value, **result}))


def config_from(flat: dict) -> ml_collections.ConfigDict:
  """Returns the config whose leaves config.json holds."""
  config = config_lib.get_default()
  with config.unlocked():
    for section in ('model', 'loss', 'schedule'):
      config[section] = ml_collections.ConfigDict()
    config.update_from_flattened_dict(
        {key: tuple(value) if isinstance(value, list) else value for key, value in flat.items()
         if value is not None})
  return config


def show(title: str, result: dict[str, float]) -> None:
  """Prints an evaluation: a row of metrics for the raw weights and one for their average."""
  names = [key for key in ('loss', 'top1', 'top5') if key in result]
  rows = table.Table('weights', *names, title=title)
  for label, prefix in (('raw', ''), ('average (EMA)', 'ema_')):
    if prefix + 'loss' in result:
      rows.add_row(label, *(f'{result[prefix + name]:.4f}' if name == 'loss'
                            else f'{100 * result[prefix + name]:.2f}%' for name in names))
  console.Console().print(rows)


if __name__ == '__main__':
  flags.mark_flags_as_required(['workdir'])
  cli.run(main)
