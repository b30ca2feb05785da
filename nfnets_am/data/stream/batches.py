"""Streamed images to batches of views: decode once, crop, flip, mix, RandAugment, uint8."""

from collections.abc import Iterator
import dataclasses
from typing import Any

import numpy as np

from nfnets_am.core import errors
from nfnets_am.data import tensorflow
from nfnets_am.data import views
from nfnets_am.data.ops import crops
from nfnets_am.data.ops import mixing as mixing_lib
from nfnets_am.data.ops import randaugment as randaugment_lib
from nfnets_am.data.stream import order as stream_order
from nfnets_am.data.stream import records as records_lib
from nfnets_am.data.stream import visits


@dataclasses.dataclass(frozen=True, kw_only=True)
class Recipe:
  """What happens to an image between its JPEG and the device, which normalises it.

  Attributes:
    size: S, pixels of a crop's side.
    mixing: or None.
    randaugment: acts on the mixed image; or None.
  """
  size: int
  mixing: mixing_lib.Mixing | None = None
  randaugment: randaugment_lib.RandAugment | None = None

  def __post_init__(self):
    if type(self.size) is not int or self.size < 8:
      raise errors.ConfigError(f'data.crop is {self.size!r}; allowed: integers from 8, in pixels')

  @property
  def fresh(self) -> bool:
    """Whether updates read as many further images, to mix with."""
    return self.mixing is not None and self.mixing.partners == 'fresh'


def host_batches(records: records_lib.Records, plan: stream_order.StreamPlan, recipe: Recipe,
                 augment_seed: int, start: int, stop: int, *, parallel: int | None = None,
                 prefetch: int = 2) -> Iterator[dict[str, Any]]:
  """Yields this host's part of updates start .. stop - 1; like `pipeline.host_batches`.

  Each unique image is decoded once per visit, and partners='fresh' decodes as many further ones.

  Args:
    records: the split.
    plan: which rows each update holds; multiplicity 0 means centre crops without draws.
    recipe: crop, mixing, RandAugment.
    augment_seed: in [0, 2**32).
    start: first update.
    stop: one past the last update.
    parallel: images or rows worked on at once; None lets tf.data choose. The views are the same.
    prefetch: updates made ahead of their use.

  Yields:
    'image' uint8 [R, S, S, 3], 'label' and 'example' int32 [R], 'draws' {}, and where images are
    mixed 'partner_label' and 'partner_example' int32 [R] and 'weight' float32 [R], the share of the
    row's own label. Arrays are read-only.

  Raises:
    errors.ConfigError: mixing lacks partners.
    errors.UserError: a record is bad; the sentence names it.
  """
  check(records, plan, recipe)
  maker = _Maker(records, plan, recipe, augment_seed)
  iterator = maker.dataset(start, stop, parallel, prefetch).as_numpy_iterator()
  for update in range(start, stop):
    try:
      made = next(iterator)
    except tensorflow.import_tensorflow().errors.OpError as e:
      raise errors.UserError(maker.fault(update) or str(e)) from e
    yield maker.batch(update, made)


def check(records: records_lib.Records, plan: stream_order.StreamPlan, recipe: Recipe) -> None:
  """Raises errors.ConfigError if the recipe mixes and the plan's updates lack partners."""
  _Maker(records, plan, recipe, 0).check()


class _Maker:
  """The parts of `host_batches`."""

  def __init__(self, records, plan, recipe, augment_seed):
    self._records, self._plan, self._seed = records, plan, augment_seed
    if not plan.multiplicity:
      recipe = dataclasses.replace(recipe, mixing=None, randaugment=None)
    self._recipe, self._mixing = recipe, recipe.mixing
    self._unique, self._copies = plan.share, plan.copies
    rows = np.arange(plan.rows, dtype=np.int32)
    # Row of view i of image u, [U, n]; and the image of each row.
    self._row = (rows.reshape(self._unique, -1) if plan.layout == 'image_major'
                 else rows.reshape(-1, self._unique).T)
    self._image = np.empty(plan.rows, np.int32)
    self._image[self._row] = np.arange(self._unique)[:, None]

  def check(self) -> None:
    if self._mixing:
      self._pair(0)

  def dataset(self, start: int, stop: int, parallel: int | None, prefetch: int) -> Any:
    tf = tensorflow.import_tensorflow()
    parallel = parallel or tf.data.AUTOTUNE
    taken = [visits.visits(self._records, self._plan, start, stop)]
    if self._recipe.fresh:
      taken.append(
          visits.visits(self._records, self._plan, start, stop, self._plan.elsewhere))
    drawn = _generated(tf, self._image_draws, start, stop)
    dataset = tf.data.Dataset.zip((tuple(taken), drawn)).unbatch()
    dataset = dataset.map(self._image_views, num_parallel_calls=parallel)
    dataset = dataset.batch(self._unique, drop_remainder=True)
    if self._mixing:
      drawn = _generated(tf, self._row_draws, start, stop)
      row = tf.function(self._finish_row, jit_compile=True)
      dataset = tf.data.Dataset.zip((dataset, drawn))
      dataset = dataset.flat_map(self._rows_of)
      dataset = dataset.map(lambda own, partner, drawn, label: (row(own, partner, drawn), label),
                            num_parallel_calls=parallel)
      dataset = dataset.batch(self._plan.rows, drop_remainder=True)
    else:
      dataset = dataset.map(lambda views, label: (self._lay_out(views[0]), label))
    options = tf.data.Options()
    options.deterministic = True
    return dataset.prefetch(prefetch).with_options(options)

  def batch(self, update: int, made: tuple) -> dict[str, Any]:
    image, label = made
    rows = self._plan.update(update)
    if self._mixing:
      pool, partner = self._pair(update)
      own, other = label[:, 0], label[:, 1]
      batch = {'partner_label': other.astype(np.int32), 'partner_example': pool.example[partner],
               'weight': self._mix_draws(rows)['weight']}
    else:
      own, batch = label[self._image, 0], {}
    for labels, examples in ((own, rows.example),
                             (batch.get('partner_label', own),
                              batch.get('partner_example', rows.example))):
      wrong = np.flatnonzero((labels < 0) | (labels >= self._records.num_classes))
      if len(wrong):
        raise errors.UserError(records_lib.find_fault(self._records, examples[wrong[:1]]))
    return {'image': image, 'label': own.astype(np.int32), 'example': rows.example, 'draws': {},
            **batch}

  def fault(self, update: int) -> str | None:
    """Names a bad record of the update, or of those it takes partners from."""
    found = visits.fault(self._records, self._plan, update)
    if not found and self._recipe.fresh:
      found = visits.fault(self._records, self._plan, self._plan.elsewhere(update))
    return found

  def _pool(self, update: int) -> views.Rows:
    """The rows that partners are chosen from."""
    if self._recipe.fresh:
      return self._plan.update(self._plan.elsewhere(update))
    return self._plan.update(update)

  def _pair(self, update: int) -> tuple[views.Rows, np.ndarray]:
    rows = self._plan.update(update)
    pool = self._pool(update) if self._recipe.fresh else rows
    return pool, mixing_lib.pair(rows, pool, self._seed, update, groups=self._plan.host_lanes)

  def _mix_draws(self, rows: views.Rows) -> dict[str, np.ndarray]:
    position = self._image + self._plan.first
    return self._mixing.draws(self._seed, rows, position, self._recipe.size, self._recipe.size)

  def _image_draws(self, update: int) -> dict[str, Any]:
    """What each image needs: name -> [U, n, ...] for its own crops and its stand-in's."""
    size, drawn = self._recipe.size, {'own': self._plan.update(update)}
    if self._recipe.fresh:
      drawn['partner'] = self._pool(update)
    by_image = lambda tree: {k: v[self._row] for k, v in tree.items()}
    result = {name: by_image(crops.draws(
        self._seed, rows, 'crop' if name == 'own' else 'partner_crop'))
              for name, rows in drawn.items()}
    if self._recipe.randaugment and not self._mixing:
      result['randaugment'] = by_image(
          self._recipe.randaugment.draws(self._seed, drawn['own'], size, size))
    return result

  def _row_draws(self, update: int) -> dict[str, Any]:
    """What each row needs once all crops of the update are there: name -> [R, ...]."""
    rows, size = self._plan.update(update), self._recipe.size
    _, partner = self._pair(update)
    # Crops lie image by image, view by view.
    stored = np.empty(self._plan.rows, np.int32)
    stored[self._row.reshape(-1)] = np.arange(self._plan.rows)
    drawn = {'own': stored, 'partner': stored[partner], 'mix': self._mix_draws(rows)}
    if self._recipe.randaugment:
      drawn['randaugment'] = self._recipe.randaugment.draws(self._seed, rows, size, size)
    return drawn

  def _image_views(self, serialized: tuple, drawn: dict[str, Any]) -> tuple:
    """Crops of one image, and of the one that is read to mix with: ([n, S, S, 3], ...), labels."""
    tf = tensorflow.import_tensorflow()
    cut, labels = [], []
    for record, key in zip(serialized, ('own', 'partner'), strict=False):
      encoded, label = self._records.parse(record)
      cut.append(self._cut(encoded, drawn[key]))
      labels.append(label)
    if 'randaugment' in drawn:
      apply = tf.function(self._recipe.randaugment.apply, jit_compile=True)
      cut = [tf.stack([
          apply(cut[0][i], {k: v[i] for k, v in drawn['randaugment'].items()})
          for i in range(self._copies)])]
    return tuple(cut), tf.stack(labels)

  def _cut(self, encoded: Any, drawn: dict[str, Any]) -> Any:
    """uint8 [n, S, S, 3] from the bytes of an image, decoded once."""
    tf = tensorflow.import_tensorflow()
    size = self._recipe.size
    if not self._plan.multiplicity:
      return crops.crop_resize(records_lib.decode(encoded), size)[None]
    # Not this host's share of the views: the pixels must not depend on the hosts.
    total = self._copies * self._plan.host_group
    whole = lambda: crops.views_of(records_lib.decode(encoded), drawn, size, total)
    if total > 1:
      return whole()
    # Only a JPEG that ends with the end-of-image marker is complete for certain. The rare others,
    # cut off or with bytes behind their end, are for the full decoder to judge.
    complete = tf.io.is_jpeg(encoded) & (tf.strings.substr(encoded, -2, 2) == b'\xff\xd9')
    return tf.cond(complete, lambda: crops.view_of_bytes(encoded, drawn, size), whole)

  def _rows_of(self, made: tuple, drawn: dict[str, Any]) -> Any:
    """A dataset of the rows of one update: own and partner's crop, draws, both labels."""
    tf = tensorflow.import_tensorflow()
    cut, label = made
    size = self._recipe.size
    own, pool = (tf.reshape(x, [-1, size, size, 3]) for x in (cut[0], cut[-1]))
    copies = self._copies

    def row(drawn):
      drawn = dict(drawn)
      mine, partner = drawn.pop('own'), drawn.pop('partner')
      labels = tf.stack([label[mine // copies, 0], label[partner // copies, -1]])
      return own[mine], pool[partner], drawn, labels

    return tf.data.Dataset.from_tensor_slices(drawn).map(row)

  def _finish_row(self, own: Any, partner: Any, drawn: dict[str, Any]) -> Any:
    image = self._mixing.apply(own, partner, drawn['mix'])
    if self._recipe.randaugment:
      image = self._recipe.randaugment.apply(image, drawn['randaugment'])
    return image

  def _lay_out(self, image: Any) -> Any:
    """uint8 [U, n, S, S, 3] to rows in the layout."""
    tf = tensorflow.import_tensorflow()
    if self._plan.layout == 'view_major':
      image = tf.transpose(image, [1, 0, 2, 3, 4])
    size = self._recipe.size
    return tf.reshape(image, [self._plan.rows, size, size, 3])


def _generated(tf: Any, make: Any, start: int, stop: int) -> Any:
  """A dataset of make(start), ..., make(stop - 1): dicts of arrays of fixed shapes."""
  spec = tf.nest.map_structure(lambda x: tf.TensorSpec(x.shape, x.dtype), make(start))
  return tf.data.Dataset.from_generator(
      lambda: map(make, range(start, stop)), output_signature=spec)
