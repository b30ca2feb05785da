"""Evaluates the newest checkpoint of a run, raw and averaged, or a weights file without a run.

    python -m nfnets_am.evaluate --workdir=runs/mine --split=test
    python -m nfnets_am.evaluate --weights=F0_haiku.npz --model=nfnet_f0 --data_dir=data
    python -m nfnets_am.evaluate --weights=mine.npz --model='wide_resnet(depth=28)' --data=cifar100
    python -m nfnets_am.evaluate --weights=timm.safetensors --model=resnet152 --alphas=0,0.01,0.1
    python -m nfnets_am.evaluate --weights=F0_haiku.npz --model=nfnet_f0 --images=FOLDER

The images of imagenet2012, and of other sets of encoded images, are cropped to the model's test
size or to --size; those of a set in memory, such as cifar100 or tfds:NAME, are taken as stored.
--images shows the five most probable classes of single pictures, those of ImageNet by their names.
"""

import dataclasses
import json

from absl import flags
import jax
import jax.numpy as jnp
import ml_collections

from nfnets_am import evaluation as evaluation_registry
from nfnets_am import models
from nfnets_am.config import schema
from nfnets_am.core import calls
from nfnets_am.core import cli
from nfnets_am.core import compilation_cache
from nfnets_am.core import errors
from nfnets_am.core import kernels
from nfnets_am.core import parallel
from nfnets_am.core import terminal
from nfnets_am.data import class_names
from nfnets_am.data.memory import sources
from nfnets_am.evaluation import accuracy
from nfnets_am.evaluation import display
from nfnets_am.evaluation import evaluation as evaluation_lib
from nfnets_am.evaluation import evaluator
from nfnets_am.evaluation import example_weighing
from nfnets_am.evaluation import pictures
from nfnets_am.evaluation import predictions
from nfnets_am.models import pretrained
from nfnets_am.models import weights_files
from nfnets_am.training import run as run_lib
from nfnets_am.training import saved

_WORKDIR = flags.DEFINE_string('workdir', None, "A run's folder, or:")
_WEIGHTS = flags.DEFINE_string('weights', None, 'A weights file, see models/weights_files.py.')
_MODEL = flags.DEFINE_string(
    'model', None, "With --weights: the model; with arguments, 'wide_resnet(depth=28, width=10)'.")
_DATA = flags.DEFINE_string('data', None, 'With --weights: the data set; imagenet2012 if not said.')
_SIZE = flags.DEFINE_integer(
    'size', None, "With --weights and encoded images: their side; else the model's test size.",
    lower_bound=1)
_NORMALISE = flags.DEFINE_string(
    'normalise', None, "With --weights: arguments of normalise(), such as 'mean=.5, std=.5'.")
_EVAL_CROP = flags.DEFINE_string(
    'eval_crop', None, 'With --weights and encoded images: see config.data.eval_crop.')
_IMAGES = flags.DEFINE_string(
    'images', None, 'With --weights: a picture, or a folder of them, to name what is in each.')
_NAMES = flags.DEFINE_string(
    'names', None, "With --images: a text file with a class's name in each line; else ImageNet's.")
_SPLIT = flags.DEFINE_enum('split', 'test', ['train', 'validation', 'test'], 'What to evaluate.')
_EVAL = flags.DEFINE_string(
    'eval', None, "One of the run's evaluations by its name, instead of --split; or a call such as "
    'views(flip=True), of the images of --split.')
_ALPHAS = flags.DEFINE_string(
    'alphas', None, "Weights of an example's own statistics in norms, such as '0,0.1,0.5': the "
    'accuracy on --split at each of them.')
_PREDICTIONS = flags.DEFINE_string(
    'predictions', None, 'A .npz file for what is predicted of every image.')
_DATA_DIR = flags.DEFINE_string(
    'data_dir', None, "Where the data set is; by default where the run had it, or TFDS' folder.")
_BATCH = flags.DEFINE_integer(
    'batch', None, 'Images in a step over all devices, instead of eval_batch.', lower_bound=1)


def main() -> None:
  if (_WORKDIR.value is None) == (_WEIGHTS.value is None):
    raise errors.UserError('evaluate takes --workdir=DIR or --weights=FILE, one of the two')
  if _WORKDIR.value is not None:
    # As the run itself evaluates. XLA reads its flags when its backend starts.
    kernels.choose(saved.config_of(_WORKDIR.value).kernels)
  compilation_cache.enable()
  if _WORKDIR.value is not None:
    for flag in (_MODEL, _DATA, _SIZE, _EVAL_CROP, _NORMALISE, _IMAGES, _NAMES):
      if flag.value is not None:
        raise errors.UserError(f'--{flag.name} goes with --weights; a run has its own')
    run = saved.build(_WORKDIR.value, data_dir=_DATA_DIR.value, batch=_BATCH.value)
    evaluation = _evaluation(run)
    update, train_state = saved.newest(_WORKDIR.value, run)
    title, found = f'{_WORKDIR.value}, update {update}', {'update': update}
    weights = evaluator.weights_of(train_state)
  elif _IMAGES.value is not None:
    _see()
    return
  else:
    if _NAMES.value is not None:
      raise errors.UserError('--names goes with --images')
    config = _config_of_weights()
    weights_of = weights_files.read(_WEIGHTS.value)
    run = run_lib.build(config)
    evaluation = _evaluation(run)
    expected = jax.eval_shape(run.experiment.init)
    params, averages = weights_of(run.experiment.model.name, run.experiment.init)
    pretrained.check(params, averages, expected.params, expected.averages,
                     source=f'weights={_WEIGHTS.value!r}')
    title, found = _WEIGHTS.value, {'weights': _WEIGHTS.value}
    weights = {'': parallel.replicate(evaluator.Weights(params, averages))}
  result, predicted = evaluator.Evaluator(
      evaluation, run.experiment.model, run.dataset, backend=run.backend,
      seed=run.seeds.at(evaluation.source, -1)).evaluate(weights)
  counted = evaluation.counted
  display.show(f'{title}, {result[counted]} {counted} of {evaluation.name}', result)
  if _PREDICTIONS.value:
    predictions.write(_PREDICTIONS.value, predicted)
  print(json.dumps({**found, 'split': evaluation.name, **result}))


def _see() -> None:
  """Prints what the network of a weights file sees in each picture."""
  for flag in (_DATA, _EVAL, _ALPHAS, _PREDICTIONS, _DATA_DIR, _BATCH):
    if flag.value is not None:
      raise errors.UserError(f'--{flag.name} goes with a data set; not with --images')
  if _MODEL.value is None:
    raise errors.UserError('--weights needs --model too')
  files = pictures.find(_IMAGES.value)
  names = class_names.imagenet() if _NAMES.value is None else class_names.read(_NAMES.value)
  name, arguments = models.parse(_MODEL.value)
  model = models.create_model(name, len(names), **arguments)
  size = _SIZE.value or model.test_size

  def init():
    params, state = model.init(jax.random.key(0), jnp.zeros((1, size, size, 3)))
    return evaluator.Weights(params, state.averages)

  weights = evaluator.Weights(*weights_files.read(_WEIGHTS.value)(name, init))
  pretrained.check(*weights, *jax.eval_shape(init), source=f'weights={_WEIGHTS.value!r}')
  method = 'resize_crop_32' if _EVAL_CROP.value is None else _EVAL_CROP.value
  for seen in pictures.classify(model, weights, files, size=size, method=method,
                                normalise=f'normalise({_NORMALISE.value or ""})'):
    terminal.say(seen.file)
    for label, probability in zip(seen.labels, seen.probabilities, strict=True):
      terminal.say(f'  {probability:6.1%}  {names[label]}')


def _config_of_weights() -> ml_collections.ConfigDict:
  """Returns the config of a run that is only evaluated."""
  if _MODEL.value is None:
    raise errors.UserError('--weights needs --model too')
  config = schema.get_default()
  config.unique = jax.device_count()
  model, arguments = models.parse(_MODEL.value)
  config.model = ml_collections.ConfigDict({'name': model, **arguments})
  if _BATCH.value is not None:
    config.eval_batch = _BATCH.value
  name, data_dir = _DATA.value or 'imagenet2012', _DATA_DIR.value or ''
  normalise = f'normalise({_NORMALISE.value or ""})'
  if sources.in_memory(name):
    for flag in (_SIZE, _EVAL_CROP):
      if flag.value is not None:
        raise errors.UserError(f'--{flag.name} is for encoded images; {name!r} is taken as stored')
    config.data = ml_collections.ConfigDict(
        {'name': 'memory', 'set': name, 'data_dir': data_dir, 'augment': normalise})
    return config
  size = _SIZE.value or models.create_model(model, 1000, **arguments).test_size
  config.data = ml_collections.ConfigDict(
      {'name': 'stream', 'set': name, 'data_dir': data_dir, 'lanes': 1,
       'augment': f'crop({size}) | {normalise}'})
  if _EVAL_CROP.value is not None:
    config.data.eval_crop = _EVAL_CROP.value
  return config


def _evaluation(run: run_lib.Run) -> evaluation_lib.Evaluation:
  """Returns the run's evaluation that --eval names, or the accuracy on --split."""
  keep, found = bool(_PREDICTIONS.value), accuracy.accuracy()
  if _EVAL.value is not None and _ALPHAS.value is not None:
    raise errors.UserError('evaluate takes --eval or --alphas, one of the two')
  if _EVAL.value is not None and '(' in _EVAL.value:
    found = _called(_EVAL.value)
  elif _EVAL.value is not None:
    own = {one.name: one for one in run.evaluations}
    if _EVAL.value not in own:
      raise errors.UserError(f'eval={_EVAL.value!r}; this run has: {", ".join(own)}')
    return dataclasses.replace(own[_EVAL.value], keep=keep, keep_at=())
  if _SPLIT.value not in run.dataset.splits:
    raise errors.UserError(
        f'split={_SPLIT.value!r}; this run has: {", ".join(run.dataset.splits)}')
  if _ALPHAS.value is not None:
    found = example_weighing.example_weighing(alphas=example_weighing.parse(_ALPHAS.value))
  return evaluation_lib.Evaluation(
      _SPLIT.value, found, _SPLIT.value, every='', batch=run.config.eval_batch, most=0,
      keep=keep)


def _called(text: str) -> evaluation_lib.Evaluate:
  """Returns what a call of one entry of EVALUATIONS evaluates with."""
  found = calls.calls(text, calls.Language('evaluation', 'an evaluation', 'views(flip=True)'))
  if len(found) != 1:
    raise errors.ConfigError(f'--eval={text!r} is {len(found)} calls; allowed: one')
  ((name, keys),) = found
  return evaluation_registry.EVALUATIONS.make(name, **keys)


if __name__ == '__main__':
  cli.run(main)
