"""Fort et al. 2021, Figure 1: two forms of augmentation multiplicity, shown on images with n = 2.

    python -m experiments.fort2021.figure1 --out=FILE.png
    python -m experiments.fort2021.figure1 --out=FILE.png --set=cifar100
    python -m experiments.fort2021.figure1 --out=FILE.png --set=folder:PATH --size=128

The paper draws a scheme; here training's own code makes its updates. On top is an update with one
view of each image; below it the two forms with two views: the batch grows and the unique images
stay (section 2), or the batch is fixed and half as many images are in it (section 3). Columns are
unique images, the same ones everywhere, and their views stand below each other. Without --set the
images are the bundled ones.
"""

import pathlib
from typing import Any

from absl import flags
import ml_collections
import numpy as np

from nfnets_am.config import schema
from nfnets_am.core import cli
from nfnets_am.data.tools import contact_sheet
from nfnets_am.training import run as run_lib
from nfnets_am.training import sections

# What is drawn: a title, and the numbers of the update.
FORMS = (
    ('n = 1: U = {u} images, B = {u} views', {'multiplicity': 1, 'keep': 'unique'}),
    ('n = 2, U kept: U = {u} images, B = {twice} views (growing batch)',
     {'multiplicity': 2, 'keep': 'unique'}),
    ('n = 2, B kept: U = {half} images, B = {u} views (fixed batch)',
     {'multiplicity': 2, 'keep': 'views'}))


def config_of(form: dict[str, Any], rows: int, data_set: str, data_dir: str, size: int, seed: int
              ) -> ml_collections.ConfigDict:
  """Returns a config whose first update is drawn.

  Args:
    form: numbers of FORMS.
    rows: of the update without multiplicity, U = B.
    data_set: as `data.set` has it.
    data_dir: where it is; '' is the usual place.
    size: pixels of a crop, of a set of encoded images; 0 for one that is held in memory.
    seed: of order and draws.
  """
  config = schema.get_default()
  config.update({'multiplicity': form['multiplicity'], form['keep']: rows, 'seed': seed,
                 'budget': '1 updates', 'data': {'set': data_set}})
  if size:
    # One order of all images, not of each lane's.
    config.data.update({'name': 'stream', 'lanes': 1,
                        'augment': f'crop({size}) | flip() | normalise()'})
  else:
    config.data.update({'apply': 'device', 'augment': 'pad_crop(pad=4) | flip() | normalise()'})
  if data_dir:
    config.data.data_dir = data_dir
  return sections.complete(config)


def views(form: dict[str, Any], **where: Any) -> list[tuple[int, np.ndarray]]:
  """Returns (example, its views [n, H, W, C], float32 in [0, 1]) of the first update of a form.

  Args:
    form: numbers of FORMS.
    **where: further arguments of config_of.
  """
  run = run_lib.build(config_of(form, **where))
  batch = next(run.dataset.train_batches(run.plan, run.seeds.augment, 0, 1))
  seen = contact_sheet.pictures(run.dataset, batch)
  examples = dict.fromkeys(batch['example'].tolist())
  return [(example, seen[batch['example'] == example]) for example in examples]


def draw(path: pathlib.Path, *, rows: int = 8, **where: Any) -> None:
  """Draws the three updates.

  Args:
    path: PNG to write.
    rows: of the update without multiplicity; even.
    **where: further arguments of config_of.
  """
  from matplotlib import figure

  fig = figure.Figure(figsize=(0.8 * rows, 5.4), layout='constrained', dpi=150)
  parts = fig.subfigures(len(FORMS), 1, height_ratios=(1.4, 2.4, 2.4))
  for part, (title, form) in zip(parts, FORMS, strict=True):
    part.suptitle(title.format(u=rows, twice=2 * rows, half=rows // 2), fontsize=8)
    axes = part.subplots(form['multiplicity'], rows, squeeze=False)
    for ax in axes.flat:
      ax.axis('off')
    for column, (example, shown) in zip(axes.T, views(form, rows=rows, **where), strict=False):
      column[0].set_title(f'image {example}', fontsize=6)
      for ax, image in zip(column, shown, strict=True):
        ax.imshow(image.squeeze(), cmap='gray', vmin=0, vmax=1, interpolation='nearest')
  path.parent.mkdir(parents=True, exist_ok=True)
  fig.savefig(path)


def main() -> None:
  path = pathlib.Path(flags.FLAGS.out)
  draw(path, data_set=flags.FLAGS.set, data_dir=flags.FLAGS.data_dir, size=flags.FLAGS.size,
       seed=flags.FLAGS.seed)
  print(f'picture {path}')


if __name__ == '__main__':
  flags.DEFINE_string('out', None, 'PNG to write.', required=True)
  flags.DEFINE_string('set', 'fashion_mnist_small', 'Data set, as data.set has it.')
  flags.DEFINE_string('data_dir', '', 'Where it is, if not where it usually is.')
  flags.DEFINE_integer(
      'size', 0, 'Pixels of a crop, of a set of encoded images; 0 for one in memory.',
      lower_bound=0)
  flags.DEFINE_integer('seed', 0, 'Of the order and of all draws.')
  cli.run(main)
