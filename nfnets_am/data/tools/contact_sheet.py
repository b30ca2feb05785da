"""Contact sheets: the views of an update as a picture; rows are unique images, columns their views.
"""

import pathlib
from typing import Any

import jax.numpy as jnp
import numpy as np

from nfnets_am.data import inputs
from nfnets_am.data import ops
from nfnets_am.data import views as views_lib
from nfnets_am.data.memory import batches as memory_batches
from nfnets_am.data.memory import input as memory
from nfnets_am.data.stream import input as stream
from nfnets_am.data.stream import order as stream_order


def draw(data: inputs.Input, plan: Any, augmentation: ops.Augmentation, augment_seed: int,
         batch: dict[str, Any], path: pathlib.Path, *, images: int = 8) -> None:
  """Draws the views of the first update of an input, in memory or streamed.

  Args:
    data: the input.
    plan: of it.
    augmentation: of it.
    augment_seed: of it.
    batch: its first batch, in any layout.
    path: PNG to write.
    images: how many rows.
  """
  if isinstance(data, stream.StreamInput):
    draw_streamed(data, plan, batch, path, images=images)
    return
  originals, views = update_views(data, plan, augmentation, augment_seed, 0)
  draw_stored(originals[:images], views[:images], path,
              title=f'{data.name}, first update: {augmentation.text}')


def update_views(data: memory.MemoryInput, plan: views_lib.ViewPlan,
                 augmentation: ops.Augmentation, augment_seed: int, update: int,
                 ) -> tuple[np.ndarray, np.ndarray]:
  """Returns what the model sees of a set in memory in an update, as pictures.

  Args:
    data: the input.
    plan: of it.
    augmentation: of it.
    augment_seed: of it.
    update: from 0.

  Returns:
    The unique images and their views, float32 in [0, 1], [U, H, W, C] and [U, n, H, W, C].
  """
  split = data.splits['train']
  batch = next(iter(memory_batches.host_batches(
      split, plan, augmentation, augment_seed, update, update + 1, apply='device')))
  applied = memory_batches.apply_on_device(augmentation, jnp.asarray(split.image), batch)
  seen = augmentation.finish(applied['image'], applied['draws'], data.mean, data.std)
  pixels = np.clip(np.asarray(seen) * data.std + data.mean, 0, 1)
  examples = np.array(list(dict.fromkeys(batch['example'].tolist())))
  rows = np.stack([np.flatnonzero(batch['example'] == example) for example in examples])
  return split.image[examples] / np.float32(255), pixels[rows]


def draw_stored(originals: np.ndarray, views: np.ndarray, path: pathlib.Path, title: str) -> None:
  """Writes a sheet: the original on the left, then its views; arrays as of update_views."""
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


def draw_streamed(data: stream.StreamInput, plan: stream_order.StreamPlan, batch: dict[str, Any],
                  path: pathlib.Path, *, images: int = 8) -> None:
  """Draws the views of a batch: rows are unique images, columns their views.

  Above a view stands its label; above a mixed one both labels, the own weight and the partner.

  Args:
    data: the input.
    plan: of it.
    batch: one of its batches, in any layout.
    path: PNG to write.
    images: how many rows.
  """
  import matplotlib
  matplotlib.use('Agg')
  from matplotlib import pyplot as plt

  examples = list(dict.fromkeys(batch['example'].tolist()))[:images]
  copies = plan.copies
  fig, axes = plt.subplots(len(examples), copies, squeeze=False, layout='constrained',
                           figsize=(1.5 * copies, 1.85 * len(examples)))
  for row, example in zip(axes, examples, strict=True):
    for ax, r in zip(row, np.flatnonzero(batch['example'] == example), strict=True):
      ax.imshow(batch['image'][r])
      title = f'{batch["label"][r]}'
      if 'weight' in batch:
        title = (f'{batch["weight"][r]:.2f} of {title}, else {batch["partner_label"][r]}\n'
                 f'(image {batch["partner_example"][r]})')
      ax.set_title(title, fontsize=7)
      ax.set_xticks([])
      ax.set_yticks([])
    row[0].set_ylabel(f'image {example}', fontsize=7)
  fig.suptitle(f'{data.name}, {data.recipe.size} px', fontsize=9)
  fig.savefig(path, dpi=100)
  plt.close(fig)
