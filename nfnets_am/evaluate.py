"""Evaluates the newest checkpoint of a run, raw and averaged, or a weights file without a run.

    python -m nfnets_am.evaluate --workdir=runs/mine --split=test
    python -m nfnets_am.evaluate --weights=F0_haiku.npz --model=nfnet_f0 --data_dir=data

The images of imagenet2012, and of other sets of encoded images, are cropped to the model's test
size or to --size; those of a set in memory, such as cifar100 or tfds:NAME, are taken as stored.
"""

import json

from absl import flags
import jax
import ml_collections
from rich import console
from rich import table

from nfnets_am import models
from nfnets_am.config import schema
from nfnets_am.core import cli
from nfnets_am.core import errors
from nfnets_am.core import parallel
from nfnets_am.data.memory import sources
from nfnets_am.evaluation import evaluator as evaluator_lib
from nfnets_am.models import pretrained
from nfnets_am.training import run as run_lib
from nfnets_am.training import saved

_WORKDIR = flags.DEFINE_string('workdir', None, "A run's folder, or:")
_WEIGHTS = flags.DEFINE_string('weights', None, 'A weights file, see models/pretrained.py.')
_MODEL = flags.DEFINE_string('model', None, 'With --weights: the model.')
_DATA = flags.DEFINE_string('data', None, 'With --weights: the data set; imagenet2012 if not said.')
_SIZE = flags.DEFINE_integer(
    'size', None, "With --weights and encoded images: their side; else the model's test size.",
    lower_bound=1)
_EVAL_CROP = flags.DEFINE_string(
    'eval_crop', None, 'With --weights and encoded images: see config.data.eval_crop.')
_SPLIT = flags.DEFINE_enum('split', 'test', ['train', 'validation', 'test'], 'What to evaluate.')
_DATA_DIR = flags.DEFINE_string(
    'data_dir', None, "Where the data set is; by default where the run had it, or TFDS' folder.")
_BATCH = flags.DEFINE_integer(
    'batch', None, 'Images in a step over all devices, instead of eval.batch.', lower_bound=1)


def main() -> None:
  if (_WORKDIR.value is None) == (_WEIGHTS.value is None):
    raise errors.UserError('evaluate takes --workdir=DIR or --weights=FILE, one of the two')
  if _WORKDIR.value is not None:
    for flag in (_MODEL, _DATA, _SIZE, _EVAL_CROP):
      if flag.value is not None:
        raise errors.UserError(f'--{flag.name} goes with --weights; a run has its own')
    run = saved.build(_WORKDIR.value, data_dir=_DATA_DIR.value, batch=_BATCH.value)
    _check_split(run)
    update, train_state = saved.newest(_WORKDIR.value, run)
    title, found = f'{_WORKDIR.value}, update {update}', {'update': update}
    weights, state = evaluator_lib.weights_of(train_state), train_state.state
  else:
    config = _config_of_weights()
    params, averages = pretrained.load(_WEIGHTS.value)
    run = run_lib.build(config)
    _check_split(run)
    expected = jax.eval_shape(run.experiment.init)
    pretrained.check(params, averages, expected.params, expected.state.averages,
                     source=f'weights={_WEIGHTS.value!r}')
    title, found = _WEIGHTS.value, {'weights': _WEIGHTS.value}
    weights = {'': parallel.replicate(params)}
    state = parallel.replicate(expected.state._replace(averages=averages))
  evaluator = evaluator_lib.Evaluator(
      run.experiment.eval_step, run.dataset, batch=run.derived.eval_batch, backend=run.backend)
  result = evaluator.evaluate(_SPLIT.value, weights, state)
  show(f'{title}, {result["images"]} images of {_SPLIT.value}', result)
  print(json.dumps({**found, 'split': _SPLIT.value, **result}))


def _config_of_weights() -> ml_collections.ConfigDict:
  """Returns the config of a run that is only evaluated."""
  if _MODEL.value is None:
    raise errors.UserError('--weights needs --model too')
  config = schema.get_default()
  config.unique = jax.device_count()
  config.data.name = _DATA.value or 'imagenet2012'
  config.data.data_dir = _DATA_DIR.value or ''
  config.data.augment = 'normalise()'
  config.model.name = _MODEL.value
  if _BATCH.value is not None:
    config.eval.batch = _BATCH.value
  if sources.in_memory(config.data.name):
    for flag in (_SIZE, _EVAL_CROP):
      if flag.value is not None:
        raise errors.UserError(
            f'--{flag.name} is for encoded images; {config.data.name!r} is taken as stored')
    return config
  config.data.crop = config.data.eval_size = (
      _SIZE.value or models.create_model(_MODEL.value, 1000).test_size)
  config.data.lanes = 1
  if _EVAL_CROP.value is not None:
    config.data.eval_crop = _EVAL_CROP.value
  return config


def _check_split(run: run_lib.Run) -> None:
  if _SPLIT.value not in run.dataset.splits:
    raise errors.UserError(
        f'split={_SPLIT.value!r}; this run has: {", ".join(run.dataset.splits)}')


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
  cli.run(main)
