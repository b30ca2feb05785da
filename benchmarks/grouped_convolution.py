"""Times every form of a grouped convolution at the shapes of networks, on the device at hand.

    JAX_PLATFORMS=cpu python -m benchmarks.grouped_convolution --clock=cpu
    python -m benchmarks.grouped_convolution --dtype=bfloat16 --batch=128 --calls=20 --shapes=all

For each shape a table: a row is a form, its columns the convolution and its gradients by images and
by weights, in ms (median, least to most) and as a ratio to XLA's own ('whole') in the same rounds.
All take turns. What nfnets_am/models/convolving.py chooses for this platform is the row 'chosen'.
"""

from collections.abc import Callable
import statistics
import time

from absl import flags
import jax
import jax.numpy as jnp
import numpy as np
from rich import console
from rich import table

from benchmarks import paired
from nfnets_am.core import cli
from nfnets_am.core import errors
from nfnets_am.models import convolution_forms
from nfnets_am.models import convolving

_SHAPES = flags.DEFINE_list('shapes', ['f0_2_strided', 'f0_3', 'f0_4', 'depthwise_strided'],
                            "Names of SHAPES, or 'all'.")
_FORMS = flags.DEFINE_list('forms', [], 'Names of FORMS beside whole; all that fit if none.')
_BATCH = flags.DEFINE_integer('batch', 8, 'Images.')
_DTYPE = flags.DEFINE_enum('dtype', 'float32', ['float32', 'bfloat16'], 'Of images and weights.')
_ROUNDS = flags.DEFINE_integer('rounds', 5, 'Rounds of all.')
_CALLS = flags.DEFINE_integer('calls', 1, 'Calls in a round, of which the last is waited for.')
_CLOCK = flags.DEFINE_enum('clock', 'wall', ['wall', 'cpu'],
                           'Seconds that pass, or that cores of this process work.')
_SCALE = flags.DEFINE_float('scale', 1.0, 'Times the sides of the maps, which are of 96 pixels.')

# Pixels a side, kernel, channels in, channels out, groups, stride. NFNet-F0's four stages, the
# strided ones and the others; NF-ResNet-50's 3x3 and 1x1; depthwise; ResNeXt's narrow groups.
SHAPES = {
    'f0_2_strided': (24, 3, 256, 256, 2, 2),
    'f0_2': (12, 3, 256, 256, 2, 1),
    'f0_3_strided': (12, 3, 768, 768, 6, 2),
    'f0_3': (6, 3, 768, 768, 6, 1),
    'f0_4_strided': (6, 3, 768, 768, 6, 2),
    'f0_4': (3, 3, 768, 768, 6, 1),
    'resnet_1': (24, 3, 64, 64, 1, 1),
    'resnet_4': (3, 3, 512, 512, 1, 1),
    'resnet_1x1': (24, 1, 256, 64, 1, 1),
    'resnet_1x1_strided': (24, 1, 256, 512, 1, 2),
    'depthwise': (24, 3, 128, 128, 128, 1),
    'depthwise_strided': (24, 3, 256, 256, 256, 2),
    'depthwise_5x5': (12, 5, 64, 64, 64, 1),
    'narrow': (12, 3, 128, 128, 32, 1),
}
# Programs of more groups than this take minutes to compile group by group, and dense ones to run.
_MOST_GROUPS = 32


def main() -> None:
  for name in SHAPES if _SHAPES.value == ['all'] else _SHAPES.value:
    if name not in SHAPES:
      raise errors.UserError(f'--shapes={name!r}; allowed: all, {", ".join(SHAPES)}')
    _compare(name)


def _compare(name: str) -> None:
  side, kernel, inputs, channels, groups, stride = SHAPES[name]
  geometry = convolving.Geometry((stride, stride), groups=groups)
  rng = np.random.default_rng(0)
  draw = lambda *shape: jnp.asarray(rng.normal(size=shape), _DTYPE.value)
  side = round(side * _SCALE.value)
  x = draw(_BATCH.value, side, side, inputs)
  w = draw(kernel, kernel, inputs // groups, channels)
  g = draw(*jax.eval_shape(lambda: convolution_forms.whole(x, w, geometry)).shape)
  fitting = _fitting(groups, w.shape[2])
  forms = {form: convolving.everywhere(convolving.Forms.all(form)) for form in dict.fromkeys(
      ['whole', *(f for f in _FORMS.value or fitting if convolution_forms.FORMS[f] and f in fitting)
       ])} | {'chosen': None}
  parts = [_times(forms, part, x, w, g, geometry) for part in (_forward, _by_input, _by_weights)]
  rows = table.Table('form', 'forward', 'ratio', 'by images', 'ratio', 'by weights', 'ratio',
                     title=f'{name}: {_BATCH.value} maps of {side} x {side} x {inputs}, {groups} '
                           f'groups, {kernel}x{kernel}, stride {stride}, {_DTYPE.value}, '
                           f'{jax.devices()[0].device_kind}, ms of {_CLOCK.value}')
  for form in forms:
    cells = []
    for times in parts:
      cells.append(f'{_ms(statistics.median(times[form]))} '
                   f'({_ms(min(times[form]))} to {_ms(max(times[form]))})')
      cells.append('{:.2f}'.format(statistics.median(
          a / b for a, b in zip(times[form], times['whole'], strict=True))))
    rows.add_row(form, *cells)
  console.Console(width=140).print(rows)


def _fitting(groups: int, inside: int) -> list[str]:
  """Names the forms that a shape can have and that are not hopeless at it."""
  names = set(convolution_forms.FORMS)
  if inside != 1:
    names.discard('shifts')
  if groups == 1:
    names -= {'dense', 'pairs'}
  if jax.default_backend() == 'cpu':
    # XLA's CPU backend (jaxlib 0.10.2) crashes in its weight gradient at f0_4.
    names.discard('pairs')
  if groups > _MOST_GROUPS:
    names -= {'dense', 'pairs', 'split', 'patches'}
  return sorted(names)


def _times(forms, part, x, w, g, geometry) -> dict[str, list[float]]:
  steps = {name: _step(jax.jit(part(lambda x, w, form=form: convolving.convolve(
      x, w, geometry, form))), x, w, g) for name, form in forms.items()}
  clock = time.perf_counter if _CLOCK.value == 'wall' else time.process_time
  times = paired.times(steps, _ROUNDS.value, clock)
  return {name: [seconds / _CALLS.value for seconds in found] for name, found in times.items()}


def _step(fn, *args) -> Callable[[], None]:
  def step() -> None:
    for _ in range(_CALLS.value):
      out = fn(*args)
    out.block_until_ready()
  return step


def _forward(convolve):
  return lambda x, w, g: convolve(x, w)


def _by_input(convolve):
  return lambda x, w, g: jax.vjp(lambda x: convolve(x, w), x)[1](g)[0]


def _by_weights(convolve):
  return lambda x, w, g: jax.vjp(lambda w: convolve(x, w), w)[1](g)[0]


def _ms(seconds: float) -> str:
  return f'{1e3 * seconds:.2f}'


if __name__ == '__main__':
  cli.run(main)
