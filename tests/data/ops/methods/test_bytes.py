"""Every method against loops over elements, in every namespace; labels are what pixels show."""

import jax
import numpy as np
import pytest

from nfnets_am.data import tensorflow
from nfnets_am.data.ops import arrays
from nfnets_am.data.ops.methods import blending
from tests.data.ops.methods import cases
from tests.data.ops.methods import naive

tf = tensorflow.import_tensorflow()
ROWS = 12
SIZE = (cases.HEIGHT, cases.WIDTH, cases.CHANNELS)


@pytest.fixture(scope='module')
def images():
  rng = np.random.default_rng(5)
  return {'uint8': rng.integers(0, 256, (2, ROWS, *SIZE), np.uint8),
          'float32': rng.normal(0.1, 1, (2, ROWS, *SIZE)).astype(np.float32)}


@pytest.fixture(scope='module')
def draws():
  return {case: method.draw(cases.words(method, ROWS), *SIZE[:2])
          for case, method in cases.METHODS.items()}


def _apply(xp, images, draws):
  """All cases at once, so that a compiler runs once."""
  return {case: {dtype: method.apply(xp, images[dtype][0], images[dtype][1], draws[case])
                 for dtype in images if dtype == 'float32' or not method.floats}
          for case, method in cases.METHODS.items()}


def _eager(images, draws):
  return _apply(arrays.tf(), *jax.tree.map(tf.constant, (images, draws)))


def _compiled(images, draws):
  # As in a pipeline, whose batches have an unknown number of rows until they come.
  of_any = lambda x, at: tf.TensorSpec([*x.shape[:at], None, *x.shape[at + 1:]], x.dtype)
  signature = [jax.tree.map(lambda x: of_any(x, 1), images),
               jax.tree.map(lambda x: of_any(x, 0), draws)]
  return tf.function(lambda images, draws: _apply(arrays.tf(), images, draws),
                     input_signature=signature, jit_compile=True)(images, draws)


def _jax(images, draws):
  return jax.jit(lambda images, draws: _apply(arrays.JAX, images, draws))(images, draws)


@pytest.fixture(scope='module', params=[_eager, _compiled, _jax])
def found(request, images, draws):
  return jax.tree.map(np.asarray, request.param(images, draws))


@pytest.fixture(scope='module')
def weights(draws):
  """The weight of every element of the rows' own images."""
  return {case: [naive.weights(cases.METHODS[case], _row(draws, case, r), SIZE)
                 for r in range(ROWS)] for case in cases.ON_BYTES}


def _row(draws, case, r):
  return {name: value[r].item() for name, value in draws[case].items()}


@pytest.fixture(scope='module')
def wanted(images, draws, weights):
  """float64, before a mean of bytes is rounded."""
  out = {}
  for case, method in cases.METHODS.items():
    for dtype, (own, partner) in images.items():
      if method.floats:
        rows = [naive.bc(method, _row(draws, case, r), own[r], partner[r]) for r in range(ROWS)]
      else:
        rows = [naive.mixed(method, _row(draws, case, r), own[r], partner[r], weights[case][r])
                for r in range(ROWS)]
      out[case, dtype] = np.stack(rows)
  return out


@pytest.mark.parametrize('case', cases.ON_BYTES)
def test_bytes_are_those_of_a_loop_in_every_namespace(case, found, wanted):
  assert found[case]['uint8'].dtype == np.uint8
  np.testing.assert_array_equal(found[case]['uint8'], np.floor(wanted[case, 'uint8'] + 0.5))


@pytest.mark.parametrize('case', cases.CASES)
def test_floats_are_those_of_a_loop(case, found, wanted):
  assert found[case]['float32'].dtype == np.float32
  np.testing.assert_allclose(found[case]['float32'], wanted[case, 'float32'], rtol=1e-5, atol=3e-6)


@pytest.mark.parametrize('case', cases.ON_BYTES)
def test_a_label_weighs_what_the_pixels_show(case, draws, weights):
  for r in range(ROWS):
    weight = draws[case]['weight'][r]
    if case == 'noisy_mixup()':
      # Lambda: clipped noise moves the mean of the pixels, not the label.
      assert weight == draws[case]['share'][r] / 65536
    else:
      assert weight == pytest.approx(weights[case][r].mean(), abs=1e-7)


@pytest.mark.parametrize('case', cases.CASES)
def test_draws_are_a_weight_and_integers_of_every_row(case, draws):
  for name, value in draws[case].items():
    assert value.shape == (ROWS,)
    assert value.dtype == (np.float32 if name == 'weight' else np.int32)
  assert 0 <= draws[case]['weight'].min() <= draws[case]['weight'].max() <= 1


@pytest.mark.parametrize('xp', [arrays.JAX, arrays.tf()], ids=['jax', 'tf'])
def test_a_mean_of_any_two_bytes_is_rounded_to_nearest_and_halves_up(xp):
  own, partner = np.mgrid[:256, :256].astype(np.uint8)[:, None, :, :, None]
  for share in (0, 1, 255, 256, 16384, 32767, 32768, 65535, 65536):
    found = blending.blend(xp, *(xp.asarray(x, 'uint8') for x in (own, partner)),
                           xp.asarray(np.full((1, 1, 1, 1), share), 'int32'))
    weight = share / 65536
    wanted = np.floor(weight * own + (1 - weight) * partner.astype(np.float64) + 0.5)
    np.testing.assert_array_equal(np.asarray(found), wanted)
