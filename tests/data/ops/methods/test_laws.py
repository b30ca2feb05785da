"""Laws of the labels' weights on 20,000 draws, against closed forms and published examples."""

import jax.numpy as jnp
import numpy as np
import pytest
import scipy.special
import scipy.stats

from nfnets_am.data.ops import arrays
from nfnets_am.data.ops import methods
from nfnets_am.data.ops.methods import expansion
from nfnets_am.data.ops.methods import laws
from tests.data.ops.methods import cases

# Mean and mean square of a concatenation's share, uniform over {0, ..., 31} / 32.
_M1, _M2 = 31 / 64, 31 * 63 / 6 / 32**2


def _word(share):
  """The word whose lambda is a share, with alpha = 1."""
  return int(share * 2**32)


def _one(name, *words, height=32, width=32, **kwargs):
  """The draws of one row, whose first words are given."""
  method = methods.METHODS.make(name, **kwargs)
  row = np.zeros((4 * method.blocks, 1), np.uint32)
  row[:len(words), 0] = words
  return {key: value.item() for key, value in method.draw(row, height, width).items()}


def _close(weight, mean, mean_square):
  """Holds two moments against closed forms, at 4 standard errors."""
  weight = weight.astype(np.float64)
  for found, wanted in ((weight, mean), (weight**2, mean_square)):
    assert found.mean() == pytest.approx(wanted, abs=4 * found.std() / len(found)**0.5)


@pytest.mark.parametrize('name', ['mixup', 'noisy_mixup', 'bc_plus'])
@pytest.mark.parametrize('alpha', [0.2, 1, 3.])
def test_the_weight_of_a_mean_is_beta_in_parts_of_65536(name, alpha):
  draws = cases.many(name, alpha=alpha)
  np.testing.assert_array_equal(draws['weight'] * 65536, draws['share'])
  law = scipy.stats.beta(alpha, alpha)
  for edge in (0.25, 0.01, 0.5, 0.9):
    found = (draws['share'] < edge * 65536).mean()
    assert found == pytest.approx(law.cdf(edge), abs=0.012)


@pytest.mark.parametrize('alpha', [0.2, 0.5, 3., 40.])
def test_a_share_is_that_of_the_distribution_function_to_the_last_bit(alpha):
  edges = scipy.special.betainc(alpha, alpha, (np.arange(65536) + 0.5) / 65536)
  assert (np.diff(edges) >= 0).all()
  # Numbers at, just below and just above every 40th edge, at both ends, and anywhere.
  bits = (edges[::40] * 2**53).astype(np.uint64)
  bits = np.concatenate([bits, bits - np.uint64(1), bits + np.uint64(1),
                         np.array([0, 1, 2**53 - 1], np.uint64),
                         np.random.default_rng(0).integers(0, 2**53, 20_000, np.uint64)])
  bits = bits[bits < 2**53]
  high = (bits >> np.uint64(21)).astype(np.uint32)
  low = (bits << np.uint64(11)).astype(np.uint32)
  found = laws.share(high, low, alpha)
  assert found.dtype == np.int32
  np.testing.assert_array_equal(
      found, np.searchsorted(edges, bits.astype(np.float64) * 2.0**-53, side='right'))


def test_nfnets_draw_mixup_from_a_beta_of_02():
  weight = cases.many('mixup')['weight'].astype(np.float64)
  assert weight.var() == pytest.approx(1 / (4 * 1.4), abs=0.002)
  assert np.minimum(weight, 1 - weight).mean() == pytest.approx(0.1012, abs=0.003)


@pytest.mark.parametrize('noise_std', [0.158, 0.025, 0.398])
def test_noise_is_normal_and_its_weights_are_clipped(noise_std):
  method = methods.METHODS.make('noisy_mixup', noise_std=noise_std)
  size = (200, 200)
  images = np.stack([np.full((2, *size, 1), 1, np.float32), np.zeros((2, *size, 1), np.float32)])
  draws = {'share': np.array([32768, 0], np.int32), 'seed': np.array([5, 6], np.int32)}
  middle, none = np.asarray(method.apply(arrays.JAX, *images, draws))
  assert middle.mean() == pytest.approx(0.5, abs=4 * noise_std / 200)
  if noise_std < 0.3:  # Above, clipping is not rare.
    assert middle.std() == pytest.approx(noise_std, rel=0.02)
  assert middle.min() >= 0 and middle.max() <= 1
  # Half of a normal, folded up to 0.
  assert none.mean() == pytest.approx(noise_std * 0.3989, rel=0.03)


@pytest.mark.parametrize('name', ['vertical_concat', 'horizontal_concat'])
def test_concatenations_keep_0_to_31_of_32_lines(name):
  draws = cases.many(name)
  lines = draws['rows' if name == 'vertical_concat' else 'cols']
  assert scipy.stats.chisquare(np.bincount(lines, minlength=32)).pvalue > 0.01
  assert len(np.bincount(lines)) == 32
  np.testing.assert_array_equal(draws['weight'] * 32, lines)
  _close(draws['weight'], _M1, _M2)


def test_a_concatenation_of_07_keeps_22_rows():
  assert _one('vertical_concat', _word(.7)) == {'weight': .6875, 'rows': 22}


def test_mixed_concat_weighs_two_opposite_cells():
  weight = cases.many('mixed_concat')['weight'].astype(np.float64)
  # 2 w - 1 is (2 a - 1) (2 b - 1) of two concatenations' shares.
  mean, mean_square = (2 * _M1 - 1)**2, (4 * _M2 - 4 * _M1 + 1)**2
  _close(2 * weight - 1, mean, mean_square)
  assert _one('mixed_concat', _word(.25), 0, _word(.5))['weight'] == .5
  assert _one('mixed_concat', _word(.25), 0, _word(.75))['weight'] == .375


def test_random_2x2_has_its_lines_in_the_middle_and_cells_by_a_common_lambda():
  draws = cases.many('random_2x2')
  for lines in (draws['rows'], draws['cols']):
    assert lines.min() == 8 and lines.max() == 23
    assert scipy.stats.chisquare(np.bincount(lines)[8:]).pvalue > 0.01
  # Two cells are both own with E[lambda^2] = 1/3; all four, or none, with 1/5 each.
  line = np.arange(8, 24) / 32
  squares = np.mean(line**2 + (1 - line)**2)**2
  _close(draws['weight'], 1 / 2, squares / 2 + (1 - squares) / 3)
  for cells in (0, 15):
    assert (draws['cells'] == cells).mean() == pytest.approx(0.2, abs=0.012)
  assert (draws['weight'][draws['cells'] == 15] == 1).all()
  # 10 rows above the line and 20 columns to its left; the top right and the bottom left are own.
  low, high = 0, 2**32 - 1
  one = _one('random_2x2', _word(2.5 / 16), 0, _word(12.5 / 16), 0, _word(.5), 0,
             high, low, low, high)
  assert one == {'weight': (10 * 12 + 22 * 20) / 1024, 'rows': 10, 'cols': 20, 'cells': 6}


@pytest.mark.parametrize('size, lines', [(9, (2, 6)), (12, (3, 8)), (3, (1, 1)), (2, (0, 1))])
def test_the_margin_of_a_grid_is_rounded_as_in_the_public_code(size, lines):
  rows = cases.many('random_2x2', size, 12)['rows']
  assert (rows.min(), rows.max()) == lines


@pytest.mark.parametrize('name', ['vh_mixup', 'vh_bc_plus'])
def test_vh_weighs_the_mean_of_two_concatenations(name):
  _close(cases.many(name)['weight'], _M1, 2 / 3 * _M2 + 1 / 3 * _M1**2)
  assert _one(name, _word(.25), 0, _word(.5), 0, _word(.75))['weight'] == .3125


@pytest.mark.parametrize('law, last', [('text', 0), ('public', 1)])
def test_random_square_is_clipped_and_comes_from_any_place(law, last):
  draws = cases.many('random_square', law=law)
  height, width = draws['bottom'] - draws['top'], draws['right'] - draws['left']
  assert draws['weight'].min() == .75 and draws['weight'].max() == 1 - 64 / 1024
  assert draws['weight'].mean() == pytest.approx(1 - 196 / 1024, abs=0.002)
  for low, shift, side in ((draws['top'], draws['down'], height),
                           (draws['left'], draws['across'], width)):
    start = low + shift
    assert start.min() == 0
    whole = side == 16
    counts = np.bincount(start[whole])
    assert len(counts) == 17 - last
    assert scipy.stats.chisquare(counts).pvalue > 0.01
    assert (start + side).max() == 32 - last


def test_published_squares():
  corner = _one('random_square', 0, 0, 0, 0)
  assert corner['weight'] == 1 - .0625 and corner['bottom'] == corner['right'] == 8
  assert _one('random_square', _word(.5), 0, _word(.5), 0)['weight'] == .75


@pytest.mark.parametrize('name, size', [('random_column_interval', (16, 32)),
                                        ('random_row_interval', (32, 16))])
def test_intervals(name, size):
  text, public = (cases.many(name, *size, law=law) for law in ('text', 'public'))
  length = text['high'] - text['low']
  assert length.min() == 1 and text['low'].min() == 0 and text['high'].max() == 32
  assert length.mean() == pytest.approx(8.75, abs=0.2)
  assert text['weight'].mean() == pytest.approx(1 - 8.75 / 32, abs=0.006)
  assert not text['shift'].any()
  length = public['high'] - public['low']
  assert (length == 0).mean() == pytest.approx(0.1268, abs=0.01)
  assert length.mean() == pytest.approx(7.75, abs=0.2)
  assert public['weight'].mean() == pytest.approx(0.7578, abs=0.006)
  assert public['high'].max() == 31
  start = public['low'] + public['shift']
  assert start.min() == 0 and (start + length).max() == 31
  # Of intervals of one length, the sources are uniform.
  assert scipy.stats.chisquare(np.bincount(start[length == 1])).pvalue > 0.01
  assert _one(name, 0, _word(7.5 / 32))['weight'] == .75


@pytest.mark.parametrize('name, count', [('random_rows', 32), ('random_columns', 16),
                                         ('random_pixels', 512), ('random_elements', 1536)])
@pytest.mark.parametrize('alpha', [1, 2])
def test_random_masks_weigh_a_beta_binomial_share(name, count, alpha):
  weight = cases.many(name, 32, 16, alpha=alpha)['weight'].astype(np.float64)
  law = scipy.stats.betabinom(count, alpha, alpha)
  _close(weight, 1 / 2, law.var() / count**2 + 1 / 4)
  edges = np.linspace(0, count, 9).astype(int)[1:-1]
  for edge in edges:
    assert (weight * count < edge + .5).mean() == pytest.approx(law.cdf(edge), abs=0.014)


def test_halves_of_a_seed_are_uniform_and_of_all_bits():
  seeds = np.random.default_rng(0).integers(0, 2**32, 500, np.uint32).view(np.int32)
  halves = np.concatenate(expansion.halves(arrays.JAX, jnp.asarray(seeds), 201), 1)
  assert scipy.stats.chisquare(np.bincount(halves.ravel() >> 8)).pvalue > 0.01
  assert scipy.stats.chisquare(np.bincount(halves.ravel() & 255)).pvalue > 0.01
  # Neither neighbours nor rows know each other.
  for a, b in ((halves[:, 1:], halves[:, :-1]), (halves[1:], halves[:-1]),
               (halves[:, 101:], halves[:, :100])):
    assert abs(np.corrcoef(a.ravel(), b.ravel())[0, 1]) < 0.015


def test_cutmix_boxes_have_the_published_mean_and_example():
  draws = cases.many('cutmix', 256, 256, rows=200_000)
  assert draws['weight'].mean() == pytest.approx(0.3182, abs=0.002)
  # lambda = 3/4 at the corner of 8x8: side 4, of which 2x2 lie inside.
  assert _one('cutmix', 3 << 30, height=8, width=8) == {
      'weight': .0625, 'top': 0, 'bottom': 2, 'left': 0, 'right': 2}
