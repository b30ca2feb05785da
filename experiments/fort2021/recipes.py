"""The recipes that the experiments of Fort et al. 2021 share (arXiv:2105.13343).

`tuned` makes the config of a run of figures 2 to 7, 10 and 11, `nfnet` that of tables 1 and 2;
grids.py says which runs there are. What the paper leaves open is decided here. [R] is the public
code of the models (google-deepmind/deepmind-research, nfnets), [C] a choice.

Wide-ResNet-16-4 on CIFAR-100 (section 2):
  - Which way the halvings are read [C]: the first at m/2, ten in all (schedule.first_at_start).
  - Momentum [C]: heavy ball, not Nesterov (optimizer.nesterov).
  - Weight decay [C]: on all weights, as L2 in the loss, which appendix A speaks of (penalty).
  - Padding [C]: 4 zero pixels (data.augment).
  - Normalising: the CIFAR-10 statistics that jax_privacy takes for all CIFAR sets.
  - Learning rates [C]: by factors of 2 around 2^-4, 3 to each side, 5 where a curve over the rate
    is drawn, and on until the best is inside (the file's grid is a start, not the search).
  - Multiplicities and budgets that only a plot shows [C]: 1 to 16, and 16 to 512 epochs.
  - Training loss: all training images without augmentation, without L2.
  - Data [C]: the views are drawn on the device, the same pixels as on the host (data.apply).
NF-ResNet-50 on ImageNet (section 2):
  - Nesterov, and no weight decay on gains and biases [R].
  - Warm-up: 5 epochs, linear from 0 [R]; the paper does not mention one (schedule.warmup).
  - Stochastic depth: block i of 16 has 0.1 i / 16, not rescaled [R].
  - Images: 224 pixels, tested on the middle of 256 [R] (data.augment, data.eval_crop).
  - Learning rates [C]: around 0.1 B / 256 (of U when the batch grows), the rule of [R], 2 to each
    side, 3 where a curve is drawn, and on; one run each [as the paper].
  - Training loss of Figure 3(b): 'a single minibatch' [C]: the first eval_batch = 1,024 training
    images as stored (TFDS shuffles them), without augmentation and label smoothing.
  - Precision [C]: float32 (dtype).
NFNets (section 5, 'for all other details' Brock et al. 2021b):
  - Warm-up [C]: 5 epochs at multiplicity 1, which is 1563.92 updates, at every multiplicity.
  - Partners of MixUp and CutMix [C]: each view has its own, of another unique image, from as many
    further images as the update has (partners='fresh', the published 2B images).
  - RandAugment as published [R], with its two quirks: contrast blends with a grey that follows from
    the image's size, and solarize's threshold, 25.6 m, is compared as a byte. The public code says
    `image < threshold` of uint8 images inside Dataset.map: a graph takes the number as the image's
    type, modulo 256, without a word. That is the same in 2021's TensorFlow and in today's, where a
    test holds ours against it: all values are inverted at magnitude 10 (F1, F2), those from 128 on
    at 15 (F3 and up). Sharpness and Color are PIL's and differ from it by 1 or 2 of 255.
  - SAM [C]: rho 0.05 (Foret et al. 2021), on the whole batch of a device, since the paper says that
    it doubles the cost; each device has its own ascent (the section `ascent`). Brock et al. climb
    on a fifth of the batch: --config.ascent.fraction=0.2 --config.ascent.part=views, as 32 views
    a core are 2 images at n = 16.
  - bfloat16 images and activations, float32 weights [R]; 1 run each [C].

Held-out images: at the scale 'validation' learning rates are chosen on training images that are not
trained on (data.validation), 5,000 of CIFAR-100 [C] and 10,000 of ImageNet [R]; at 'full' on the
test set, as the paper does. Epochs are then of the remaining images.
"""

from collections.abc import Mapping
from typing import Any

import ml_collections

from nfnets_am import models
from nfnets_am.config import cells as cells_lib
from nfnets_am.config import schema
from nfnets_am.core import errors
from nfnets_am.core import registry
from nfnets_am.models import nfnet as model_lib

SCALES = ('full', 'validation', 'smoke')
# Of Foret et al. 2021; see above.
SAM_RHO = 0.05

TUNED_CELL = {
    'model': 'wide_resnet', 'multiplicity': 1, 'unique': 0, 'views': 0, 'neighbouring': 0,
    'epochs': 128, 'peak': 0.0625, 'seed': 0, 'scale': 'full'}
NFNET_CELL = {
    'model': 'nfnet_f2', 'multiplicity': 1, 'updates': 112_600, 'rho': 0.0, 'seed': 0,
    'scale': 'full'}

# Images held out at the scale 'validation'.
_HELD_OUT = {'cifar100': 5000, 'imagenet2012': 10_000}


def tuned(cell: str, **defaults: Any) -> ml_collections.ConfigDict:
  """Returns the config of a run whose learning rate is tuned.

  Args:
    cell: text of keys of TUNED_CELL; exactly one of `unique` and `views` is not 0.
    **defaults: other defaults of those keys than TUNED_CELL has.

  Raises:
    ConfigError: an unknown key, model or scale.
  """
  cell = cells_lib.parse_cell(cell, TUNED_CELL | defaults)
  check_scale(cell['scale'])
  config = schema.get_default()
  # One update costs a quarter of as many assignments, and there are thousands of cells.
  config.update({
      'multiplicity': cell['multiplicity'], 'unique': cell['unique'], 'views': cell['views'],
      'neighbouring': bool(cell['neighbouring']), 'budget': f'{cell["epochs"]} epochs',
      'seed': cell['seed']})
  _TUNED[cell['model']](config, cell)
  if cell['scale'] == 'validation':
    config.data.validation = _HELD_OUT[config.data.set]
    config.evals = ml_collections.ConfigDict(
        {'validation': {'name': 'accuracy', 'split': 'validation'}, **config.evals.to_dict()})
  return config


def _wide_resnet(config: ml_collections.ConfigDict, cell: Mapping[str, Any]) -> None:
  config.update({
      'data': {'set': 'cifar100', 'augment': 'pad_crop(pad=4) | flip() | normalise()',
               'apply': 'device'},
      'model': {'name': 'wide_resnet', 'depth': 16, 'width': 4},
      'schedule': {'name': 'halving', 'peak': cell['peak'], 'start': 0.5, 'every': 0.05,
                   'first_at_start': True},
      'penalty': 'l2(coefficient=5e-4)',
      'evals': {'train': {'name': 'accuracy', 'split': 'train'}},
      'log_every': '2 percent'})
  if cell['scale'] == 'smoke':
    config.data.set = 'fashion_mnist_small'
    config.data.train_images = 160
    config.model = ml_collections.ConfigDict({'name': 'wide_resnet_tiny'})


def _nf_resnet50(config: ml_collections.ConfigDict, cell: Mapping[str, Any]) -> None:
  _imagenet(config, augment=f"{_way(cell['scale'] == 'smoke', 224)} | normalise()", eval_size=224,
            eval_crop='crop_resize')
  config.update({
      'model': {'name': 'nf_resnet50', 'dropout': 0.25, 'stochastic_depth': 0.1},
      'objective': {'name': 'cross_entropy', 'label_smoothing': 0.1},
      'schedule': {'name': 'warmup_cosine', 'peak': cell['peak'], 'warmup': '5 epochs'},
      'optimizer': {'nesterov': True, 'weight_decay': 5e-5, 'decay_mask': 'no_gain_bias'},
      'evals': {'minibatch': {'name': 'accuracy', 'split': 'train', 'most': 1}}})
  if cell['scale'] == 'smoke':
    _imagenet_smoke(config)
    config.model.name = 'nf_resnet_tiny'
    config.schedule.warmup = '10 percent'


_TUNED = registry.Registry(
    'model of this experiment', {'wide_resnet': _wide_resnet, 'nf_resnet50': _nf_resnet50})


def nfnet(cell: str, **defaults: Any) -> ml_collections.ConfigDict:
  """Returns the config of an NFNet's run; cell and defaults as `tuned`, keys of NFNET_CELL."""
  cell = cells_lib.parse_cell(cell, NFNET_CELL | defaults)
  check_scale(cell['scale'])
  smoke = cell['scale'] == 'smoke'
  published = models.create_model(cell['model'], 1000)
  config = schema.get_default()
  config.multiplicity = cell['multiplicity']
  config.views = 32 if smoke else 4096
  config.budget = f'{cell["updates"]} updates'
  config.seed = cell['seed']
  # MixUp and CutMix on half of the rows each, then RandAugment with its published quirks.
  mixed = (
      "mix('mixup(alpha=0.2) | cutmix()', partners='fresh') | "
      f"randaugment(num_ops=4, magnitude={published.randaugment}, contrast='as_published', "
      "solarize='as_published')")
  _imagenet(config, augment=f'{_way(smoke, published.train_size)} | {mixed} | normalise()',
            eval_size=published.test_size, eval_crop='resize_crop_32')
  config.data.lanes = 32
  config.model = ml_collections.ConfigDict({
      'name': cell['model'], 'dropout': model_lib.VARIANTS[cell['model']].dropout,
      'stochastic_depth': 0.25})
  config.objective = ml_collections.ConfigDict({'name': 'cross_entropy', 'label_smoothing': 0.1})
  # 1.6 is 0.1 B / 256 (Brock et al. 2021b); section 5 halves it for every multiplicity above 1.
  config.schedule = ml_collections.ConfigDict({
      'name': 'warmup_cosine', 'peak': 1.6 if cell['multiplicity'] <= 1 else 0.8,
      'warmup': f'{5 * 1_281_167 / 4096} updates'})
  config.optimizer.nesterov = True
  config.optimizer.weight_decay = 2e-5
  config.optimizer.decay_mask = 'no_gain_bias'
  config.clip = ml_collections.ConfigDict({'name': 'agc', 'clip': 0.01})
  if cell['rho']:
    config.ascent = ml_collections.ConfigDict({'name': 'sam', 'rho': cell['rho']})
  config.ema = 0.99999
  config.dtype = 'bfloat16'
  config.checkpoint.every = '2 percent'
  if smoke:
    _imagenet_smoke(config)
    config.model.name = 'nfnet_tiny'
    config.schedule.warmup = '10 percent'
  return config


def _way(smoke: bool, size: int) -> str:
  return f'crop({28 if smoke else size}) | flip()'


def _imagenet(
    config: ml_collections.ConfigDict, *, augment: str, eval_size: int, eval_crop: str) -> None:
  config.update({
      'data': {'name': 'stream', 'set': 'imagenet2012', 'augment': augment, 'eval_size': eval_size,
               'eval_crop': eval_crop},
      'eval_batch': 1024, 'eval_every': '5 percent', 'log_every': '100 updates',
      'checkpoint': {'every': '5 percent'}})


def _imagenet_smoke(config: ml_collections.ConfigDict) -> None:
  """Pictures of `python -m nfnets_am.data.tools.stand_in --data_dir=runs/data --name=stand_in`."""
  config.data.set = 'stand_in'
  config.data.data_dir = 'runs/data'
  config.data.eval_size = 28
  config.data.lanes = 1
  config.eval_batch = 16
  config.eval_every = '50 percent'
  config.log_every = '2 updates'
  config.checkpoint.every = '50 percent'


def check_scale(scale: str) -> None:
  """Raises ConfigError for a scale that is not of SCALES."""
  if scale not in SCALES:
    raise errors.ConfigError(f'scale={scale!r}; allowed: {", ".join(SCALES)}')
