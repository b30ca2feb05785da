"""Figure A.1 of Summers 2021: the least that batch norm can say in training (eq. 4.2, app. A.1).

    python -m experiments.summers2021.figureA_1 --out=runs/figureA_1.png
    python -m experiments.summers2021.figureA_1 --out=runs/figureA_1.png --run=RUN --run=RUN

Over N values of a channel (rows times places of the map; N = 16 B' at the last norm of the thesis'
network for CIFAR-10) an output is never below -sqrt(N - 1), before scale and offset, nor above its
negative. One value apart from N - 1 equal ones attains it. Inference has no such bound: its outputs
grow with what it is shown.

Drawn is the bound, what the norm of this package says of that worst case, and of normal values in
training and at inference; and, with the folders of finished runs, the least outputs of their last
norm, before scale and offset, on training images in training and on test images at inference. The
thesis prints -5.30 at a bound of -5.57 (N = 32). Its network for CIFAR-10 and how it trains are not
said: runs of figure4_3.py, of another set, have its last maps of 4 x 4 [C]. Training images are as
stored, without augmentation [C].
"""

from collections.abc import Sequence
import itertools
import json
import math
import pathlib
from typing import Any

from absl import flags
import haiku as hk
import jax
import jax.numpy as jnp
import numpy as np

from nfnets_am.core import cli
from nfnets_am.models import model
from nfnets_am.models import norms
from nfnets_am.models.norms import norm
from nfnets_am.training import saved

SIZES = tuple(2 ** power for power in range(1, 12))
# Draws of N normal values, of which the least output is taken.
_DRAWS = 200
# How much further out the values of inference are.
_FURTHER = 3.0


def run() -> None:
  """Draws the figure, and prints its numbers."""
  out = flags.DEFINE_string('out', None, 'PNG to write.', required=True)
  runs = flags.DEFINE_multi_string('run', [], 'Folder of a finished run; repeatable.')

  def main() -> None:
    rows = measure(SIZES)
    trained = []
    for folder in runs.value:
      built = saved.build(folder)
      _, state = saved.newest(folder, built)
      trained.append(ranges(built, state.params, state.averages))
    draw(rows, pathlib.Path(out.value), sorted(trained, key=lambda one: one['values']))
    print(json.dumps(rows + trained))

  cli.run(main)


def measure(sizes: Sequence[int]) -> list[dict[str, float]]:
  """Returns for each N the bound and the least outputs: of the worst case, of normal values."""
  return [{'values': n, 'bound': -float(np.sqrt(n - 1)), 'worst': least(_outlier(n)),
           'normal': least(_normal(n)), 'inference': least(_normal(n), further=_FURTHER)}
          for n in sizes]


def least(values: np.ndarray, further: float = 0.0) -> float:
  """Returns the least output of batch norm, of scale 1 and offset 0.

  Args:
    values: float32 [draws, N], each draw a channel.
    further: where it is not 0, inference of so many times the values, with their own statistics.
  """
  alone = hk.transform_with_state(
      lambda x, mode: norms.parse("batch(decay=0.0, eps=0.0, variance='biased')")('norm')(x, mode))
  x = jnp.asarray(values.T)[:, None, None, :]
  params, state = alone.init(None, x, model.TRAINING)
  out, state = alone.apply(params, state, None, x, model.TRAINING)
  if further:
    out, _ = alone.apply(params, state, None, further * x, model.EVALUATION)
  return float(out.min())


def ranges(built: Any, params: Any, averages: Any, most: int = 10) -> dict[str, float]:
  """Returns the least outputs of a network's last norm, less its offset and over its scale.

  Args:
    built: of saved.build; its norm is one of batches.
    params, averages: of a checkpoint.
    most: batches of either split that are read.

  Returns:
    'values' (N), 'bound', and the least output in training and at inference.
  """
  rows = built.config.views
  size = getattr(norms.parse(built.config.model.norm), 'rows', None) or rows
  network, preparation = built.experiment.model, built.dataset.preparation
  params, averages = jax.tree.map(np.asarray, (params, averages))
  seen: list[tuple[str, Any]] = []

  def watch(call, args, kwargs, context):
    out = call(*args, **kwargs)
    if isinstance(context.module, norm.Norm) and context.method_name == '__call__':
      seen.append((context.module.module_name, out))
    return out

  def outputs(batch, mode):
    seen.clear()
    state = model.State(averages, network.init_carry(rows))
    with hk.intercept_methods(watch):
      network.apply(params, state, jax.random.key(0),
                    preparation.prepare_stored(batch)['inputs'], mode)
    name, out = seen[-1]
    return (np.asarray(out) - params[name]['offset']) / params[name]['scale']

  found = {}
  for what, split, mode in (('training', 'train', model.TRAINING),
                            ('inference', 'test', model.EVALUATION)):
    batches = built.dataset.eval_batches(split, rows, host=0, hosts=1)
    whole = (batch for batch in batches if np.all(batch['mask']))
    outs = [outputs(batch, mode) for batch in itertools.islice(whole, most)]
    found[what] = float(min(out.min() for out in outs))
  values = min(size, rows) * math.prod(outs[0].shape[1:-1])
  return {'values': values, 'bound': -math.sqrt(values - 1), **found}


def draw(rows: Sequence[dict[str, float]], path: pathlib.Path,
         trained: Sequence[dict[str, float]] = ()) -> None:
  """Draws the rows of `measure`, and those of `ranges`, over log2 N."""
  import matplotlib
  matplotlib.use('Agg')
  from matplotlib import pyplot as plt

  fig, ax = plt.subplots(figsize=(6, 4), layout='constrained')
  x = np.log2([row['values'] for row in rows])
  for key, label, style in (('bound', r'$-\sqrt{N - 1}$', 'k--'), ('worst', 'one outlier', 'o'),
                            ('normal', 'normal values, training', 's-'),
                            ('inference', f'{_FURTHER:g} times as far, inference', '^-')):
    ax.plot(x, [row[key] for row in rows], style, label=label)
  for key in ('training', 'inference') if trained else ():
    ax.plot(np.log2([row['values'] for row in trained]), [row[key] for row in trained], 'x-',
            label=f'trained network, {key}')
  ax.set(xlabel='log2 of the values', ylabel='least output')
  ax.legend()
  path.parent.mkdir(parents=True, exist_ok=True)
  fig.savefig(path, dpi=120)
  plt.close(fig)


def _outlier(n: int) -> np.ndarray:
  values = np.zeros((1, n), np.float32)
  values[0, 0] = -1
  return values


def _normal(n: int) -> np.ndarray:
  return np.random.default_rng(n).normal(size=(_DRAWS, n)).astype(np.float32)


if __name__ == '__main__':
  run()
