"""What the methods refuse, and the edges of BC+."""

import jax.numpy as jnp
import numpy as np
import pytest

from nfnets_am.core import errors
from nfnets_am.data.ops import arrays
from nfnets_am.data.ops import methods
from nfnets_am.data.ops.methods import expansion
from tests.data.ops.methods import cases


def test_every_name_is_that_of_its_method():
  assert len(methods.METHODS) == 17
  for name, method in methods.METHODS.items():
    assert method.name == name
  assert {name for name, kind in methods.METHODS.items() if kind.floats} == {
      'bc_plus', 'vh_bc_plus'}
  assert {name for name, _ in cases.CASES.values()} == set(methods.METHODS)


@pytest.mark.parametrize('name, kwargs, message', [
    ('mixup', {'alpha': 0}, 'mixup has alpha=0; allowed: numbers above 0'),
    ('vh_mixup', {'alpha': float('nan')}, 'vh_mixup has alpha=nan'),
    ('random_rows', {'alpha': float('inf')}, 'random_rows has alpha=inf'),
    ('random_pixels', {'alpha': True}, 'alpha=True'),
    ('cutmix', {'alpha': 1}, "no key 'alpha'"),
    ('noisy_mixup', {'noise_std': 2}, 'noise_std=2; allowed: numbers above 0 up to 1'),
    ('noisy_mixup', {'alpha': '1'}, "alpha='1'"),
    ('bc_plus', {'epsilon': -1e-5}, 'epsilon=-1e-05; allowed: numbers from 0 up to 1'),
    ('vh_bc_plus', {'law': 'paper'}, "vh_bc_plus has law='paper'; allowed: 'public', 'text'"),
    ('random_square', {'law': 'paper'}, "law='paper'; allowed: 'text', 'public'"),
    ('random_square', {'size': 5}, 'size=5; allowed: even integers from 2'),
    ('random_row_interval', {'law': None}, 'random_row_interval has law=None'),
    ('random_2x2', {'middle': 1.5}, 'middle=1.5; allowed: numbers above 0 up to 1'),
    ('random_elements', {'channels': 0}, 'channels=0; allowed: integers from 1'),
    ('random_element', {}, "did you mean 'random_elements'")])
def test_refuses(name, kwargs, message):
  with pytest.raises(errors.ConfigError, match=message):
    methods.METHODS.make(name, **kwargs)


def test_refuses_images_that_it_cannot_mix():
  square = methods.METHODS.make('random_square', size=16)
  square.check(17, 32)
  with pytest.raises(errors.ConfigError, match='size=16, which leaves nothing of images of 16x32'):
    square.check(16, 32)
  grid = methods.METHODS.make('random_2x2', middle=0.1)
  grid.check(32, 32)
  with pytest.raises(errors.ConfigError, match='no place for a line in images of 32x4'):
    grid.check(32, 4)
  elements = methods.METHODS.make('random_elements')
  images = jnp.zeros((1, 4, 4, 1), jnp.uint8)
  draws = elements.draw(np.zeros((4, 1), np.uint32), 4, 4)
  with pytest.raises(errors.ConfigError, match='channels=3, but mixes images of 1 channels'):
    elements.apply(arrays.JAX, images, images, draws)


def _bc(own, partner, share, name='bc_plus', **kwargs):
  images = (np.asarray(x, np.float32).reshape(1, 2, -1, 1) for x in (own, partner))
  draws = {'share': np.array([share], np.int32), 'rows': np.array([1]), 'cols': np.array([1])}
  method = methods.METHODS.make(name, **kwargs)
  return np.asarray(method.apply(arrays.JAX, *map(jnp.asarray, images), draws)).ravel()


def test_bc_plus_weighs_images_by_their_energies():
  # Deviations 2 and 1, lambda 1/2: p = 1/3, and weights 0.4472 and 0.8944.
  own, partner = [2, -2, 2, -2], [1, 1, -1, -1]
  wanted = np.array([.4472, .8944]) @ [own, partner]
  np.testing.assert_allclose(_bc(own, partner, 32768, epsilon=0), wanted, atol=2e-4)
  # Equal deviations, lambda 0.3: p = 0.3.
  p = 19661 / 65536
  wanted = (p * np.array(partner) + (1 - p) * np.array(partner[::-1])) / np.hypot(p, 1 - p)
  np.testing.assert_allclose(_bc(partner, partner[::-1], 19661), wanted, rtol=1e-6)


@pytest.mark.parametrize('epsilon', [0, 1e-5])
@pytest.mark.parametrize('name', ['bc_plus', 'vh_bc_plus'])
def test_bc_plus_of_constant_images_and_of_one_image_alone_is_a_number(name, epsilon):
  flat, other = [3] * 4, [1, -1, 5, 2]
  for own, partner in ((flat, flat), (flat, other), (other, flat), (flat, [7] * 4)):
    for share in (0, 1, 32768, 65536):
      assert np.isfinite(_bc(own, partner, share, name, epsilon=epsilon)).all()
  np.testing.assert_allclose(_bc(flat, other, 0, epsilon=epsilon), other)
  np.testing.assert_allclose(_bc(other, flat, 65536, epsilon=epsilon), other)


def test_text_subtracts_means_before_images_are_concatenated():
  assert not _bc([3] * 4, [7] * 4, 32768, 'vh_bc_plus', law='text').any()
  public = _bc([3] * 4, [7] * 4, 32768, 'vh_bc_plus')
  assert public[0] == pytest.approx(3 * 2**.5) and public[3] == pytest.approx(7 * 2**.5)


def _halves(seeds, count):
  """By Python's integers: lowbias32 twice, the words' low halves and then their high ones."""
  def mixed(x):
    for places, factor in ((16, 0x7FEB352D), (15, 0x846CA68B)):
      x = (x ^ x >> places) * factor % 2**32
    return x ^ x >> 16
  words = [[mixed((mixed(int(seed) % 2**32) + i * 0x9E3779B9) % 2**32)
            for i in range((count + 1) // 2)] for seed in seeds]
  return np.array([[w & 0xFFFF for w in row] + [w >> 16 for w in row[:count // 2]]
                   for row in words])


@pytest.mark.parametrize('times', [1, 3])
@pytest.mark.parametrize('count', [1, 2, 9])
def test_seeds_expand_as_written_everywhere_and_are_counted(count, times):
  seeds = np.array([0, -1, 1 << 30, -(1 << 31), 12345, 3], np.int32)
  share = np.array([0, 65536, 30000, 40000, 65535, 1], np.int32)
  wanted = _halves(seeds, count)
  for xp, given in ((arrays.JAX, jnp.asarray(seeds)), (arrays.tf(), seeds)):
    found = np.concatenate(expansion.halves(xp, given, count, times), 1)
    np.testing.assert_array_equal(found, np.repeat(wanted, times, 1))
  np.testing.assert_array_equal(
      expansion.counted(seeds, share, count), (wanted < share[:, None]).sum(1))
