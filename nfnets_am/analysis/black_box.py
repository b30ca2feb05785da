"""Accuracy of runs on images that an attack on another run has made (Summers 2021, table 3.2).

The attacker knows nothing of the target: the source is trained independently, by other seeds, also
where both are of one method (the table's diagonal). Nothing but the runs' folders is read; each
network normalises pixels as it was trained to. Several targets are tested on the same images, which
are made once: a column of the table costs little more than one of its entries.
"""

from collections.abc import Mapping
import functools
from typing import Any

from etils import epath
import jax
import jax.numpy as jnp

from nfnets_am import attacks
from nfnets_am.analysis import measures
from nfnets_am.attacks import attack as attack_lib
from nfnets_am.attacks import crafting
from nfnets_am.config import identity
from nfnets_am.core import errors
from nfnets_am.evaluation import accuracy
from nfnets_am.evaluation import evaluation
from nfnets_am.evaluation import evaluator
from nfnets_am.models import model
from nfnets_am.objectives import classification
from nfnets_am.training import run as run_lib
from nfnets_am.training import saved

# What a cell's folder calls its numbers: 'black_box/top1'.
NAME = 'black_box'


def black_box(*, source: str, target: str | Mapping[str, str], attack: str = 'pgd(steps=10)',
              split: str = 'test', batch: int = 500, most: int = 0) -> measures.Measure:
  """'black_box/top1' and 'black_box/loss' of a target on images that a source's attack has made.

  Args:
    source: folder of a finished run, beside that of the cell or anywhere.
    target: likewise, or name -> folder of several, whose numbers are 'black_box_NAME/top1'. Raw
      weights of all are taken, the source's in the mode of evaluation.
    attack: one of attacks.ATTACKS with its keys.
    split: of the targets' input.
    batch: images in a step over all devices.
    most: steps; 0 is the whole split.

  Raises:
    ConfigError: an attack that cannot be read, no target, or a split that the targets lack.
    UserError: a folder holds no finished run, two runs do not take the same images, or the source
      is a target's own run or shares its first weights.
  """
  made = attacks.parse(attack)
  targets = {NAME: target} if isinstance(target, str) else {
      f'{NAME}_{name}': folder for name, folder in target.items()}
  if not targets:
    raise errors.ConfigError('black_box(target={}); allowed: a folder, or name -> folder')

  def measure(run: run_lib.Run, folder: epath.Path) -> measures.Found:
    # An absolute path stays one.
    folders = {'source': folder.parent / source,
               **{name: folder.parent / path for name, path in targets.items()}}
    runs = {who: measures.finished('source' if who == 'source' else 'target', path)
            for who, path in folders.items()}
    for name in targets:
      _check({'source': runs['source'], 'target': runs[name]},
             {'source': folders['source'], 'target': folders[name]}, split)
    states = {who: saved.newest(path, runs[who])[1] for who, path in folders.items()}
    weights = evaluator.Weights({who: state.params for who, state in states.items()},
                                {who: state.averages for who, state in states.items()})
    first = runs[next(iter(targets))]
    one = evaluation.Evaluation(
        NAME, crafting.OfPixels(functools.partial(_evaluate, made, runs)), split, every='',
        batch=batch, most=most, keep=False)
    found, _ = evaluator.Evaluator(
        one, first.experiment.model, first.dataset, backend=first.backend, seed=run.seeds.attack
    ).evaluate({'': weights})
    images = found.pop('images')
    lines = {name: {'images': images} for name in targets}
    for key, value in found.items():
      name, _, metric = key.rpartition('/')
      lines[name][metric] = value
    return lines, {}

  return measure


def _evaluate(attack: attack_lib.Attack, runs: Mapping[str, run_lib.Run], apply: Any, params: Any,
              state: model.State, rng: jax.Array, batch: Any) -> evaluation.Rows:
  """Scores of each target on images made on the source, as 'target/metric'."""
  del apply, rng
  apply_of = lambda who: crafting.of_pixels(
      runs[who].experiment.model.apply, runs[who].dataset.preparation)
  of = lambda who: (params[who], model.State(state.averages[who], state.carry))
  images = crafting.craft(attack, apply_of('source'), *of('source'), None, batch,
                          classification.targets, model.EVALUATION)
  images = jnp.where(batch['mask'][:, None, None, None] > 0, images, batch['inputs'])
  values = {}
  for who in runs:
    if who != 'source':
      outputs, _ = apply_of(who)(*of(who), None, images, model.EVALUATION)
      scores = accuracy.scores(outputs.logits, batch['label'])
      values |= {f'{who}/{metric}': value for metric, value in scores.items()}
  return values, {}


def _check(runs: dict[str, run_lib.Run], folders: dict[str, epath.Path], split: str) -> None:
  source, target = runs['source'], runs['target']
  if identity.to_json(source.config) == identity.to_json(target.config):
    raise errors.UserError(
        f"the source {folders['source']} is the target's own run; allowed: one that is trained "
        'independently, with another seed')
  if source.seeds.init == target.seeds.init:
    raise errors.UserError(
        f'the source {folders["source"]} and the target {folders["target"]} start from the weights '
        f'of seed {source.seeds.init}; allowed: runs with different seeds')
  sets = [(run.config.data.set, tuple(run.dataset.facts.row_shape), run.dataset.facts.outputs)
          for run in (source, target)]
  if sets[0] != sets[1]:
    raise errors.UserError(
        'the source takes images of {} {} with {} classes, the target of {} {} with {}; allowed: '
        'runs of the same set'.format(*sets[0], *sets[1]))
  if split not in target.dataset.splits:
    raise errors.ConfigError(
        f'split={split!r} of black_box; allowed: {", ".join(target.dataset.splits)}')
