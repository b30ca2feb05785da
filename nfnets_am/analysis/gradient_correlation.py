"""Correlation of the gradients of two images (Hoffer et al. 2020, Table 1).

Views of one image are alike in what they say of the weights, at first: the less their gradients
correlate, the more an update gains from having several of them.
"""

from collections.abc import Mapping
from typing import Any

from etils import epath
import jax
import jax.numpy as jnp
import numpy as np

from nfnets_am.analysis import measures
from nfnets_am.core import errors
from nfnets_am.data.memory import input as memory_input
from nfnets_am.models import model as model_lib
from nfnets_am.storage import checkpoints
from nfnets_am.training import feed
from nfnets_am.training import loop
from nfnets_am.training import run as run_lib
from nfnets_am.training import starts

MODES = ('evaluation', 'training')
# Every pair, for pictures; and the folder of the run whose states are compared.
PAIRS = 'correlations.json'
_TRAINING = 'training'


def gradient_correlation(*, pairs: int = 100, epochs: tuple[int, ...] = (), without: str = '',
                         mode: str = 'evaluation', seed: int = 0) -> measures.Measure:
  """Medians of Pearson's correlation, over pairs of images, of all weights' gradients.

  A gradient is that of the cross-entropy of one image, a view what the run's `data.augment` makes.

  Args:
    pairs: of each kind, from 2; as many training images are needed.
    epochs: at which states; 0 is the one that the run starts from. For others the run is trained
      first, in the folder 'training' of the cell, as far as its budget goes. () is the start alone.
    without: name of an op, such as 'cutout', that further views are made without; '' makes none.
    mode: how norms over the batch see one image: 'evaluation', by moving statistics, or 'training',
      by its own. The paper does not say.
    seed: of the choice of pairs.

  Returns:
    A measure of 'views' (an image and a view of it), 'same_class' and 'different_class' (two images
    without augmentation), and 'views_without': each 'correlation', the median, and 'deviation',
    ddof 0. With `epochs` the names end with the epoch, 'views_5'.

  Raises:
    ConfigError: a value out of its range.
  """
  if type(pairs) is not int or pairs < 2:
    raise errors.ConfigError(
        f'gradient_correlation has pairs={pairs!r}; allowed: whole numbers from 2')
  if mode not in MODES:
    raise errors.ConfigError(
        f'gradient_correlation has mode={mode!r}; allowed: {", ".join(MODES)}')
  if not all(type(epoch) is int and epoch >= 0 for epoch in epochs):
    raise errors.ConfigError(
        f'gradient_correlation has epochs={epochs!r}; allowed: whole numbers from 0')

  def measure(run: run_lib.Run, folder: epath.Path) -> measures.Found:
    ways = {'views': run, **({'views_without': _without(run, without)} if without else {})}
    if any(epochs):
      _train(run, folder / _TRAINING, epochs)
    lines, every = {}, {}
    for epoch in epochs or (0,):
      state = _state(run, folder / _TRAINING, epoch)
      for kind, values in correlations(ways, state, pairs, mode == 'training', seed).items():
        name = f'{kind}_{epoch}' if epochs else kind
        lines[name] = {'correlation': float(np.median(values)), 'deviation': float(np.std(values))}
        every[name] = values.tolist()
    return lines, {PAIRS: every}

  return measure


def _without(run: run_lib.Run, name: str) -> run_lib.Run:
  """Returns the run with an op left out of its augmentation."""
  config = run.config.copy_and_resolve_references()
  calls = config.data.augment.split(' | ')
  kept = [call for call in calls if call.partition('(')[0] != name]
  if len(kept) == len(calls):
    raise errors.ConfigError(
        f'gradient_correlation has without={name!r}; allowed: an op of {config.data.augment!r}')
  config.data.augment = ' | '.join(kept)
  return run_lib.build(config)


def _train(run: run_lib.Run, folder: epath.Path, epochs: tuple[int, ...]) -> None:
  """Trains the run, or goes on; its checkpoints at the epochs stay."""
  config = run.config.copy_and_resolve_references()
  config.measure = ''
  config.checkpoint.at = tuple(f'{epoch} epochs' for epoch in epochs if epoch)
  status = loop.train(config, folder)
  if status['status'] == 'stopped':
    raise measures.StoppedError(status.get('reason', ''))
  if status['status'] != 'finished':
    raise errors.UserError(f'the training in {folder} has {status["status"]}, and no gradients '
                           'can be compared; allowed: a run that finishes')


def _state(run: run_lib.Run, folder: epath.Path, epoch: int) -> Any:
  """Returns the train state at an epoch, on the host."""
  if not epoch:
    return jax.device_get(run.start(run.backend))
  store = checkpoints.Checkpoints(folder / 'checkpoints', read_only=True)
  update = run.derived.interval('epochs', f'{epoch} epochs')
  if update not in store.all():
    raise errors.ConfigError(
        f'gradient_correlation has epochs with {epoch}, of which {folder} holds no checkpoint; '
        f'allowed: epochs within the budget, {run.config.budget}')
  return jax.device_get(starts.restore(store, update, run.experiment, run.backend)[0])


def correlations(ways: Mapping[str, run_lib.Run], state: Any, pairs: int, is_training: bool,
                 seed: int) -> dict[str, np.ndarray]:
  """Returns kind of pair -> float32 [pairs]; see `gradient_correlation`.

  Args:
    ways: 'views' and perhaps others -> a run whose augmentation makes them.
    state: the train state whose gradients are taken, on the host.
    pairs: of each kind.
    is_training: mode of the network.
    seed: of the choice of pairs.

  Raises:
    ConfigError: the set is streamed, so that its images cannot be chosen by class; it has too few
      images; or a class has a single image.
  """
  run = ways['views']
  if not isinstance(run.dataset, memory_input.MemoryInput):
    raise errors.ConfigError(
        f'data.set={run.dataset.name!r} is streamed; allowed: sets in memory, whose images can be '
        'chosen by their class')
  image, label = run.dataset.splits['train']
  if len(label) < pairs:
    raise errors.ConfigError(f'pairs={pairs} of {len(label)} training images; allowed: as many')
  preparation = run.dataset.preparation
  rng = np.random.default_rng(seed)
  of_pair = jax.jit(_pairs(run, is_training))

  def correlation(a: Mapping[str, Any], b: Mapping[str, Any]) -> np.ndarray:
    return np.asarray(of_pair(state.params, state.averages, a, b))

  def stored(index: np.ndarray) -> dict[str, Any]:
    rows = preparation.prepare_stored({'image': image[index], 'label': label[index]})
    return {key: rows[key] for key in ('inputs', 'label')}

  first, second = (np.array(x) for x in zip(*(
      _same_class(rng, label) for _ in range(pairs)), strict=True))
  other, different = (np.array(x) for x in zip(*(
      _different_class(rng, label) for _ in range(pairs)), strict=True))
  found = {}
  for kind, way in ways.items():
    example, views = _views(way, pairs)
    found[kind] = correlation(stored(example), views)
  return {**found,
          'same_class': correlation(stored(first), stored(second)),
          'different_class': correlation(stored(other), stored(different))}


def _pairs(run: run_lib.Run, is_training: bool):
  """(params, averages, rows of N images, rows of N others) -> float32 [N]."""
  mode = model_lib.Mode(is_training)

  def loss(params, averages, inputs, label, rng):
    outputs, _ = run.experiment.model.apply(
        params, model_lib.State(averages, run.experiment.model.init_carry(1)), rng, inputs[None],
        mode)
    return -jax.nn.log_softmax(outputs.logits[0])[label]

  def centred(params, averages, inputs, label, rng):
    gradient = jax.grad(loss)(params, averages, inputs, label, rng)
    flat = jnp.concatenate([x.reshape(-1) for x in jax.tree.leaves(gradient)])
    return flat - flat.mean()

  def of_one(params, averages, a, b, rng):
    keys = jax.random.split(rng)
    x, y = (centred(params, averages, rows['inputs'], rows['label'], key)
            for rows, key in zip((a, b), keys, strict=True))
    # NaN where all weights have the same gradient: where there is none to correlate.
    return x @ y / (jnp.linalg.norm(x) * jnp.linalg.norm(y))

  def of_all(params, averages, a, b):
    rngs = jax.random.split(jax.random.key(run.seeds.noise), len(a['label']))
    # One pair after another: a gradient is as large as the network.
    return jax.lax.map(lambda pair: of_one(params, averages, *pair), (a, b, rngs))

  return of_all


def _views(run: run_lib.Run, pairs: int) -> tuple[np.ndarray, dict[str, Any]]:
  """The numbers of the first images of the run's updates, and a view of each."""
  preparation = run.dataset.preparation
  prepare = jax.jit(preparation.prepare)
  examples, rows = np.zeros(0, np.int32), []
  needed = -(-pairs // max(run.derived.unique, 1))
  for batch in feed.host_batches(run, 0, needed):
    made = prepare(run.dataset.pool, preparation.pack(batch, 1))
    # One view of each image.
    _, first = np.unique(batch['example'], return_index=True)
    examples = np.concatenate([examples, batch['example'][first]])
    rows.append({key: np.asarray(made[key])[first] for key in ('inputs', 'label')})
  every = jax.tree.map(lambda *x: np.concatenate(x)[:pairs], *rows)
  return examples[:pairs], every


def _same_class(rng: np.random.Generator, label: np.ndarray) -> tuple[int, int]:
  first = rng.integers(len(label))
  others = np.flatnonzero(label == label[first])
  if len(others) < 2:
    raise errors.ConfigError(
        f'class {label[first]} has a single training image; allowed: two or more, for a pair')
  second = others[rng.integers(len(others) - 1)]
  return first, (second if second != first else others[-1])


def _different_class(rng: np.random.Generator, label: np.ndarray) -> tuple[int, int]:
  first = rng.integers(len(label))
  others = np.flatnonzero(label != label[first])
  return first, others[rng.integers(len(others))]
