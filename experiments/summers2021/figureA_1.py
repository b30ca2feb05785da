"""Figure A.1 of Summers 2021: the least that batch norm can say in training (eq. 4.2, app. A.1).

    python -m experiments.summers2021.figureA_1 --out=runs/figureA_1.png

Over N values of a channel (rows times places of the map; N = 16 B' at the last norm of the thesis'
network for CIFAR-10) an output is never below -sqrt(N - 1), before scale and offset, nor above its
negative. One value apart from N - 1 equal ones attains it. Inference has no such bound: its outputs
grow with what it is shown.

Drawn is the bound, what the norm of this package says of that worst case, and of normal values in
training and at inference. The thesis draws a trained network's outputs, of which it prints -5.30 at
a bound of -5.57 (N = 32); to train it is left out here.
"""

from collections.abc import Sequence
import json
import pathlib

from absl import flags
import haiku as hk
import jax.numpy as jnp
import numpy as np

from nfnets_am.core import cli
from nfnets_am.models import model
from nfnets_am.models import norms

SIZES = tuple(2 ** power for power in range(1, 12))
# Draws of N normal values, of which the least output is taken.
_DRAWS = 200
# How much further out the values of inference are.
_FURTHER = 3.0


def run() -> None:
  """Draws the figure, and prints its numbers."""
  out = flags.DEFINE_string('out', None, 'PNG to write.', required=True)

  def main() -> None:
    rows = measure(SIZES)
    draw(rows, pathlib.Path(out.value))
    print(json.dumps(rows))

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
  norm = hk.transform_with_state(
      lambda x, mode: norms.parse("batch(decay=0.0, eps=0.0, variance='biased')")('norm')(x, mode))
  x = jnp.asarray(values.T)[:, None, None, :]
  params, state = norm.init(None, x, model.TRAINING)
  out, state = norm.apply(params, state, None, x, model.TRAINING)
  if further:
    out, _ = norm.apply(params, state, None, further * x, model.EVALUATION)
  return float(out.min())


def draw(rows: Sequence[dict[str, float]], path: pathlib.Path) -> None:
  """Draws the rows of `measure` over log2 N."""
  import matplotlib
  matplotlib.use('Agg')
  from matplotlib import pyplot as plt

  fig, ax = plt.subplots(figsize=(6, 4), layout='constrained')
  x = np.log2([row['values'] for row in rows])
  for key, label, style in (('bound', r'$-\sqrt{N - 1}$', 'k--'), ('worst', 'one outlier', 'o'),
                            ('normal', 'normal values, training', 's-'),
                            ('inference', f'{_FURTHER:g} times as far, inference', '^-')):
    ax.plot(x, [row[key] for row in rows], style, label=label)
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
