"""Two proofs that the seams are wide enough: an objective and a model that no Fort experiment has.

`twice` takes two forward passes, the second at inputs that the gradient of the first has moved.
`recurrent` normalises by batch statistics, counts its updates in an integer, and carries a hidden
state from update to update for each row.
"""

import haiku as hk
import jax
import jax.numpy as jnp
import ml_collections

from nfnets_am import models
from nfnets_am import objectives
from nfnets_am.config import cells as cells_lib
from nfnets_am.config import schema
from nfnets_am.models import model
from nfnets_am.models import norms
from nfnets_am.objectives import classification

WIDTH = 5


def twice(*, step: float = 0.1):
  """The mean of the cross-entropy here and at inputs that are `step` up its gradient's sign."""
  once = classification.cross_entropy()

  def compute(apply, params, state, rng, batch, progress):
    def at(inputs):
      return once(apply, params, state, rng, {**batch, 'inputs': inputs}, progress)

    (clean, (state_after, metrics)), slope = jax.value_and_grad(at, has_aux=True)(batch['inputs'])
    moved, (_, there) = at(jax.lax.stop_gradient(batch['inputs'] + step * jnp.sign(slope)))
    return (clean + moved) / 2, (state_after, {**metrics, 'error': 1 - there['top1']})

  return compute


class Recurrent(hk.Module):
  """Batch norm, a hidden state per row, a linear, and a count of the updates."""

  def __init__(self, num_classes: int):
    super().__init__(name='recurrent')
    self.num_classes = num_classes

  def __call__(self, x, mode, carry):
    x = norms.parse('batch(decay=0.9)')('norm')(x, mode)
    x = hk.Linear(WIDTH, name='in')(x.reshape((x.shape[0], -1)))
    if mode.is_training:
      count = hk.get_state('updates', (), jnp.int32, jnp.zeros)
      hk.set_state('updates', count + 1)
    hidden = jnp.tanh(0.1 * x + 0.5 * carry['hidden'])
    logits = hk.Linear(self.num_classes, name='head')(hidden)
    return logits, {'hidden': jax.lax.stop_gradient(hidden)}


def recurrent(num_classes: int) -> model.Model:
  return model.from_module(
      lambda: Recurrent(num_classes), name='recurrent', num_classes=num_classes, train_size=28,
      test_size=28, head='recurrent/head',
      carry=lambda rows: {'hidden': jnp.zeros((rows, WIDTH))})


def register() -> None:
  """Adds both, as a file and a line in each registry would."""
  models.MODELS._entries['recurrent'] = recurrent
  objectives.OBJECTIVES._entries['twice'] = twice


register()


def get_config(cell: str = '') -> ml_collections.ConfigDict:
  cell = cells_lib.parse_cell(cell, {'objective': 'twice', 'seed': 0})
  config = schema.get_default()
  config.multiplicity = 2
  config.unique = 8
  config.seed = cell['seed']
  config.budget = '12 updates'
  config.data.train_images = 100
  config.data.apply = 'device'
  config.data.augment = 'pad_crop(pad=2) | flip() | normalise()'
  config.model = ml_collections.ConfigDict({'name': 'recurrent'})
  config.objective = ml_collections.ConfigDict({'name': cell['objective']})
  config.schedule.peak = 0.01
  config.ema = 0.9
  config.accumulate = 2
  config.gradient_norm = True
  config.log_every = '2 updates'
  config.eval_every = '6 updates'
  config.checkpoint.every = '3 updates'
  config.checkpoint.keep = 1
  config.checkpoint.at = ('5 updates',)
  return config
