"""Contact sheets: the views of an update as a picture; rows are unique images, columns their views.
"""

import pathlib
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from nfnets_am.data import inputs


def draw(data: inputs.Input, batch: dict[str, Any], path: pathlib.Path, *, images: int = 8,
         title: str = '') -> None:
  """Draws the views of a batch of any input as the model sees them, normalisation undone.

  On the left stand the stored images, where a set in memory has them. Above a view of encoded
  images stands its label; above a mixed one both labels, the own weight and the partner.

  Args:
    data: the input.
    batch: one of its training batches, in any layout.
    path: PNG to write.
    images: how many unique images.
    title: of the sheet; '' is the set's name and its augmentation.
  """
  import matplotlib
  matplotlib.use('Agg')
  from matplotlib import pyplot as plt

  seen = pictures(data, batch)
  stored = getattr(data.splits['train'], 'image', None)
  examples = list(dict.fromkeys(batch['example'].tolist()))[:images]
  rows = [np.flatnonzero(batch['example'] == example) for example in examples]
  first = int(stored is not None)
  columns = first + max(map(len, rows))
  # Of small images more fit a page, and a mixed row needs place for two lines.
  side = 1.1 if seen.shape[1] <= 64 else 1.5
  height = side + (0.4 if 'weight' in batch else 0.2)
  fig, axes = plt.subplots(len(rows), columns, squeeze=False, layout='constrained',
                           figsize=(side * columns, height * len(rows) + 0.5))
  for row, example, places in zip(axes, examples, rows, strict=True):
    shown = [(seen[r], caption(batch, r)) for r in places]
    if first:
      shown.insert(0, (stored[example] / np.float32(255), f'image {example}'))
    for ax, (image, text) in zip(row, shown, strict=False):
      ax.imshow(image.squeeze(), cmap='gray', vmin=0, vmax=1, interpolation='nearest')
      ax.set_title(text, fontsize=6)
    for ax in row:
      ax.set_xticks([])
      ax.set_yticks([])
    row[0].set_ylabel(f'image {example}', fontsize=7)
  fig.suptitle(title or f'{data.name}: {data.augmentation.text}', fontsize=8, wrap=True)
  fig.savefig(path, dpi=120)
  plt.close(fig)


def caption(batch: dict[str, Any], row: int) -> str:
  """Returns what a row's label is: '3', or '0.71 of 3, else 8 (image 17)' where it is mixed."""
  label = str(batch['label'][row])
  if 'weight' not in batch:
    return label
  return (f'{batch["weight"][row]:.2f} of {label}, else {batch["partner_label"][row]}\n'
          f'(image {batch["partner_example"][row]})')


def pictures(data: inputs.Input, batch: dict[str, Any]) -> np.ndarray:
  """Returns the rows of a batch as pictures, float32 in [0, 1], [R, H, W, C]."""
  prepare = data.preparation
  pool = None if data.pool is None else jnp.asarray(data.pool)
  rows = jax.jit(prepare.prepare)(pool, prepare.pack(batch, 1))
  return np.asarray(
      data.augmentation.normalise.undo(rows['inputs'].astype(jnp.float32)), np.float32)
