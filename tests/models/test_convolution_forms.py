"""Every form of a convolution has the values and gradients of XLA's own."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nfnets_am.models import convolution_forms

_Geometry = convolution_forms.Geometry
# Shape of the map, kernel, channels of a group and written by it, geometry. Sizes are odd and even,
# so that 'SAME' puts more after than before; groups are of an odd and of an even number.
_CASES = {
    'plain': ((5, 6), (3, 3), 2, 2, _Geometry(groups=3)),
    'strided': ((6, 7), (3, 3), 2, 3, _Geometry((2, 2), groups=4)),
    'one group': ((4, 4), (1, 3), 3, 2, _Geometry((2, 1))),
    'dilated': ((7, 8), (3, 2), 2, 2, _Geometry((1, 2), ((2, 2), (0, 1)), groups=2, dilation=2)),
}
_DEPTHWISE = {
    'plain': ((5, 6), (3, 3), 1, 1, _Geometry(groups=4)),
    'multiplied': ((6, 7), (3, 3), 1, 2, _Geometry((2, 2), ((1, 1), (1, 1)), groups=3)),
    'dilated': ((7, 7), (3, 3), 1, 1, _Geometry((2, 2), ((2, 2), (2, 2)), groups=2, dilation=2)),
}


def _drawn(size, kernel, inside, written, geometry):
  rng = np.random.default_rng(0)
  x = rng.normal(size=(2, *size, inside * geometry.groups))
  w = rng.normal(size=(*kernel, inside, written * geometry.groups))
  # What bfloat16 holds exactly, so that both dtypes start from the same numbers.
  return [jnp.asarray(x, jnp.bfloat16), jnp.asarray(w, jnp.bfloat16)]


def _parts(form, x, w, geometry, dtype):
  """Returns values and both gradients of a sum with weights of its own."""
  y, pull = jax.vjp(lambda x, w: form(x, w, geometry), x.astype(dtype), w.astype(dtype))
  g = jnp.cos(jnp.arange(y.size, dtype=jnp.float32)).reshape(y.shape).astype(jnp.bfloat16)
  return y, *pull(g.astype(dtype))


def _by_xla(x, w, geometry):
  return jax.lax.conv_general_dilated(
      x, w, geometry.stride, geometry.padding, rhs_dilation=(geometry.dilation,) * 2,
      dimension_numbers=('NHWC', 'HWIO', 'NHWC'), feature_group_count=geometry.groups)


def _all(form, cases, dtype):
  # One program: compiling is what a test like this spends its time on.
  drawn = {name: _drawn(*case) for name, case in cases.items()}
  return jax.jit(lambda drawn: {
      name: _parts(form, *drawn[name], case[4], dtype) for name, case in cases.items()})(drawn)


@pytest.fixture(scope='module')
def expected():
  return {key: _all(_by_xla, cases, jnp.float32)
          for key, cases in (('any', _CASES), ('depthwise', _DEPTHWISE))}


@pytest.mark.parametrize('name', convolution_forms.FORMS)
def test_values_and_gradients_are_those_of_xla(name, expected):
  key, cases = ('depthwise', _DEPTHWISE) if name == 'shifts' else ('any', _CASES)
  found = _all(convolution_forms.FORMS[name], cases, jnp.float32)
  for case, parts in expected[key].items():
    for part, own, other in zip(('values', 'by images', 'by weights'), found[case], parts,
                                strict=True):
      assert own.shape == other.shape and own.dtype == jnp.float32
      np.testing.assert_allclose(own, other, rtol=1e-5, atol=2e-5, err_msg=f'{case}, {part}')


@pytest.mark.parametrize('name', convolution_forms.FORMS)
def test_bfloat16_rounds_a_few_times(name, expected):
  key, cases = ('depthwise', _DEPTHWISE) if name == 'shifts' else ('any', _CASES)
  case = 'multiplied' if name == 'shifts' else 'strided'
  found = _all(convolution_forms.FORMS[name], {case: cases[case]}, jnp.bfloat16)
  for own, other in zip(found[case], expected[key][case], strict=True):
    assert own.dtype == jnp.bfloat16
    # Eight bits of the largest product's size; a sum in bfloat16 would lose more.
    np.testing.assert_allclose(
        np.float32(own), other, rtol=2 ** -7, atol=2 ** -8 * float(jnp.abs(other).max()))


def test_shifts_are_of_depthwise_convolutions():
  with pytest.raises(ValueError, match='groups of 2 channels; allowed: 1'):
    convolution_forms.shifts(jnp.ones((1, 3, 3, 4)), jnp.ones((3, 3, 2, 4)), _Geometry(groups=2))
