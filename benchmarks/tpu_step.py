"""What XLA expects of a training step on a TPU that is not here.

    pip install '.[plan]'
    python -m benchmarks.tpu_step --models=nfnet_f0,nfnet_f3
    python -m benchmarks.tpu_step --models=nfnet_f5 --sam=0.05 --remat

Compiles the whole step ahead of time for a described topology, on a machine with a CPU only:
uint8 images, normalising, forward, label smoothing, backward, mean over all devices, AGC, weight
decay, Nesterov, average of the weights; bfloat16 compute, float32 weights. The time is
XLA's bound (`optimal_seconds`): it compares programs and promises nothing about the clock. A step
that needs more memory than a core has does not compile. Minutes per model on 2 cores; the largest
with SAM take 25 GB of host memory.
"""

from absl import flags
import ml_collections
from rich import console
from rich import table

from nfnets_am import models
from nfnets_am.config import schema
from nfnets_am.core import cli
from nfnets_am.core import errors
from nfnets_am.costs import aot

_MODELS = flags.DEFINE_list('models', ['nfnet_f0'], 'Registered models, one compilation each.')
_TOPOLOGY = flags.DEFINE_string('topology', 'v3:2x2x1', 'TPU generation and shape in chips.')
_PER_DEVICE = flags.DEFINE_integer('per_device', 32, 'Images on a device (a v3 core).')
_SIZE = flags.DEFINE_integer('size', 0, "Height and width; 0 is the model's training size.")
_SAM = flags.DEFINE_float('sam', 0.0, 'Radius of the ascent step; 0 is off.')
_REMAT = flags.DEFINE_bool('remat', False, 'Recompute the inside of each block in the backward.')
# A plain port of the published model and optimiser, measured the same way: 32 images a core on
# v3:2x2x1, without SAM; ms, TFLOP, GiB accessed, GiB peak.
_PLAIN = {
    'nfnet_f0': (39.0, 1.319, 11.23, 1.93),
    'nfnet_f3': (295.4, 12.95, 68.6, 11.23),
    'nfnet_f5': (834.1, 40.23, 173.5, 14.43),
}


def main() -> None:
  rows = table.Table(
      'step', 'ms', 'TFLOP', 'GiB accessed', 'GiB peak', 'compiled',
      title=f'{_PER_DEVICE.value} images per device, {_TOPOLOGY.value}, per device and update')
  for model in _MODELS.value:
    try:
      cost = aot.cost(_step(model))
    except errors.ConfigError:
      raise
    except errors.UserError as e:
      raise errors.UserError(f'{model} on {_TOPOLOGY.value}: {e}') from None
    ours = (cost.ms, cost.tflop, cost.accessed_gib, cost.peak_gib)
    name = model + ' SAM' * bool(_SAM.value) + ' remat' * _REMAT.value
    rows.add_row(name, *(f'{x:.4g}' for x in ours), f'{cost.seconds:.0f} s')
    same = (_PER_DEVICE.value, _TOPOLOGY.value, _SIZE.value, _SAM.value) == (32, 'v3:2x2x1', 0, 0.0)
    if same and model in _PLAIN:
      plain = _PLAIN[model]
      rows.add_row('plain port', *(f'{x:.4g}' for x in plain), '')
      rows.add_row('ratio', *(f'{a / b:.3f}' for a, b in zip(ours, plain, strict=True)), '')
  console.Console().print(rows)


def _step(model: str) -> aot.Step:
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
  return aot.step_of(config, topology=_TOPOLOGY.value, per_device=_PER_DEVICE.value,
                     image_shape=(size, size, 3), num_classes=1000)


if __name__ == '__main__':
  cli.run(main)
