"""Mixing: realised weights, published laws, and partners that are never the image itself."""

import numpy as np
import pytest

from nfnets_am.core import errors
from nfnets_am.data import tensorflow
from nfnets_am.data import views
from nfnets_am.data.ops import mixing

tf = tensorflow.import_tensorflow()
TEXT = 'mixup(alpha=0.2) | cutmix()'


def _rows(unique, n, layout, first=0):
  ids, view = np.arange(first, first + unique) * 7 % 1009, np.arange(n)
  if layout == 'image_major':
    example, view = np.repeat(ids, n), np.tile(view, unique)
  else:
    example, view = np.tile(ids, n), np.repeat(view, unique)
  return views.Rows(example, np.full(unique * n, 3), view)


@pytest.mark.parametrize('layout', views.LAYOUTS)
@pytest.mark.parametrize('n', [1, 2, 4, 8, 16])
def test_partners_are_other_images_and_each_row_is_one(n, layout):
  for unique in (2, 3, 4, 7, 16):
    own = _rows(unique, n, layout)
    further = _rows(unique, n, layout, first=500)
    for update in range(20):
      partner = mixing.pair(own, own, 5, update)
      assert (own.example[partner] != own.example).all()
      assert sorted(partner) == list(range(len(own.example)))
      partner = mixing.pair(own, further, 5, update)
      assert sorted(partner) == list(range(len(own.example)))


def test_every_other_image_is_a_partner_and_views_differ_in_theirs():
  own = _rows(6, 4, 'image_major')
  met = {(a, b) for k in range(100) for a, b in
         zip(own.example, own.example[mixing.pair(own, own, 0, k)], strict=True)}
  assert len(met) == 6 * 5
  partners = own.example[mixing.pair(own, own, 0, 0)].reshape(6, 4)
  assert len(set(partners[0])) > 1
  alone = _rows(1, 4, 'image_major', first=500)
  assert (mixing.pair(_rows(1, 4, 'image_major'), alone, 0, 0) == np.arange(4)).all()


def test_both_layouts_pair_the_same_views():
  pairs = []
  for layout in views.LAYOUTS:
    own = _rows(5, 4, layout)
    partner = mixing.pair(own, own, 9, 2)
    pairs.append({(own.example[r], own.view[r]): (own.example[p], own.view[p])
                  for r, p in enumerate(partner)})
  assert pairs[0] == pairs[1]


def test_hosts_that_share_groups_pair_as_one_host_does():
  own = _rows(12, 2, 'image_major')
  whole = own.example[mixing.pair(own, own, 1, 4, groups=range(4))]
  parts = []
  for host in range(2):
    part = views.Rows(*(x[host * 12:(host + 1) * 12] for x in own))
    parts.append(part.example[mixing.pair(part, part, 1, 4, groups=range(host * 2, host * 2 + 2))])
  np.testing.assert_array_equal(np.concatenate(parts), whole)


def test_refuses_a_single_image_and_images_that_meet_themselves():
  own = _rows(1, 16, 'image_major')
  with pytest.raises(errors.ConfigError, match='16 rows hold 1 unique images'):
    mixing.pair(own, own, 0, 0)
  own = _rows(4, 2, 'image_major')
  with pytest.raises(errors.ConfigError, match='4 unique images, shared out over 4 groups'):
    mixing.pair(own, own, 0, 0, groups=range(4))
  again = views.Rows(*(x.copy() for x in _rows(1, 2, 'image_major')))
  with pytest.raises(errors.ConfigError, match='mixed with itself'):
    mixing.pair(_rows(1, 2, 'image_major'), again, 0, 0)


def _many(count=400_000, size=256, text=TEXT):
  rows = views.Rows(np.arange(count), np.zeros(count, int), np.zeros(count, int))
  return mixing.Mixing(text, 'batch').draws(3, rows, np.arange(count), size, size)


def test_mixup_weights_follow_beta():
  weight = _many(text='mixup(alpha=0.2)')['weight'].astype(np.float64)
  assert weight.var() == pytest.approx(1 / (4 * 1.4), abs=0.001)
  assert np.minimum(weight, 1 - weight).mean() == pytest.approx(0.1012, abs=0.001)
  inside = weight[(weight > 1e-3) & (weight < 1 - 1e-3)].astype(np.float32)
  assert len(np.unique(inside)) > 0.98 * len(inside)


def test_cutmix_weights_are_realised_areas_with_the_published_mean():
  draws = _many(text='cutmix()')
  area = (draws['bottom'] - draws['top']) * (draws['right'] - draws['left']) / 256**2
  np.testing.assert_allclose(draws['weight'], area, rtol=1e-6)
  assert area.mean() == pytest.approx(0.3182, abs=0.0015)
  assert draws['top'].min() == 0 and draws['bottom'].max() == 256


def test_cutmix_box_of_the_published_example():
  # lambda = 3/4 at the corner of 8x8: side 4, of which 2x2 lie inside.
  words = np.array([[3 << 30], [0], [0], [0]], np.uint32)
  draws = mixing.CutMix().draw(words, 8, 8)
  assert draws['weight'] == 0.0625
  assert [int(draws[k][0]) for k in ('top', 'bottom', 'left', 'right')] == [0, 2, 0, 2]


@pytest.mark.parametrize('n', [1, 2, 4])
def test_half_of_the_rows_and_of_the_views_each(n):
  rows = _rows(8, n, 'view_major')
  method = mixing.Mixing(TEXT, 'batch').draws(
      0, rows, np.tile(np.arange(8), n), 8, 8)['method']
  assert method.sum() * 2 == len(method)
  if n > 1:
    assert (method.reshape(n, 8).sum(0) * 2 == n).all()


def test_pixels_are_those_of_a_naive_loop_and_match_the_weight():
  rng = np.random.default_rng(0)
  own, partner = rng.integers(0, 256, (2, 12, 9, 7, 3), np.uint8)
  mix = mixing.Mixing(TEXT, 'batch')
  rows = _rows(12, 1, 'image_major')
  draws = mix.draws(0, rows, np.arange(12), 9, 7)
  wanted = np.empty_like(own)
  for r in range(12):
    w = np.float32(draws['weight'][r])
    if draws['method'][r] == 0:
      wanted[r] = np.floor(w * own[r] + (1 - w) * partner[r] + 0.5)
    else:
      wanted[r] = partner[r]
      box = (slice(draws['top'][r], draws['bottom'][r]), slice(draws['left'][r], draws['right'][r]))
      wanted[r][box] = own[r][box]
      inside = (wanted[r] == own[r]).all(-1).mean()
      assert inside == pytest.approx(w, abs=1e-6)
  tensors = {k: tf.constant(v) for k, v in draws.items()}
  np.testing.assert_array_equal(mix.apply_batch(own, partner, tensors), wanted)
  compiled = tf.function(mix.apply, jit_compile=True)
  dataset = tf.data.Dataset.from_tensor_slices((own, partner, draws)).map(compiled)
  for found, row in zip(dataset.as_numpy_iterator(), wanted, strict=True):
    # A compiler that fuses multiply and add may round a half the other way.
    assert np.abs(found.astype(int) - row).max() <= 1
    assert (found != row).mean() < 0.02


@pytest.mark.parametrize('text, partners, message', [
    ('mixup(alpha=0)', 'batch', 'alpha=0'), ('mixing()', 'batch', 'unknown mixing method'),
    ('mixup()', 'others', "partners='others'")])
def test_refuses(text, partners, message):
  with pytest.raises(errors.ConfigError, match=message):
    mixing.Mixing(text, partners)
