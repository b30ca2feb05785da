"""Contact sheets of the ways to mix, on images of a data set; figure2_1.py and figure2_2.py."""

from collections.abc import Sequence
import math
import pathlib

import ml_collections
import numpy as np

from experiments.summers2021 import recipes
from nfnets_am.config import schema
from nfnets_am.core import errors
from nfnets_am.data.tools import contact_sheet
from nfnets_am.training import run as run_lib
from nfnets_am.training import sections

# Images of an update, among which partners are; so many pairs can be shown.
_UPDATE = 16


def config_of(method: str, data_set: str, data_dir: str, size: int, seed: int
              ) -> ml_collections.ConfigDict:
  """Returns a config whose first update is drawn.

  Partners are of the same update, so that the update without mixing shows them as they are mixed.

  Args:
    method: of recipes.METHODS; the baseline does not mix.
    data_set: as `data.set` has it.
    data_dir: where it is; '' is the usual place.
    size: pixels of a crop, of a set of encoded images; 0 for one that is held in memory.
    seed: of order and draws.
  """
  config = schema.get_default()
  config.unique = _UPDATE
  config.seed = seed
  config.budget = '1 updates'
  config.data.set = data_set
  normalise = recipes.PER_IMAGE_CALL if method in recipes.PER_IMAGE else 'normalise()'
  channels = 3
  if size:
    config.data.name = 'stream'
    # One order of all images, not of each lane's.
    config.data.lanes = 1
    first = f'crop({size}) | flip() | {normalise}'
  else:
    config.data.apply = 'device'
    first = f'{normalise} | pad_crop(pad=4) | flip()'
    channels = 1 if 'mnist' in data_set else 3
  if data_dir:
    config.data.data_dir = data_dir
  mixed = '' if method == recipes.BASELINE else (
      f" | mix('{recipes.call(method, channels)}', partners='batch')")
  config.data.augment = first + mixed
  return sections.complete(config)


def draw(methods: Sequence[str], path: pathlib.Path, *, data_set: str, data_dir: str = '',
         size: int = 0, pairs: int = 4, seed: int = 0, across: int = 10) -> None:
  """Draws pairs of images and what each method makes of them.

  Args:
    methods: of recipes.MIXED.
    path: PNG to write.
    data_set, data_dir, size, seed: see `config_of`.
    pairs: rows of the update that are shown.
    across: pictures in a line; a pair takes as many lines as it needs.

  Raises:
    UserError: more pairs than an update has rows, or none.
  """
  import matplotlib
  matplotlib.use('Agg')
  from matplotlib import pyplot as plt

  if not 1 <= pairs <= _UPDATE:
    raise errors.UserError(f'--pairs={pairs}; allowed: 1 to {_UPDATE}')
  shown = cells(methods, data_set=data_set, data_dir=data_dir, size=size, pairs=pairs, seed=seed)
  lines = math.ceil(len(shown[0]) / across)
  side = 1.15 if not size else 1.6
  fig, axes = plt.subplots(pairs * lines, min(across, len(shown[0])), squeeze=False,
                           layout='constrained', figsize=(side * across,
                                                          (side + 0.3) * pairs * lines + 0.4))
  for ax in axes.flat:
    ax.axis('off')
  for i, row in enumerate(shown):
    for j, (image, text) in enumerate(row):
      ax = axes[i * lines + j // across, j % across]
      ax.imshow(image.squeeze(), cmap='gray', vmin=0, vmax=1, interpolation='nearest')
      ax.set_title(text, fontsize=6)
  fig.suptitle(f'{data_set}: two images and their mixtures; the share is of the first label',
               fontsize=8)
  path.parent.mkdir(parents=True, exist_ok=True)
  fig.savefig(path, dpi=120)
  plt.close(fig)


def cells(methods: Sequence[str], *, data_set: str, data_dir: str, size: int, pairs: int, seed: int
          ) -> list[list[tuple[np.ndarray, str]]]:
  """Returns for each pair its pictures, float32 [H, W, C] in [0, 1], and their captions.

  The first two are the row's own view and its partner's, then one of each method.
  """
  plain, views = _update(recipes.BASELINE, data_set, data_dir, size, seed)
  rows: list[list[tuple[np.ndarray, str]]] = []
  for method in methods:
    mixed, batch = _update(method, data_set, data_dir, size, seed)
    # The rows of an update are the same ones, whatever is done to them.
    if not rows:
      for row in range(pairs):
        partner = int(np.flatnonzero(views['example'] == batch['partner_example'][row])[0])
        rows.append([(plain[i], f'image {views["example"][i]},\nclass {views["label"][i]}')
                     for i in (row, partner)])
    for row in range(pairs):
      rows[row].append((mixed[row], f'{recipes.title(method)}\n{batch["weight"][row]:.2f}'))
  return rows


def _update(method: str, data_set: str, data_dir: str, size: int, seed: int):
  run = run_lib.build(config_of(method, data_set, data_dir, size, seed))
  batch = next(run.dataset.train_batches(run.plan, run.seeds.augment, 0, 1))
  return contact_sheet.pictures(run.dataset, batch), batch
