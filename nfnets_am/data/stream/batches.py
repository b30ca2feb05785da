"""Streamed images to batches of views: decode once, cut n crops, and take them on their way."""

from collections.abc import Iterator
import math
from typing import Any

import jax
import numpy as np

from nfnets_am.core import errors
from nfnets_am.data import ops
from nfnets_am.data import tensorflow
from nfnets_am.data import views
from nfnets_am.data.ops import arrays
from nfnets_am.data.ops import augmentation as augmentation_lib
from nfnets_am.data.ops import crops
from nfnets_am.data.stream import order as stream_order
from nfnets_am.data.stream import records as records_lib
from nfnets_am.data.stream import visits

# So many rows at most go from `mix` on in one call.
_PART = 8


def host_batches(records: records_lib.Records, plan: stream_order.StreamPlan,
                 augmentation: ops.Augmentation, stop_at: int, augment_seed: int, start: int,
                 stop: int, *, parallel: int | None = None, prefetch: int = 2
                 ) -> Iterator[dict[str, Any]]:
  """Yields this host's part of updates start .. stop - 1; like `memory_batches.host_batches`.

  Each unique image is decoded once per visit, and partners='fresh' decodes as many further ones.

  Args:
    records: the split.
    plan: which rows each update holds; multiplicity 0 means centre crops without draws.
    augmentation: an image's way, from a crop on.
    stop_at: place of the first op that is left to the step.
    augment_seed: in [0, 2**32).
    start: first update.
    stop: one past the last update.
    parallel: images or rows worked on at once; None lets tf.data choose. The views are the same.
    prefetch: updates made ahead of their use.

  Yields:
    'image' uint8 [R, S, S, 3], 'label' and 'example' int32 [R], 'draws' label -> name -> [R, ...]
    of the ops still to come, and where rows are mixed the same as of a set in memory. Arrays are
    read-only.

  Raises:
    errors.ConfigError: mixing lacks partners.
    errors.UserError: a record is bad; the sentence names it.
  """
  check(plan, augmentation)
  maker = _Maker(records, plan, augmentation, stop_at, augment_seed)
  iterator = maker.dataset(start, stop, parallel, prefetch).as_numpy_iterator()
  for update in range(start, stop):
    try:
      made = next(iterator)
    except tensorflow.import_tensorflow().errors.OpError as e:
      raise errors.UserError(maker.fault(update) or str(e)) from e
    yield maker.batch(update, made)


def check(plan: stream_order.StreamPlan, augmentation: ops.Augmentation) -> None:
  """Raises errors.ConfigError if rows are mixed and the plan's updates lack partners."""
  if augmentation.mix and plan.multiplicity:
    augmentation.policy.choose(plan, 0, 0)


class _Maker:
  """The parts of `host_batches`.

  An image's crops are cut, and go as far as ops before `mix` take them, on their own. Rows are then
  put together with their partners', and go on from `mix`, some in one call, if it is the host's.
  """

  def __init__(self, records, plan, augmentation, stop_at, augment_seed):
    self._records, self._plan, self._seed = records, plan, augment_seed
    self._way, self._stop, self._size = augmentation, stop_at, augmentation.crop
    self._mixes = augmentation.mix is not None and plan.multiplicity > 0
    self._fresh = self._mixes and augmentation.mix.partners == 'fresh'
    # Where rows meet their partners here, and where images' own way ends.
    self._mixes_here = self._mixes and augmentation.mixed_at < stop_at
    self._alone = augmentation.mixed_at if self._mixes_here else stop_at
    self._unique, self._copies = plan.share, plan.copies
    self._part = math.gcd(plan.rows, _PART)
    # Whether ops that draw are left to the step.
    self._draws_to_come = any(augmentation.ops[k].blocks for k in augmentation.labels[stop_at:])
    rows = np.arange(plan.rows, dtype=np.int32)
    # Row of view i of image u, [U, n]; and the image of each row.
    self._row = (rows.reshape(self._unique, -1) if plan.layout == 'image_major'
                 else rows.reshape(-1, self._unique).T)
    self._image = np.empty(plan.rows, np.int32)
    self._image[self._row] = np.arange(self._unique)[:, None]

  def dataset(self, start: int, stop: int, parallel: int | None, prefetch: int) -> Any:
    tf, as_written = tensorflow.import_tensorflow(), tensorflow.as_written
    parallel = parallel or tf.data.AUTOTUNE
    taken = [visits.visits(self._records, self._plan, start, stop)]
    if self._fresh:
      taken.append(
          visits.visits(self._records, self._plan, start, stop, self._plan.elsewhere))
    drawn = _generated(tf, self._image_draws, start, stop)
    dataset = tf.data.Dataset.zip((tuple(taken), drawn)).unbatch()
    dataset = dataset.map(as_written(self._image_views), num_parallel_calls=parallel)
    dataset = dataset.batch(self._unique, drop_remainder=True)
    if self._mixes:
      dataset = tf.data.Dataset.zip((dataset, _generated(tf, self._row_draws, start, stop)))
    if self._mixes_here:
      follow = tf.function(self._finish, jit_compile=True, autograph=False)
      dataset = dataset.flat_map(as_written(self._parts_of))
      finish = lambda own, pool, drawn, label: (follow(own, pool, drawn), label)
      dataset = dataset.map(as_written(finish), num_parallel_calls=parallel)
      dataset = dataset.batch(self._plan.rows // self._part, drop_remainder=True)
    elif self._mixes:
      dataset = dataset.map(as_written(self._beside))
    else:
      dataset = dataset.map(
          as_written(lambda views, label: (self._lay_out(views[0]), label)))
    return dataset.prefetch(prefetch).with_options(tensorflow.options())

  def batch(self, update: int, made: tuple) -> dict[str, Any]:
    image, label = made
    if self._mixes_here:
      image, label = (x.reshape(self._plan.rows, *x.shape[2:]) for x in made)
    rows = self._plan.update(update)
    batch = {'image': image, 'example': rows.example, 'draws': {}}
    if self._plan.multiplicity and self._draws_to_come:
      batch['draws'] = self._to_come(self._draws(rows))
    if self._mixes:
      pool, index, weight, drawn = self._partners(update)
      batch |= {'label': label[:, 0].astype(np.int32), 'weight': weight,
                'partner_label': label[:, 1].astype(np.int32),
                'partner_example': pool.example[index]}
      if not self._mixes_here:
        batch['image'], batch['partner_image'] = image
        batch['draws'] |= {self._way.labels[self._way.mixed_at]: drawn}
        batch['partner_draws'] = self._to_come(self._way.partner_draws(
            self._seed, pool.taken(index), self._size, self._size))
    else:
      batch['label'] = label[self._image, 0].astype(np.int32)
    for prefix in ('', 'partner_') if self._mixes else ('',):
      labels = batch[prefix + 'label']
      wrong = np.flatnonzero((labels < 0) | (labels >= self._records.num_classes))
      if len(wrong):
        examples = batch[prefix + 'example'][wrong[:1]]
        raise errors.UserError(records_lib.find_fault(self._records, examples))
    return batch

  def fault(self, update: int) -> str | None:
    """Names a bad record of the update, or of those it takes partners from."""
    found = visits.fault(self._records, self._plan, update)
    if not found and self._fresh:
      found = visits.fault(self._records, self._plan, self._plan.elsewhere(update))
    return found

  def _draws(self, rows: views.Rows, stop: int | None = None, prefix: str = '') -> dict[str, Any]:
    return self._way.draws(self._seed, rows, self._size, self._size, stop, prefix)

  def _to_come(self, drawn: dict[str, Any]) -> dict[str, Any]:
    return {k: drawn[k] for k in self._way.labels[self._stop:] if k in drawn}

  def _partners(self, update: int) -> tuple:
    """As Augmentation.partners; made once for the row's pixels and once for its labels."""
    return self._way.partners(
        self._plan, self._seed, update, self._plan.update(update), self._size, self._size)

  def _image_draws(self, update: int) -> dict[str, Any]:
    """What each image needs: lane -> label -> name -> [U, n, ...]."""
    drawn = {'own': self._draws(self._plan.update(update), self._alone)}
    if self._fresh:
      pool = self._plan.update(self._plan.elsewhere(update))
      drawn['partner'] = self._draws(pool, self._alone, 'partner_')
    return jax.tree.map(lambda x: x[self._row], drawn)

  def _row_draws(self, update: int) -> dict[str, Any]:
    """What each row needs once all crops of the update are there: name -> [R, ...]."""
    _, index, _, mixed = self._partners(update)
    # Crops lie image by image, view by view.
    stored = np.empty(self._plan.rows, np.int32)
    stored[self._row.reshape(-1)] = np.arange(self._plan.rows)
    places = {'own': stored, 'partner': stored[index]}
    if not self._mixes_here:
      return places
    drawn = self._draws(self._plan.update(update), self._stop)
    labels = self._way.labels[self._alone:self._stop]
    return places | {'draws': {label: drawn.get(label, mixed) for label in labels}}

  def _image_views(self, serialized: tuple, drawn: dict[str, Any]) -> tuple:
    """Crops of one image, and of the one that is read to mix with: ([n, S, S, 3], ...), labels."""
    tf = tensorflow.import_tensorflow()
    cut, labels = [], []
    for record, key in zip(serialized, ('own', 'partner'), strict=False):
      encoded, label = self._records.parse(record)
      cut.append(self._alone_from(self._cut(encoded, drawn[key]), drawn[key]))
      labels.append(label)
    return tuple(cut), tf.stack(labels)

  def _alone_from(self, cut: Any, drawn: dict[str, Any]) -> Any:
    """uint8 [n, S, S, 3] after the ops behind the crop that an image goes through on its own."""
    if self._alone == self._way.read or not self._plan.multiplicity:
      return cut
    follow = tensorflow.import_tensorflow().function(
        lambda cut, drawn: self._way.follow(
            arrays.tf(), self._way.read, self._alone, augmentation_lib.Lane(cut, drawn))[0],
        jit_compile=True, autograph=False)
    return follow(cut, drawn)

  def _cut(self, encoded: Any, drawn: dict[str, Any]) -> Any:
    """uint8 [n, S, S, 3] from the bytes of an image, decoded once."""
    tf = tensorflow.import_tensorflow()
    size = self._size
    if not self._plan.multiplicity:
      return crops.crop_resize(records_lib.decode(encoded), size)[None]
    crop, *flip = self._way.labels[:self._way.read]
    drawn = {**drawn[crop],
             'flip': drawn[flip[0]]['flip'] if flip else tf.zeros([self._copies], tf.int32)}
    # Not this host's share of the views: the pixels must not depend on the hosts.
    total = self._copies * self._plan.host_group
    whole = lambda: crops.views_of(records_lib.decode(encoded), drawn, size, total)
    if total > 1:
      return whole()
    # Only a JPEG that ends with the end-of-image marker is complete for certain. The rare others,
    # cut off or with bytes behind their end, are for the full decoder to judge.
    complete = tf.io.is_jpeg(encoded) & (tf.strings.substr(encoded, -2, 2) == b'\xff\xd9')
    return tf.cond(complete, lambda: crops.view_of_bytes(encoded, drawn, size), whole)

  def _flat(self, made: tuple) -> tuple:
    """Crops of an update, image by image and view by view: own and those of partners."""
    tf = tensorflow.import_tensorflow()
    return tuple(tf.reshape(x, [-1, self._size, self._size, 3]) for x in (made[0], made[-1]))

  def _parts_of(self, made: tuple, drawn: dict[str, Any]) -> Any:
    """A dataset of some rows each: all crops of the update, own and pool, draws, both labels."""
    tf = tensorflow.import_tensorflow()
    cut, label = made
    own, pool = self._flat(cut)
    drawn = tf.nest.map_structure(
        lambda x: tf.reshape(x, [-1, self._part, *x.shape[1:]]), drawn)

    def part(drawn):
      labels = tf.transpose(self._labels(label, drawn['own'], drawn['partner']))
      return own, pool, drawn, labels

    return tf.data.Dataset.from_tensor_slices(drawn).map(tensorflow.as_written(part))

  def _beside(self, made: tuple, drawn: dict[str, Any]) -> tuple:
    """Rows and their partners, to be mixed on the device; both labels [R, 2]."""
    tf = tensorflow.import_tensorflow()
    cut, label = made
    own, pool = self._flat(cut)
    images = tf.gather(own, drawn['own']), tf.gather(pool, drawn['partner'])
    return images, tf.transpose(self._labels(label, drawn['own'], drawn['partner']))

  def _labels(self, label: Any, own: Any, partner: Any) -> Any:
    """int64 [2] or [2, R]: of crops with these numbers."""
    tf = tensorflow.import_tensorflow()
    return tf.stack([tf.gather(label[:, 0], own // self._copies),
                     tf.gather(label[:, -1], partner // self._copies)])

  def _finish(self, own: Any, pool: Any, drawn: dict[str, Any]) -> Any:
    """uint8 [k, S, S, 3]: rows from `mix` on, of crops [., S, S, 3] and draws name -> [k, ...]."""
    tf, xp = tensorflow.import_tensorflow(), arrays.tf()

    def row(drawn):
      of_row = tf.nest.map_structure(lambda x: x[None], drawn['draws'])
      # Not cut[place], for which XLA would compile anew for every place.
      lanes = (augmentation_lib.Lane(tf.gather(cut, place)[None], of_row)
               for cut, place in ((own, drawn['own']), (pool, drawn['partner'])))
      return self._way.follow(xp, self._alone, self._stop, *lanes)[0][0]

    return xp.map(row, drawn)

  def _lay_out(self, image: Any) -> Any:
    """uint8 [U, n, S, S, 3] to rows in the layout."""
    tf = tensorflow.import_tensorflow()
    if self._plan.layout == 'view_major':
      image = tf.transpose(image, [1, 0, 2, 3, 4])
    return tf.reshape(image, [self._plan.rows, self._size, self._size, 3])


def _generated(tf: Any, make: Any, start: int, stop: int) -> Any:
  """A dataset of make(start), ..., make(stop - 1): dicts of arrays of fixed shapes."""
  spec = tf.nest.map_structure(lambda x: tf.TensorSpec(x.shape, x.dtype), make(start))
  return tensorflow.from_generator(lambda: map(make, range(start, stop)), spec)
