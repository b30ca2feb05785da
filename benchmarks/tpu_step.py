"""What XLA expects of a training step on a TPU that is not here.

    pip install '.[plan]'
    python -m benchmarks.tpu_step --models=nfnet_f0,nfnet_f3
    python -m benchmarks.tpu_step --models=nfnet_f5 --sam=0.05 --remat
    python -m benchmarks.tpu_step --models=nfnet_f0 --topologies=v3:2x2x1,v5e:2x2x1,v6e:2x2x1

Compiles the whole step ahead of time for a described topology, on a machine with a CPU only:
uint8 images, normalising, forward, label smoothing, backward, mean over all devices, AGC, weight
decay, Nesterov, average of the weights; bfloat16 compute, float32 weights. `bound` is XLA's
(`optimal_seconds`): it compares programs and promises nothing about the clock, and from v5e on it
takes what lies in the core's own memory for the main one (`GiB accessed`; `moved` is what is read
from and written to the main memory). `cycles` is the time of the compiler's own estimates,
`roofline` operations over peak or bytes moved over bandwidth. `expected` rests on the one of them
that launch.plan takes (launch/calibration.py). A step that needs more
memory than a core has does not compile. Minutes per model on 2 cores, more for later generations;
the largest with SAM take 25 GB of host memory.
"""

from absl import flags
import ml_collections
from rich import table

from launch import calibration
from launch import chips
from launch import waiting
from nfnets_am import models
from nfnets_am.config import schema
from nfnets_am.core import cli
from nfnets_am.core import errors
from nfnets_am.core import terminal
from nfnets_am.costs import aot

_MODELS = flags.DEFINE_list('models', ['nfnet_f0'], 'Registered models, one compilation each.')
_TOPOLOGIES = flags.DEFINE_list(
    'topologies', ['v3:2x2x1'], 'TPU generations and shapes in chips; each compiles every model.')
_PER_DEVICE = flags.DEFINE_integer('per_device', 32, 'Images on a device (a v3 core).')
_LIMIT = flags.DEFINE_float(
    'limit_s', 0.0, 'Seconds after which compiling is ended, and said; 0 is none.', lower_bound=0.0)
_SIZE = flags.DEFINE_integer('size', 0, "Height and width; 0 is the model's training size.")
_SAM = flags.DEFINE_float('sam', 0.0, 'Radius of the ascent step; 0 is off.')
_REMAT = flags.DEFINE_bool('remat', False, 'Recompute the inside of each block in the backward.')
_COLUMNS = ('step', 'bound, ms', 'TFLOP', 'GiB accessed', 'GiB peak', 'moved', 'cycles, ms',
            'roofline, ms', 'expected, ms', 'how', 'compiled')


def main() -> None:
  # All names before minutes are spent.
  chosen = {topology: chips.of_topology(topology) for topology in _TOPOLOGIES.value}
  for topology, chip in chosen.items():
    rows = table.Table(*_COLUMNS, title=(
        f'{_PER_DEVICE.value} images per device, {topology}, per device and update'))
    for model in _MODELS.value:
      for row in _rows(model, topology, chip):
        rows.add_row(*row)
    terminal.Terminal(width=160).print(rows)


def _rows(model: str, topology: str, chip: chips.Chip) -> list[list[str]]:
  """Returns what a model's step costs there, beside the plain port where that was compiled."""
  shown = terminal.Terminal(stderr=True)
  name = model + ' SAM' * bool(_SAM.value) + ' remat' * _REMAT.value
  with waiting.Waiting(1, _LIMIT.value, shown) as wait:
    wait.next(name)
    try:
      cost = aot.cost(_step(model, topology), limit_s=_LIMIT.value,
                      waits=wait.compiling(f'{name} for {topology}'))
      expected = calibration.expected(cost, chip)
    except errors.ConfigError:
      raise
    except errors.UserError as e:
      raise errors.UserError(f'{model} on {topology}: {e}') from None
  if expected.note:
    shown.print(f'{name} on {topology}: {expected.note}', soft_wrap=True)
  ours = (cost.ms, cost.tflop, cost.accessed_gib, cost.peak_gib)
  more = (cost.moved_gib, calibration.cycles_ms(cost, chip), calibration.roofline_ms(cost, chip),
          expected.ms)
  found = [[name, *(f'{x:.4g}' for x in (*ours, *more)),
            f'{expected.how}, {calibration.basis(chip)}', f'{cost.seconds:.0f} s']]
  same = (_PER_DEVICE.value, topology, _SIZE.value, _SAM.value) == (32, 'v3:2x2x1', 0, 0.0)
  if same and model in calibration.PORT:
    plain = calibration.PORT[model][:4]
    found.append(['plain port', *(f'{x:.4g}' for x in plain)])
    found.append(['ratio', *(f'{a / b:.3f}' for a, b in zip(ours, plain, strict=True))])
  return found


def _step(model: str, topology: str) -> aot.Step:
  """The NFNets' recipe (Brock et al. 2021b)."""
  config = schema.get_default()
  remat = {'remat': True} if _REMAT.value else {}
  config.model = ml_collections.ConfigDict({'name': model} | remat)
  config.objective = ml_collections.ConfigDict({'name': 'cross_entropy', 'label_smoothing': 0.1})
  config.optimizer.update(
      {'nesterov': True, 'weight_decay': 2e-5, 'decay_mask': 'no_gain_bias'})
  config.clip = ml_collections.ConfigDict({'name': 'agc', 'clip': 0.01})
  if _SAM.value:
    config.ascent = ml_collections.ConfigDict({'name': 'sam', 'rho': _SAM.value})
  config.ema = 0.99999
  config.dtype = 'bfloat16'
  size = _SIZE.value or models.create_model(model, 1000).train_size
  return aot.step_of(config, topology=topology, per_device=_PER_DEVICE.value,
                     image_shape=(size, size, 3), num_classes=1000)


if __name__ == '__main__':
  cli.run(main)
