"""Draws the views of an update as a picture: rows are unique images, columns their views.

    python -m nfnets_am.contact_sheet --config=experiments/quickstart.py:multiplicity=4 \\
        --images=6 --out=docs/views.png
"""

import pathlib

from absl import flags
import jax.numpy as jnp
from ml_collections import config_flags
import numpy as np

from nfnets_am import cli
from nfnets_am import errors
from nfnets_am import run as run_lib
from nfnets_am.data import inputs
from nfnets_am.data import pipeline

_CONFIG = config_flags.DEFINE_config_file(
    'config', None, 'Experiment file, with a cell behind a colon if it has several.')
_OUT = flags.DEFINE_string('out', 'views.png', 'Where the picture goes.')
_UPDATE = flags.DEFINE_integer('update', 0, 'Which update.', lower_bound=0)
_IMAGES = flags.DEFINE_integer('images', 8, 'Unique images to show.', lower_bound=1)


def main() -> None:
  config = _CONFIG.value
  # A row of the sheet is an image, however the run lays them out.
  config.data.layout = 'image_major'
  run = run_lib.build(config)
  if isinstance(run.dataset, inputs.StreamInput):
    raise errors.ConfigError(
        f'data.crop={run.dataset.recipe.size}; allowed: 0, for sets in memory; '
        'python -m nfnets_am.data draws the views of streamed images')
  originals, views = update_views(run, _UPDATE.value)
  path = pathlib.Path(_OUT.value)
  draw(originals[:_IMAGES.value], views[:_IMAGES.value], path,
       title=f'{run.dataset.name}, update {_UPDATE.value}: {run.experiment.augmentation.text}')
  print(f'picture {path}')


def update_views(run: run_lib.Run, update: int) -> tuple[np.ndarray, np.ndarray]:
  """Returns what the model sees in an update, as pictures.

  Args:
    run: laid out image-major.
    update: from 0.

  Returns:
    The unique images and their views, float32 in [0, 1], [U, H, W, C] and [U, n, H, W, C].
  """
  split = run.dataset.splits['train']
  batch = next(iter(pipeline.host_batches(
      split, run.plan, run.experiment.augmentation, run.seeds['augment'], update, update + 1,
      apply='device')))
  augmentation = run.experiment.augmentation
  applied = pipeline.apply_on_device(augmentation, jnp.asarray(split.image), batch)
  seen = augmentation.finish(applied['image'], applied['draws'], run.dataset.mean, run.dataset.std)
  pixels = np.asarray(seen) * run.dataset.std + run.dataset.mean
  copies = run.derived.copies
  views = np.clip(pixels, 0, 1).reshape((-1, copies) + pixels.shape[1:])
  return split.image[batch['example'][::copies]] / np.float32(255), views


def draw(originals: np.ndarray, views: np.ndarray, path: pathlib.Path, title: str) -> None:
  """Writes the sheet: the original on the left, then its views."""
  import matplotlib
  matplotlib.use('Agg')
  from matplotlib import pyplot as plt

  rows, copies = views.shape[:2]
  fig, axes = plt.subplots(rows, copies + 1, squeeze=False, layout='constrained',
                           figsize=(1.1 * (copies + 1), 1.1 * rows + 0.5))
  for row, original, copies_of_it in zip(axes, originals, views, strict=True):
    for ax, image in zip(row, (original, *copies_of_it), strict=True):
      ax.imshow(image.squeeze(), cmap='gray', vmin=0, vmax=1, interpolation='nearest')
      ax.set_xticks([])
      ax.set_yticks([])
  axes[0, 0].set_title('original', fontsize=9)
  for view, ax in enumerate(axes[0, 1:]):
    ax.set_title(f'view {view + 1}', fontsize=9)
  fig.suptitle(title, fontsize=9)
  fig.savefig(path, dpi=120)
  plt.close(fig)


if __name__ == '__main__':
  flags.mark_flags_as_required(['config'])
  cli.run(main)
