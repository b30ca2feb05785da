"""One training step of ours beside torch's of the same model, in one run, as a ratio.

    python -m benchmarks.step --peer --model=nf_resnet50 --size=96 --batch=8
    python -m benchmarks.step --peer --model=resnet_cifar --size=32 --batch=64

Same shapes and the same pieces in both: label smoothing, adaptive gradient clipping but for the
final linear, Nesterov momentum, decay of all weights but gains and biases. The peers are timm's, or
for CIFAR plain modules (torch_nets.py); timm and torch are the extra nfnets_am[peers]. Both of
torch's layouts are timed, of which the faster one counts. Rounds of all alternate, so that all see
the same machine.
"""

from collections.abc import Callable
import functools
import statistics
from typing import Any

import jax
import jax.numpy as jnp
import ml_collections
import numpy as np
from rich import console

from benchmarks import paired
from benchmarks import torch_nets
from nfnets_am.config import derived as derived_lib
from nfnets_am.config import schema
from nfnets_am.core import errors
from nfnets_am.core import parallel
from nfnets_am.data import facts
from nfnets_am.data import hand_over
from nfnets_am.data import ops
from nfnets_am.data import preparation
from nfnets_am.training import sections
from nfnets_am.training import starts
from nfnets_am.training import step as step_lib

_CLASSES = 1000
_LEARNING_RATE, _MOMENTUM, _DECAY, _CLIP, _SMOOTHING = 0.01, 0.9, 2e-5, 0.01, 0.1
# Both draw stochastic depth, which is off here: timm's is another one.
_ALL_BLOCKS = {'stochastic_depth': 0.0}


def _of_timm(name: str, **options: Any) -> Callable[[], Any]:
  def make():
    import timm
    return timm.create_model(name, num_classes=_CLASSES, **options)
  return make


# Our name to our options and to what makes the peer.
PEERS = {
    'nf_resnet50': (_ALL_BLOCKS, _of_timm('nf_resnet50', drop_path_rate=0.0)),
    'nfnet_f0': (_ALL_BLOCKS, _of_timm('dm_nfnet_f0', drop_path_rate=0.0)),
    'nfnet_f1': (_ALL_BLOCKS, _of_timm('dm_nfnet_f1', drop_path_rate=0.0)),
    'resnet50': ({}, _of_timm('resnet50')),
    'resnet_cifar': ({}, functools.partial(
        torch_nets.residual, _CLASSES, stem=16, channels=(16, 32, 64), blocks=7)),
    'wide_resnet_postact': ({}, functools.partial(
        torch_nets.residual, _CLASSES, stem=16, channels=(160, 320, 640), blocks=4)),
}


def compare(model: str, size: int, batch: int, rounds: int, dtype: str) -> None:
  """Times both and prints a table.

  Args:
    model: one of PEERS.
    size: of the images in pixels; at 64 and below a CPU measures XLA's slow path for 2x2 maps.
    batch: images in a step.
    rounds: of each.
    dtype: of the activations, 'float32' or 'bfloat16'.
  """
  if model not in PEERS:
    raise errors.UserError(f'--model={model!r} has no peer; allowed: {", ".join(PEERS)}')
  rng = np.random.default_rng(0)
  images = rng.integers(0, 256, (batch, size, size, 3), dtype=np.uint8)
  labels = rng.integers(0, _CLASSES, batch).astype(np.int32)
  peers = {f'torch, {layout}': _torch(model, images, labels, dtype, layout)
           for layout in ('channels_last', 'contiguous_format')}
  times = paired.times({'ours': _ours(model, images, labels, dtype), **peers}, rounds)
  # The faster of its two layouts counts.
  peer = min(peers, key=lambda name: statistics.median(times[name]))
  ratios = [a / b for a, b in zip(times['ours'], times[peer], strict=True)]
  rows = paired.rows(
      f'{model}, {batch} images of {size} px, {dtype}, {jax.devices()[0].device_kind}', times,
      f'ratio, ours to {peer}', ratios)
  console.Console().print(rows)


def _ours(model: str, images: np.ndarray, labels: np.ndarray, dtype: str) -> Callable[[], None]:
  config = schema.get_default()
  config.views = len(images)
  config.budget = '1000 updates'
  config.dtype = dtype
  config.model = ml_collections.ConfigDict({'name': model, **PEERS[model][0]})
  config.objective = ml_collections.ConfigDict(
      {'name': 'cross_entropy', 'label_smoothing': _SMOOTHING})
  config.schedule = ml_collections.ConfigDict({'name': 'constant', 'peak': _LEARNING_RATE})
  config.optimizer.update({'momentum': _MOMENTUM, 'nesterov': True, 'weight_decay': _DECAY,
                           'decay_mask': 'no_gain_bias'})
  config.clip = ml_collections.ConfigDict({'name': 'agc', 'clip': _CLIP})
  sections.complete(config)
  derived = derived_lib.derive(config, train_images=len(images))
  experiment = step_lib.make_experiment(
      config, derived, facts.Facts(len(images), _CLASSES, images.shape[1:], dtype),
      preparation.ImagePreparation(ops.parse('normalise()').bind((0.5,) * 3, (0.25,) * 3),
                                   hand_over.HandOver(), images.shape[1:], dtype))
  step = step_lib.map_train_step(experiment, 'pmap')
  state = starts.place(experiment.first_state(), 'pmap')
  numbers = jax.jit(experiment.numbers)
  batch = parallel.shard({'image': images, 'label': labels, 'draws': {}}, 'pmap')

  def run() -> None:
    nonlocal state
    state, metrics = step(state, numbers(state.update), None, batch)
    jnp.asarray(metrics['loss']).block_until_ready()

  return run


def _torch(model: str, images: np.ndarray, labels: np.ndarray, dtype: str, layout: str
           ) -> Callable[[], None]:
  try:
    from timm import utils
    import torch
  except ImportError:
    raise errors.UserError('--peer needs timm and torch; install nfnets_am[peers]') from None
  gpu = torch.cuda.is_available()
  device = torch.device('cuda' if gpu else 'cpu')
  layout = getattr(torch, layout)
  net = PEERS[model][1]().to(device, memory_format=layout).train()
  is_plain = lambda name, p: 'gain' in name or 'bias' in name or p.ndim == 1
  plain = [p for name, p in net.named_parameters() if is_plain(name, p)]
  decayed = [p for name, p in net.named_parameters() if not is_plain(name, p)]
  optimizer = torch.optim.SGD(
      [{'params': decayed, 'weight_decay': _DECAY}, {'params': plain, 'weight_decay': 0.0}],
      lr=_LEARNING_RATE, momentum=_MOMENTUM, nesterov=True)
  clipped = [p for name, p in net.named_parameters()
             if not (name.startswith(('head.', 'fc.')) and name.endswith('weight'))]
  loss_fn = torch.nn.CrossEntropyLoss(label_smoothing=_SMOOTHING)
  # On a GPU the peer is timm at its best: compiled, bfloat16.
  forward = torch.compile(net) if gpu else net
  x = torch.from_numpy(images).to(device).permute(0, 3, 1, 2).contiguous(
      memory_format=layout)
  y = torch.from_numpy(labels).long().to(device)

  def run() -> None:
    normalised = (x.float() / 255 - 0.5) / 0.25
    with torch.autocast(device.type, torch.bfloat16, enabled=dtype == 'bfloat16'):
      loss = loss_fn(forward(normalised), y)
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    utils.adaptive_clip_grad(clipped, _CLIP)
    optimizer.step()
    loss.item()

  return run
