"""Appendix A.3 of Summers 2021: other images for the moving averages of a trained network.

    python -m experiments.summers2021.sectionA_3 --run=runs/summers2021/RUN

A finished run's norms collect their averages anew, over training images without augmentation and
over test images without labels; nothing is trained. That is what the thesis does by a few more
epochs at a learning rate of 0. Printed for CIFAR-100: the former take about half a point of
accuracy and improve cross-entropy a little; the latter are within 0.1 points and 1% of it. A run of
batch norm at B = 128 is one of figure4_3.py, `size=128`.

"A few" epochs are 3 passes [C], in batches like those of training; what fills none is left out.
Not here: the same with augmentation, whose trend the thesis calls the same. The group norms of the
same section: sectionA_3_groups.py.
"""

import json
from typing import Any

from absl import flags
import jax
import numpy as np

from nfnets_am.core import cli
from nfnets_am.core import parallel
from nfnets_am.evaluation import accuracy
from nfnets_am.evaluation import evaluation as evaluation_lib
from nfnets_am.evaluation import evaluator
from nfnets_am.evaluation import example_weighing
from nfnets_am.models import model
from nfnets_am.training import saved

_PASSES = 3


def run() -> None:
  """Prints a line for each kind of averages."""
  folder = flags.DEFINE_string('run', None, "A finished run's folder.", required=True)
  data_dir = flags.DEFINE_string('data_dir', None, 'Where its data set is now, if it moved.')

  def main() -> None:
    built = saved.build(folder.value, data_dir=data_dir.value)
    _, state = saved.newest(folder.value, built)
    for name, found in measure(built, state.params, state.averages).items():
      print(json.dumps({'averages': name, **found}))

  cli.run(main)


def measure(built: Any, params: Any, averages: Any) -> dict[str, dict[str, float]]:
  """Returns the metrics of the test split: of a run's own averages, and of those of other images.

  Args:
    built: of saved.build.
    params, averages: of its newest checkpoint.

  Raises:
    ConfigError: a model without moving statistics.
  """
  example_weighing.check(averages)
  weights = {'own': averages, **{split: over(built, params, averages, split)
                                 for split in ('train', 'test')}}
  evaluation = evaluation_lib.Evaluation(
      'test', accuracy.accuracy(), 'test', every='', batch=built.config.eval_batch, most=0,
      keep=False)
  test = evaluator.Evaluator(evaluation, built.experiment.model, built.dataset,
                             backend=built.backend, seed=0)
  return {name: test.evaluate({'': parallel.replicate(evaluator.Weights(params, one))})[0]
          for name, one in weights.items()}


def over(built: Any, params: Any, averages: Any, split: str, passes: int = _PASSES) -> Any:
  """Returns the averages after passes over a split's images as stored, in training's batches.

  Args:
    built: of saved.build.
    params: stay as they are.
    averages: that the passes begin with.
    split: of the run's data set.
    passes: how many.

  Returns:
    The like of `averages`, on the host.
  """
  rows = built.config.views or built.config.unique * max(1, built.config.multiplicity)
  network, preparation = built.experiment.model, built.dataset.preparation

  @jax.jit
  def move(params, averages, batch, key):
    inputs = preparation.prepare_stored(batch)['inputs']
    state = model.State(averages, network.init_carry(rows))
    return network.apply(params, state, key, inputs, model.TRAINING)[1].averages

  params, averages = jax.tree.map(np.asarray, (params, averages))
  key = jax.random.key(0)
  for _ in range(passes):
    for batch in built.dataset.eval_batches(split, rows, host=0, hosts=1):
      if np.all(batch['mask']):
        key, one = jax.random.split(key)
        averages = move(params, averages, batch, one)
  return jax.tree.map(np.asarray, averages)


if __name__ == '__main__':
  run()
