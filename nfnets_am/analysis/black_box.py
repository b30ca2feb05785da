"""Accuracy of a run on images that an attack on another run has made (Summers 2021, table 3.2).

The attacker knows nothing of the target: the source is trained independently, by other seeds, also
where both are of one method (the table's diagonal). Nothing but the two runs' folders is read; each
network normalises pixels as it was trained to.
"""

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


def black_box(*, source: str, target: str, attack: str = 'pgd(steps=10)', split: str = 'test',
              batch: int = 500, most: int = 0) -> measures.Measure:
  """'black_box/top1' and 'black_box/loss' of a target on images that a source's attack has made.

  Args:
    source: folder of a finished run, beside that of the cell or anywhere.
    target: likewise; raw weights of both are taken, the source's in the mode of evaluation.
    attack: one of attacks.ATTACKS with its keys.
    split: of the target's input.
    batch: images in a step over all devices.
    most: steps; 0 is the whole split.

  Raises:
    ConfigError: an attack that cannot be read, or a split that the target does not have.
    UserError: a folder holds no finished run, the two do not take the same images, or the source is
      the target's own run or shares its first weights.
  """
  made = attacks.parse(attack)

  def measure(run: run_lib.Run, folder: epath.Path) -> measures.Found:
    # An absolute path stays one.
    folders = {'source': folder.parent / source, 'target': folder.parent / target}
    runs = {who: measures.finished(who, path) for who, path in folders.items()}
    _check(runs, folders, split)
    states = {who: saved.newest(path, runs[who])[1] for who, path in folders.items()}
    weights = evaluator.Weights({who: state.params for who, state in states.items()},
                                {who: state.averages for who, state in states.items()})
    one = evaluation.Evaluation(
        NAME, crafting.OfPixels(functools.partial(_evaluate, made, runs['source'])), split,
        every='', batch=batch, most=most, keep=False)
    found, _ = evaluator.Evaluator(
        one, runs['target'].experiment.model, runs['target'].dataset,
        backend=runs['target'].backend, seed=run.seeds.attack).evaluate({'': weights})
    return {NAME: found}, {}

  return measure


def _evaluate(attack: attack_lib.Attack, source: run_lib.Run, apply: Any, params: Any,
              state: model.State, rng: jax.Array, batch: Any) -> evaluation.Rows:
  """Scores of the target, which `apply` is of, on images made on the source."""
  del rng
  of = lambda who: (params[who], model.State(state.averages[who], state.carry))
  of_source = crafting.of_pixels(source.experiment.model.apply, source.dataset.preparation)
  images = crafting.craft(attack, of_source, *of('source'), None, batch, classification.targets,
                          model.EVALUATION)
  images = jnp.where(batch['mask'][:, None, None, None] > 0, images, batch['inputs'])
  outputs, _ = apply(*of('target'), None, images, model.EVALUATION)
  return accuracy.scores(outputs.logits, batch['label']), {}


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
