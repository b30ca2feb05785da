"""Summers 2021, chapter 3, in miniature: robust networks on Fashion-MNIST and two CPU cores.

    python -m launch.sweep --experiment=experiments/summers2021/robust_small.py \\
        --workdir=runs/summers2021_robust_small --jobs=2
    python -m experiments.summers2021.robust_small_report \\
        --workdir=runs/summers2021_robust_small --out=docs/results

Tables 3.1, 3.2 and 3.6 with the histograms of figures 3.1 and 3.2, and of the text: squeezing with
and without pairing, a little label smoothing, mixup, and decoupled pairing alone. Methods of the
tables come first, seed by seed, then the others, then the black box, so that it can be stopped
early; the same commands again go on. 'smoke' does all of it in a few updates.

About 25 minutes on two cores: a run takes 60 to 130 seconds of one, half of it for its attacks.

The thesis prints no number for this. Choices:
- images: the 10,000 for training and 2,000 for testing of the bundled set; padded by 2, cropped and
  flipped. Seeds change weights, order, draws and attacks.
- network: Madry's layers, two stages of one unit with 8 and 16 channels: 4,962 weights.
- attacks: an epsilon of 0.1, with steps of 0.026, as much of it as the thesis'. In training 4 steps
  of 0.05, from a random start.
- strong attacks, on the first test images alone: PGD of 100 steps and five restarts of 20 steps on
  250, SPSA on 48. Each is held against PGD-20 on the same images.
- schedule: 800 updates of 32 images with adversarial images, twice as many without, as in the
  thesis; the rate rises over 5% and falls to a tenth at 50% and at 75%.
- methods: as on CIFAR-10, label smoothing alone with s = 0.75, squeezing with a weight of 0.05. The
  gradient of decoupled pairing goes to the adversarial logits: with both, losses are not finite
  after some 40 updates, at ratios of 0.125 and of 0.95.
- black box: the target has the seed after the source's. It is the runs' own folders that are named,
  as get_config has them: --set does not reach those.
"""

from collections.abc import Iterator
from typing import Any

import ml_collections

from experiments.summers2021 import robust
from experiments.summers2021 import robust_small_claims
from nfnets_am.config import cells as cells_lib
from nfnets_am.config import schema
from nfnets_am.core import errors
from nfnets_am.sweeps import experiment_file

_CELL = {'method': 'regular', 'black_box': 0, 'seed': 0, 'scale': 'small'}
# Scale -> training images, updates, views, evaluated images, of SPSA, its iterations, seeds.
_SCALES = {'small': (10_000, 800, 32, 2000, 48, 50, 3), 'smoke': (64, 4, 16, 16, 2, 2, 2)}
_EPSILON, _STEP = 0.1, 0.026
_ATTACK = f'pgd(epsilon={_EPSILON}, step_size=0.05, steps=4)'
_ADVERSARIAL = {'name': 'adversarial', 'attack': _ATTACK}
_ALP = {**_ADVERSARIAL, 'pairing': 'squared(coefficient=0.5)'}
_DECOUPLED = {**_ADVERSARIAL, 'pairing': "decoupled(ratio=0.125, beta=1e-3, to='adversarial')"}
_SQUEEZING = {'squeezing': 0.05}


def _smoothed(s: float) -> dict[str, Any]:
  return {'name': 'cross_entropy', 'label_smoothing': s, 'spread': 'others'}


# Of the tables, then of the text.
_OBJECTIVES = {
    'regular': {'name': 'cross_entropy'},
    'label_smoothing': _smoothed(0.75),
    'pgd': _ADVERSARIAL,
    'alp': _ALP,
    'lrm': {**_DECOUPLED, 'label_smoothing': 0.1},
    'smoothing_01': _smoothed(0.01),
    'mixup': {'name': 'cross_entropy'},
    'decoupled': _DECOUPLED,
    'squeezed': {**_ADVERSARIAL, **_SQUEEZING},
    'alp_squeezed': {**_ALP, **_SQUEEZING},
}
_TABLES = robust_small_claims.METHODS
_TEXT = tuple(method for method in _OBJECTIVES if method not in _TABLES)
_MIXED = ('lrm', 'mixup')


def get_config(cell: str = '') -> ml_collections.ConfigDict:
  """Returns the config of a cell such as 'method=lrm,seed=1'.

  Raises:
    ConfigError: an unknown key, method or scale.
  """
  said = cells_lib.parse_cell(cell, _CELL)
  for key, allowed in (('method', _OBJECTIVES), ('scale', _SCALES)):
    if said[key] not in allowed:
      raise errors.ConfigError(f'{key}={said[key]!r}; allowed: {", ".join(allowed)}')
  method, scale = said['method'], said['scale']
  train_images, updates, views, tested, _, _, seeds = _SCALES[scale]
  mixed = " | mix('vh_mixup(alpha=1)')" if method in _MIXED else ''
  objective = _OBJECTIVES[method]
  longer = 2 if objective['name'] == 'cross_entropy' else 1
  config = schema.get_default()
  config.update({
      'views': views, 'seed': said['seed'], 'budget': f'{longer * updates} updates',
      'data': {'set': 'fashion_mnist_small', 'train_images': train_images, 'apply': 'device',
               'augment': f'pad_crop(pad=2) | flip(){mixed} | normalise(mean=0, std=1)'},
      'model': {'name': 'madry_resnet_tiny'}, 'objective': dict(objective),
      'schedule': {'name': 'piecewise', 'peak': 0.05, 'warmup': '5 percent',
                   'boundaries': ('50 percent', '75 percent'), 'scales': (1.0, 0.1, 0.01)},
      'penalty': "l2(coefficient=2e-4, mask='kernels')",
      'eval_every': '100 percent', 'log_every': '10 percent',
      'checkpoint': {'every': '100 percent', 'keep': 1}})
  config.evals = ml_collections.ConfigDict(_evals(method, scale))
  if said['black_box']:
    targets = {target: _folder(target, (said['seed'] + 1) % seeds, scale) for target in _TABLES}
    config.measure = (
        f'black_box(source={_folder(method, said["seed"], scale)!r}, target={targets!r}, '
        f'attack="pgd(epsilon={_EPSILON}, step_size={_STEP}, steps=10)", batch={min(500, tested)}, '
        f'most={max(1, tested // 500)})')
  return config


def _evals(method: str, scale: str) -> dict[str, dict[str, Any]]:
  """The attacks that a method's claims and tables need; what is kept is held image by image."""
  _, _, _, tested, few, iterations, _ = _SCALES[scale]
  whole = {'batch': min(500, tested), 'most': max(1, tested // 500)}
  part = {'batch': min(250, tested), 'most': 1}
  pgd = lambda steps, where, **keys: {
      'name': 'pgd', 'epsilon': _EPSILON, 'step_size': _STEP, 'steps': steps, **where, **keys}
  found = {'test': {'name': 'accuracy', 'keep': True, **whole}, 'pgd10': pgd(10, whole)}
  if method in _TABLES or _OBJECTIVES[method]['name'] == 'cross_entropy':
    found['fgsm'] = {'name': 'fgsm', 'epsilon': _EPSILON, **whole}
  if method in _TABLES:
    found |= {
        'pgd5': pgd(5, whole), 'pgd20': pgd(20, whole, keep=True),
        'pgd100': pgd(100, part, keep=True),
        'restarts': pgd(20, part, restarts=5, keep=True),
        'spsa': {'name': 'spsa', 'epsilon': _EPSILON, 'iterations': iterations, 'samples': 64,
                 'batch': few, 'most': 1, 'keep': True}}
  return found


def _folder(method: str, seed: int, scale: str) -> str:
  """The folder of a training run, beside that of the cell that measures it."""
  return robust.folder(get_config, method=method, seed=seed, scale=scale)


def get_sweep(scale: str = 'small') -> experiment_file.Sweep:
  """Returns the runs of a scale."""
  if scale not in _SCALES:
    raise errors.ConfigError(f'scale={scale}; allowed: {", ".join(_SCALES)}')
  return experiment_file.Sweep(
      title='Summers 2021, chapter 3, in miniature, on Fashion-MNIST', cells=tuple(_cells(scale)),
      metric='pgd10/top1', others=robust_small_claims.OTHERS, claims=robust_small_claims.claims())


def _cells(scale: str) -> Iterator[dict[str, Any]]:
  extra = {} if scale == 'small' else {'scale': scale}
  for methods, black_box in ((_TABLES, 0), (_TEXT, 0), (_TABLES, 1)):
    for seed in range(_SCALES[scale][-1]):
      for method in methods:
        yield {'method': method, 'black_box': black_box, 'seed': seed, **extra}
