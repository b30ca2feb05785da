"""The whole way of streamed images, against a naive loop from the stored bytes to the rows."""

import functools

import jax
import numpy as np
import pytest

from nfnets_am.core import errors
from nfnets_am.data import hand_over
from nfnets_am.data import pairing
from nfnets_am.data import preparation
from nfnets_am.data import tensorflow
from nfnets_am.data import views
from nfnets_am.data.ops import arrays
from nfnets_am.data.ops import crops
from nfnets_am.data.stream import batches as stream_batches
from nfnets_am.data.stream import input as stream_input
from nfnets_am.data.stream import records
from tests.data import encoded
from tests.data.ops import helpers

tf = tensorflow.import_tensorflow()
_plan = functools.partial(encoded.plan, lengths=encoded.MANY, examples=sum(encoded.MANY))
SIZE = 16
MIX = 'mixup(alpha=0.2) | cutmix()'
RANDAUGMENT = "randaugment(num_ops=2, contrast='fixed')"


def _way(partners=None, randaug=False):
  mix = [f'mix({MIX!r}, partners={partners!r})'] if partners else []
  parts = [f'crop({SIZE})', 'flip()', *mix, *([RANDAUGMENT] if randaug else []), 'normalise()']
  return stream_input.make_augmentation(' | '.join(parts))


def _batches(opened, plan, way, start, stop, seed=5, stop_at=None, **kwargs):
  stop_at = way.at if stop_at is None else stop_at
  return list(stream_batches.host_batches(
      opened, plan, way, stop_at, seed, start, stop, **kwargs))


def _assert_same(a, b):
  assert a.keys() == b.keys()
  for key in a.keys() - {'draws'}:
    np.testing.assert_array_equal(a[key], b[key], key)


def _crop(example, epoch, view, prefix='', seed=5):
  """One view of a stored image, by itself."""
  rows = views.Rows(*(np.array([x]) for x in (example, epoch, view)))
  image = records.decode(encoded.examples(sum(encoded.MANY))[example].image)
  return crops.views_of(image, helpers.crop_draws(seed, rows, prefix), SIZE)[0].numpy()


@pytest.mark.parametrize('layout, partners', [
    ('image_major', 'fresh'), ('view_major', 'fresh'), ('view_major', 'batch'),
    ('view_major', None)])
def test_rows_are_those_of_a_naive_loop(many, layout, partners):
  plan, way = _plan(layout=layout), _way(partners)
  for k, batch in zip((36, 37), _batches(many, plan, way, 36, 38), strict=True):
    rows = plan.update(k)
    np.testing.assert_array_equal(batch['example'], rows.example)
    np.testing.assert_array_equal(batch['label'], rows.example % encoded.CLASSES)
    assert batch['image'].shape == (16, SIZE, SIZE, 3) and batch['image'].dtype == np.uint8
    own = np.stack([_crop(*row) for row in zip(*rows, strict=True)])
    if not partners:
      np.testing.assert_array_equal(batch['image'], own)
      continue
    pool = plan.update(plan.elsewhere(k)) if partners == 'fresh' else rows
    partner = pairing.pair(rows, pool, 5, k, groups=range(4))
    assert (pool.example[partner] != rows.example).all()
    prefix = 'partner_' if partners == 'fresh' else ''
    other = np.stack([_crop(pool.example[p], pool.epoch[p], pool.view[p], prefix) for p in partner])
    first = list(dict.fromkeys(rows.example.tolist()))
    position = np.array([first.index(e) for e in rows.example])
    weight, drawn = way.mix.draws(5, 'mix', rows, position, SIZE, SIZE)
    np.testing.assert_array_equal(batch['image'], way.mix.mix(arrays.JAX, own, other, drawn))
    np.testing.assert_array_equal(batch['weight'], weight)
    np.testing.assert_array_equal(batch['partner_example'], pool.example[partner])
    np.testing.assert_array_equal(batch['partner_label'], pool.example[partner] % 10)


@pytest.mark.parametrize('layout, partners', [('image_major', 'batch'), ('view_major', None)])
def test_randaugment_acts_on_rows_as_they_are_mixed(many, layout, partners):
  plan, full = _plan(layout=layout), _way(partners, randaug=True)
  (found,) = _batches(many, plan, full, 3, 4)
  (before,) = _batches(many, plan, _way(partners), 3, 4)
  drawn = full.draws(5, plan.update(3), SIZE, SIZE)['randaugment']
  wanted = jax.jit(functools.partial(full.ops['randaugment'].apply, arrays.JAX))(
      before['image'], drawn)
  np.testing.assert_array_equal(found['image'], wanted)


@pytest.mark.parametrize('layout, partners', [
    ('image_major', 'fresh'), ('view_major', 'batch'), ('view_major', None)])
def test_what_is_left_to_the_device_gives_the_same_pixels(many, layout, partners):
  plan, way = _plan(layout=layout), _way(partners, randaug=True)
  seen = []
  for stop_at in (way.read, way.at):
    prepare = preparation.ImagePreparation(
        way, hand_over.HandOver(), (SIZE, SIZE, 3), start=stop_at)
    (batch,) = _batches(many, plan, way, 3, 4, stop_at=stop_at)
    spec = jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype), batch)
    assert spec == prepare.batch_spec(plan.rows)
    seen.append(jax.tree.map(np.asarray, jax.jit(prepare.prepare)(None, batch)))
  assert seen[0].keys() == seen[1].keys()
  jax.tree.map(np.testing.assert_array_equal, *seen)


@pytest.mark.parametrize('changes', [{}, {'neighbouring': True, 'multiplicity': 3}])
def test_reached_directly_or_by_running_with_any_parallelism(many, changes):
  plan, way = _plan(**changes), _way('fresh')
  run = _batches(many, plan, way, 33, 40, parallel=1)
  direct = _batches(many, plan, way, 36, 39, parallel=7)
  for found, wanted in zip(direct, run[3:6], strict=True):
    _assert_same(found, wanted)
  assert (run[4]['image'] != run[3]['image']).any()


@pytest.mark.parametrize('hosts, partners', [(2, 'batch'), (4, None), (4, 'fresh')])
def test_hosts_make_the_rows_of_one_host(many, hosts, partners):
  lanes = {'unique': 16, 'lanes': 4}
  whole = _batches(many, _plan(**lanes), _way(partners), 2, 3)[0]
  parts = [_batches(many, _plan(**lanes, host=h, hosts=hosts), _way(partners), 2, 3)[0]
           for h in range(hosts)]
  joined = {k: np.concatenate([p[k] for p in parts]) for k in whole if k != 'draws'}
  _assert_same(whole, joined | {'draws': {}})


def test_hosts_of_a_group_make_other_views_of_the_same_images(many):
  whole = _batches(many, _plan(), _way('fresh'), 2, 3)[0]
  by_row = {(e, v): r for r, (e, v) in enumerate(zip(*_plan().update(2)[::2], strict=True))}
  for host in range(4):
    plan = _plan(host=host, hosts=4, host_group=2)
    (part,) = _batches(many, plan, _way('fresh'), 2, 3)
    rows = [by_row[e, v] for e, v in zip(*plan.update(2)[::2], strict=True)]
    _assert_same(part, {k: x[rows] for k, x in whole.items() if k != 'draws'} | {'draws': {}})


def test_one_view_decodes_only_its_window_but_shows_the_same(many):
  plan = _plan(multiplicity=1)
  (batch,) = _batches(many, plan, _way(), 4, 5)
  wanted = np.stack([_crop(*row) for row in zip(*plan.update(4), strict=True)])
  assert np.abs(batch['image'].astype(int) - wanted).mean() < 1


def test_multiplicity_0_shows_centre_crops(many):
  plan = _plan(multiplicity=0)
  (batch,) = _batches(many, plan, _way('batch', randaug=True), 1, 2)
  rows = encoded.examples(sum(encoded.MANY))
  wanted = [crops.crop_resize(records.decode(rows[e].image), SIZE) for e in batch['example']]
  np.testing.assert_array_equal(batch['image'], wanted)
  assert 'weight' not in batch


@pytest.mark.parametrize('multiplicity, partners, decodes', [
    (4, None, 8), (4, 'batch', 8), (4, 'fresh', 16), (1, 'fresh', 16)])
def test_each_image_is_decoded_once_per_visit(many, monkeypatch, multiplicity, partners, decodes):
  count = []

  def counting(decode):
    def counted(*args, **kwargs):
      tf.py_function(lambda: count.append(1), [], [])
      return decode(*args, **kwargs)
    return counted

  for name in ('decode_image', 'decode_jpeg', 'decode_png', 'decode_and_crop_jpeg'):
    monkeypatch.setattr(tf.io, name, counting(getattr(tf.io, name)))
  _batches(many, _plan(multiplicity=multiplicity), _way(partners), 0, 3)
  assert len(count) == 3 * decodes


@pytest.mark.parametrize('layout, partners', [('view_major', 'fresh'), ('image_major', 'batch')])
def test_mixed_labels_are_the_shares_of_the_realised_pixels(tmp_path, layout, partners):
  """Of plain images whose brightness is their label, a mixed one has the labels' mean."""
  rows = [row._replace(image=encoded.jpeg(np.full((30, 30, 3), 25 * row.label, np.uint8)))
          for row in encoded.examples(63)]
  encoded.write(tmp_path, (20, 43), rows)
  opened = records.open_split('photographs', 'train', str(tmp_path))
  plan = _plan(lengths=(20, 43), examples=63, layout=layout)
  mixed = 0
  for batch in _batches(opened, plan, _way(partners), 0, 7):
    weight = batch['weight']
    brightness = 25 * (weight * batch['label'] + (1 - weight) * batch['partner_label'])
    # JPEG and the mean of bytes round.
    np.testing.assert_allclose(batch['image'].mean((1, 2, 3)), brightness, atol=2)
    mixed += ((weight > .1) & (weight < .9) & (batch['label'] != batch['partner_label'])).sum()
  assert mixed > 20


@pytest.mark.parametrize('partners', [None, 'fresh'])
@pytest.mark.parametrize('changes', [{'image': b'nothing'}, {'label': 99}])
def test_a_bad_record_ends_the_run_by_name(tmp_path, changes, partners):
  rows = encoded.examples(sum(encoded.MANY))
  rows[74] = rows[74]._replace(**changes)
  encoded.write(tmp_path, encoded.MANY, rows)
  opened = records.open_split('photographs', 'train', str(tmp_path))
  with pytest.raises(errors.UserError, match='record 7 of shard photographs-train.tfrecord-00002'):
    _batches(opened, _plan(unique=4), _way(partners), 0, 75)


def test_mixing_without_partners_is_refused_before_reading(many):
  with pytest.raises(errors.ConfigError, match='4 unique images, shared out over 4 groups'):
    _batches(many, _plan(unique=4), _way('batch'), 0, 1)
  with pytest.raises(errors.ConfigError, match='need 304 images, but there are 300'):
    _batches(many, _plan(unique=152), _way('fresh'), 0, 1)
