"""Batches: the planned views and labels, the same on host and device, every image counted once."""

import pathlib
import subprocess
import sys
import textwrap

import jax
import numpy as np
import pytest

from nfnets_am.core import errors
from nfnets_am.data import hand_over
from nfnets_am.data import ops
from nfnets_am.data import orders
from nfnets_am.data import pairing
from nfnets_am.data import preparation
from nfnets_am.data import views
from nfnets_am.data.memory import batches as memory_batches
from nfnets_am.data.memory import sources
from nfnets_am.data.ops import arrays
from nfnets_am.data.ops import augmentation as augmentation_lib

N, H, W = 21, 8, 8
TEXT = 'pad_crop(pad=2) | flip() | normalise() | cutout(length=4)'
SCHEMES = {'growing': (4, 3, False), 'neighbouring': (8, 2, True), 'raw': (4, 0, False)}


@pytest.fixture(scope='module')
def split():
  rng = np.random.default_rng(0)
  return sources.Split(rng.integers(0, 256, (N, H, W, 3), np.uint8),
                       rng.integers(0, 10, N).astype(np.int32))


def make_plan(unique, multiplicity, neighbouring=False, **kwargs):
  return views.ViewPlan(**{
      'examples': N, 'unique': unique, 'multiplicity': multiplicity, 'neighbouring': neighbouring,
      'shuffle_seed': 0, 'layout': 'image_major', **kwargs})


def _prepare(augmentation, apply):
  on_device = apply == 'device'
  return jax.jit(preparation.ImagePreparation(
      augmentation, hand_over.HandOver(), (H, W, 3),
      start=0 if on_device else augmentation.at, on_device=on_device).prepare)


def run(split, plan, start, stop, apply, seed=0, text=TEXT):
  """The batches of some updates with their pixels, as the model takes them."""
  augmentation = ops.parse(text).bind((.5,) * 3, (.25,) * 3)
  prepare = _prepare(augmentation, apply)
  pool = jax.numpy.asarray(split.image) if apply == 'device' else None
  return [{'example': batch['example']} | jax.tree.map(np.asarray, prepare(pool, batch))
          for batch in memory_batches.host_batches(
              split, plan, augmentation, seed, start, stop, apply=apply)]


def assert_equal(got, want):
  assert jax.tree.structure(got) == jax.tree.structure(want)
  jax.tree.map(np.testing.assert_array_equal, got, want)
  assert [x.dtype for x in jax.tree.leaves(got)] == [x.dtype for x in jax.tree.leaves(want)]


@pytest.mark.parametrize('apply', memory_batches.APPLY)
@pytest.mark.parametrize('scheme', SCHEMES.values(), ids=SCHEMES)
def test_batches_hold_the_planned_views_and_their_labels(split, scheme, apply):
  plan = make_plan(*scheme)
  augmentation = ops.parse(TEXT).bind((.5,) * 3, (.25,) * 3)
  batches = run(split, plan, 3, 9, apply, seed=5)
  assert len(batches) == 6
  for k, batch in zip(range(3, 9), batches, strict=True):
    rows = plan.update(k)
    np.testing.assert_array_equal(batch['example'], rows.example)
    np.testing.assert_array_equal(batch['label'], split.label[rows.example])
    draws = augmentation.draws(5, rows, H, W) if plan.multiplicity else {}
    # Compiled as the step is: a compiler may fuse the product and the sum of normalise.
    wanted = jax.jit(lambda image, draws: augmentation.follow(
        arrays.JAX, 0, None, augmentation_lib.Lane(image, draws))[0])(
            split.image[rows.example], draws)
    np.testing.assert_array_equal(batch['inputs'], wanted)


@pytest.mark.parametrize('scheme', SCHEMES.values(), ids=SCHEMES)
def test_host_and_device_give_the_same_batches_bit_for_bit(split, scheme):
  plan = make_plan(*scheme, layout='view_major')
  assert_equal(run(split, plan, 0, 4, 'host'), run(split, plan, 0, 4, 'device'))


@pytest.mark.parametrize('apply', memory_batches.APPLY)
def test_starting_later_continues_the_same_stream(split, apply):
  plan = make_plan(4, 2)
  whole = run(split, plan, 0, 12, apply)
  assert_equal(run(split, plan, 7, 12, apply), whole[7:])
  assert run(split, plan, 5, 5, apply) == []


@pytest.mark.parametrize('hosts', [2, 4])
def test_hosts_together_make_the_batches_of_one(split, hosts):
  whole = run(split, make_plan(8, 2), 0, 3, 'device')
  parts = [run(split, make_plan(8, 2, host=h, hosts=hosts), 0, 3, 'device') for h in range(hosts)]
  for k in range(3):
    joined = jax.tree.map(lambda *x: np.concatenate(x), *(part[k] for part in parts))
    assert_equal(joined, whole[k])


@pytest.mark.parametrize('devices', [1, 2, 8])
def test_devices_make_their_part_of_the_batch_from_their_rows(split, devices):
  plan, augmentation = make_plan(8, 2), ops.parse(TEXT).bind((.5,) * 3, (.25,) * 3)
  (batch,) = memory_batches.host_batches(split, plan, augmentation, 0, 0, 1, apply='device')
  spread = jax.tree.map(lambda x: x.reshape(devices, -1, *x.shape[1:]), batch)
  (whole,) = run(split, plan, 0, 1, 'host')
  got = jax.vmap(_prepare(augmentation, 'device'), in_axes=(None, 0))(
      jax.numpy.asarray(split.image), spread)
  np.testing.assert_array_equal(
      got['inputs'].reshape(whole['inputs'].shape), whole['inputs'])


MIXED = [
    "pad_crop(2) | flip() | mix('mixup(alpha=1.) | random_square(size=4)') | normalise() | "
    'cutout(4)',
    "mix('cutmix()', partners='fresh') | flip() | randaugment(num_ops=2, contrast='fixed') | "
    'normalise()',
    "normalise() | pad_crop(2) | mix('vh_mixup()', partners='pairs') | flip()",
    "normalise() | pad_crop(2) | mix('mixup()', partners='permutation')",
]


def _mixed_plan(text, unique, n, **kwargs):
  pairs = orders.pairs(np.zeros(N, np.int32), unique) if 'pairs' in text else (None, None)
  return make_plan(unique, n, ordering=pairs[0], partner_ordering=pairs[1], **kwargs)


@pytest.mark.parametrize('n', [1, 2, 4, 16])
@pytest.mark.parametrize('text', MIXED)
def test_mixed_rows_are_the_same_on_host_and_device_and_on_any_hosts(split, text, n):
  plan = _mixed_plan(text, 4, n)
  (whole,) = run(split, plan, 3, 4, 'device', text=text)
  (host,) = run(split, plan, 3, 4, 'host', text=text)
  assert_equal(host, whole)
  parts = [run(split, _mixed_plan(text, 4, n, host=h, hosts=2), 3, 4, 'device', text=text)[0]
           for h in range(2)]
  assert_equal(jax.tree.map(lambda *x: np.concatenate(x), *parts), whole)
  rows = plan.update(3)
  np.testing.assert_array_equal(whole['label'], split.label[rows.example])


@pytest.mark.parametrize('devices', [2, 8])
def test_devices_make_partners_that_are_rows_of_others_once_more(split, devices):
  plan, augmentation = make_plan(8, 2), ops.parse(MIXED[0]).bind((.5,) * 3, (.25,) * 3)
  (batch,) = memory_batches.host_batches(split, plan, augmentation, 0, 3, 4, apply='device')
  assert 'partner_row' in batch and 'partner_draws' not in batch
  way = preparation.ImagePreparation(
      augmentation, hand_over.HandOver(), (H, W, 3), on_device=True)
  rows = plan.rows // devices
  spread = jax.tree.map(lambda x: x.reshape(devices, rows, *x.shape[1:]), way.pack(batch, devices))
  for packed, spec in ((way.pack(batch, 1), way.batch_spec(plan.rows)),
                       (jax.tree.map(lambda x: x[0], spread),
                        way.batch_spec(rows, devices=devices))):
    assert jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype), packed) == spec
  pool = jax.numpy.asarray(split.image)
  whole = jax.jit(way.prepare)(pool, batch)
  parts = jax.jit(jax.vmap(way.prepare, in_axes=(None, 0)))(pool, spread)
  np.testing.assert_array_equal(parts['inputs'].reshape(whole['inputs'].shape), whole['inputs'])


@pytest.mark.parametrize('apply', memory_batches.APPLY)
@pytest.mark.parametrize('text', MIXED)
def test_mixed_batches_continue_where_they_were(split, text, apply):
  plan = _mixed_plan(text, 4, 2)
  whole = run(split, plan, 0, 8, apply, text=text)
  assert_equal(run(split, plan, 6, 8, apply, text=text), whole[6:])


def test_rows_are_mixed_from_their_own_and_their_partners_view(split):
  """A naive loop over rows: two augmented images, one weighted mean."""
  text = "pad_crop(2) | flip() | mix('mixup(alpha=1.)') | normalise(mean=0, std=1)"
  plan, augmentation = make_plan(4, 2), ops.parse(text).bind((0,) * 3, (1,) * 3)
  (batch,) = run(split, plan, 3, 4, 'host', seed=5, text=text)
  rows = plan.update(3)
  pool, partner = pairing.batch(plan, 5, 3)

  def view(example, epoch, view):
    row = views.Rows(*(np.array([x]) for x in (example, epoch, view)))
    draws = augmentation.draws(5, row, H, W)
    padded = np.pad(split.image[example], ((2, 2), (2, 2), (0, 0)))
    top, left = draws['pad_crop']['top'][0], draws['pad_crop']['left'][0]
    image = padded[top:top + H, left:left + W].astype(np.float64)
    return image[:, ::-1] if draws['flip']['flip'][0] else image

  for r, (own, other) in enumerate(zip(zip(*rows, strict=True), partner, strict=True)):
    wanted = (batch['weight'][r] * view(*own)
              + (1 - batch['weight'][r]) * view(*(x[other] for x in pool)))
    assert np.abs(batch['inputs'][r] * 255 - wanted).max() < 0.51
    assert batch['partner_label'][r] == split.label[pool.example[other]]


def test_views_differ_within_an_update_and_between_epochs(split):
  plan = make_plan(N, 4)
  first, second = run(split, plan, 0, 2, 'host')
  assert (second['example'] >= 0).all() and plan.updates_per_pass == 1
  shown = lambda batch, i: {v.tobytes() for v in batch['inputs'][batch['example'] == i]}
  # 50 outcomes each: chance alone makes two views of an image equal now and then.
  assert np.mean([len(shown(first, i)) for i in range(N)]) > 3.6
  assert np.mean([len(shown(first, i) & shown(second, i)) for i in range(N)]) < .8


def test_multiplicity_0_gives_the_raw_image_in_every_epoch(split):
  for batch in run(split, make_plan(7, 0), 0, 9, 'host'):
    np.testing.assert_allclose(
        batch['inputs'], (split.image[batch['example']] / 255 - .5) / .25, atol=1e-6)


def test_the_augment_seed_leaves_the_order_and_the_shuffle_seed_leaves_the_views(split):
  plan = make_plan(N, 1)
  (one,), (other,) = run(split, plan, 0, 1, 'host'), run(split, plan, 0, 1, 'host', seed=1)
  np.testing.assert_array_equal(one['example'], other['example'])
  assert (one['inputs'] != other['inputs']).any()
  (shuffled,) = run(split, make_plan(N, 1, shuffle_seed=1), 0, 1, 'host')
  assert (one['example'] != shuffled['example']).any()
  by_example = lambda batch: batch['inputs'][np.argsort(batch['example'])]
  np.testing.assert_array_equal(by_example(one), by_example(shuffled))


@pytest.mark.parametrize('batch', [1, 4, 7, 21, 50])
@pytest.mark.parametrize('hosts', [1, 2, 8])
def test_evaluation_counts_each_example_once(split, batch, hosts):
  parts = [list(memory_batches.eval_batches(split, batch, host=h, hosts=hosts))
           for h in range(hosts)]
  assert {len(part) for part in parts} == {-(-N // (batch * hosts))}
  counted = []
  for part in parts:
    for rows in part:
      assert rows['image'].shape == (batch, H, W, 3) and rows['image'].dtype == np.uint8
      assert rows['label'].dtype == np.int32 and rows['mask'].dtype == np.float32
      for image, label, mask in zip(rows['image'], rows['label'], rows['mask'], strict=True):
        assert mask in (0, 1)
        counted += [(image.tobytes(), int(label))] if mask else []
  assert sorted(counted) == sorted(
      (image.tobytes(), int(label)) for image, label in zip(*split, strict=True))


@pytest.mark.parametrize('change, sentence', [
    (dict(apply='gpu'), "data.apply is 'gpu'; allowed: host, device"),
    (dict(plan=make_plan(4, 1, examples=20)), 'the plan is for 20 images, but the split has 21'),
    (dict(augmentation=ops.parse('normalise() | cutout(length=16)')), 'images of 8x8 allow'),
])
def test_what_cannot_work_is_refused_before_the_first_batch(split, change, sentence):
  kwargs = {'plan': make_plan(4, 1), 'augmentation': ops.parse(TEXT), 'apply': 'device', **change}
  with pytest.raises(errors.ConfigError, match=sentence):
    memory_batches.host_batches(split, augment_seed=0, start=0, stop=1, **kwargs)


def test_the_bundled_set_trains_on_the_device_where_tensorflow_is_missing():
  code = textwrap.dedent("""
      import sys

      class Missing:
        def find_spec(self, name, path=None, target=None):
          if name.split('.')[0] in ('tensorflow', 'tensorflow_datasets'):
            raise ModuleNotFoundError(f'No module named {name!r}')

      sys.meta_path.insert(0, Missing())
      from nfnets_am.core import errors
      from nfnets_am.data import ops, views
      from nfnets_am.data.memory import batches as memory_batches, sources
      from nfnets_am.data.ops import arrays, augmentation as augmentation_lib

      data = sources.load('fashion_mnist_small', validation=1000)
      train = data.splits['train']
      plan = views.ViewPlan(examples=11_000, unique=4, multiplicity=2, neighbouring=False,
                            shuffle_seed=0, layout='image_major')
      augmentation = ops.parse('pad_crop(pad=4) | flip() | normalise() | cutout(length=8)').bind(
          data.mean, data.std)
      (batch,) = memory_batches.host_batches(train, plan, augmentation, 0, 5, 6, apply='device')
      import jax.numpy as jnp
      lane = augmentation_lib.Lane(jnp.asarray(train.image), batch['draws'], batch['index'])
      image, _ = augmentation.follow(arrays.JAX, 0, None, lane)
      print(image.shape, image.dtype)
      for use in (lambda: next(memory_batches.host_batches(train, plan, augmentation, 0, 0, 1)),
                  lambda: sources.load('cifar10')):
        try:
          use()
        except errors.UserError as e:
          print(e)
      """)
  root = pathlib.Path(__file__).parents[3]
  done = subprocess.run(
      [sys.executable, '-c', code], cwd=root, capture_output=True, text=True, check=False)
  lines = done.stdout.splitlines()
  assert lines[0] == '(8, 28, 28, 1) float32', done.stderr
  assert lines[1].startswith("tensorflow cannot be imported (No module named 'tensorflow')")
  assert len(lines) == 3 and lines[1:] == [lines[1]] * 2
