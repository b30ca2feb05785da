"""The platform chooses the form of a convolution: a TPU has XLA's own, a CPU what is fast there."""

import re

import haiku as hk
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nfnets_am.core import errors
from nfnets_am.models import convolution_forms
from nfnets_am.models import convolving
from nfnets_am.models import layers

_Geometry, _Forms = convolving.Geometry, convolving.Forms


def _plain(x, w, geometry):
  return jax.lax.conv_general_dilated(
      x, w, geometry.stride, geometry.padding, rhs_dilation=(geometry.dilation,) * 2,
      dimension_numbers=('NHWC', 'HWIO', 'NHWC'), feature_group_count=geometry.groups)


def _operations(convolve, x, w, geometry, platform):
  """Returns what a step's program convolves and multiplies, without the names of its values."""
  step = lambda x, w: jax.grad(lambda x, w: jnp.sin(convolve(x, w, geometry)).sum(), (0, 1))(x, w)
  text = jax.jit(step).trace(x, w).lower(lowering_platforms=(platform,)).as_text()
  lines = [re.sub('%[a-z0-9_#:]+', '%', line.strip()) for line in text.splitlines()]
  return sorted(line for line in lines if re.search('convolution|dot_general', line))


@pytest.mark.parametrize('side, channels, geometry', [
    (3, 6, _Geometry((2, 2), groups=3)), (3, 6, _Geometry(groups=6)), (1, 6, _Geometry((2, 2)))])
def test_a_tpu_and_a_gpu_have_the_program_without_the_seam(side, channels, geometry):
  x = jnp.ones((2, 6, 6, channels), jnp.bfloat16)
  w = jnp.ones((side, side, channels // geometry.groups, channels), jnp.bfloat16)
  for platform in ('tpu', 'cuda'):
    operations = _operations(convolving.convolve, x, w, geometry, platform)
    assert operations == _operations(_plain, x, w, geometry, platform)
    assert len(operations) == 3
  assert not any(re.search('(batch|feature)_group_count = [2-9]', line)
                 for line in _operations(convolving.convolve, x, w, geometry, 'cpu'))


@pytest.mark.parametrize('rows, side, kernel, inside, channels, geometry, forms', [
    (8, 12, 3, 128, 768, _Geometry((2, 2), groups=6), _Forms.all('split')),
    (8, 3, 3, 128, 768, _Geometry(groups=6), _Forms.all('patches')),
    (8, 24, 3, 64, 64, _Geometry(), _Forms(by_weights='stored')),
    (8, 3, 3, 512, 512, _Geometry(), _Forms.all('patches')),
    (8, 24, 1, 64, 256, _Geometry(), _Forms.all('patches')),
    (8, 12, 3, 1, 64, _Geometry(groups=64), _Forms.all('shifts')),
    (8, 12, 5, 1, 64, _Geometry(groups=64), _Forms('shifts', 'shifts', 'whole')),
    (8, 12, 3, 4, 128, _Geometry(groups=32), _Forms('whole', 'whole', 'taps')),
])
def test_what_a_cpu_takes(rows, side, kernel, inside, channels, geometry, forms):
  x = jax.ShapeDtypeStruct((rows, side, side, inside * geometry.groups), jnp.float32)
  w = jax.ShapeDtypeStruct((kernel, kernel, inside, channels), jnp.float32)
  assert convolving.on_cpu(x, w, geometry) == forms


def test_xlas_own_is_the_same_on_all_devices_but_for_images_that_a_cpu_stores():
  x, w = jnp.ones((2, 6, 6, 3)), jnp.ones((3, 3, 3, 4))
  own = lambda x, w, geometry: convolving.convolve(x, w, geometry, convolving.XLAS_OWN)
  for platform in ('tpu', 'cuda', 'cpu'):
    assert (_operations(own, x, w, _Geometry(), platform)
            == _operations(_plain, x, w, _Geometry(), platform))
  # The compiler may not see through it: no value of a loop that could run is known.
  gradient = jax.jit(jax.grad(lambda w, x: own(jnp.sin(x), w, _Geometry()).sum()))
  assert ' while(' in gradient.lower(w, x).compile().as_text()


def test_each_part_may_have_its_own_form():
  rng, geometry = np.random.default_rng(0), _Geometry((2, 2), groups=2)
  x, w = (jnp.float32(rng.normal(size=size)) for size in ((2, 5, 5, 4), (3, 3, 2, 4)))
  calls = []
  forms = {name: lambda x, w, geometry, name=name: calls.append(name) or _plain(x, w, geometry)
           for name in ('a', 'b', 'c')}
  with pytest.MonkeyPatch.context() as patch:
    patch.setattr(convolution_forms, 'FORMS', forms)
    everywhere = convolving.everywhere(_Forms('a', 'b', 'c'))
    convolve = lambda x, w: convolving.convolve(x, w, geometry, everywhere).sum()
    found = jax.grad(convolve, (0, 1))(x, w)
  assert calls == ['a', 'b', 'c']
  for own, other in zip(found, jax.grad(lambda x, w: _plain(x, w, geometry).sum(), (0, 1))(x, w),
                        strict=True):
    np.testing.assert_allclose(own, other, rtol=1e-5)


def test_an_unknown_form_is_refused():
  with pytest.raises(errors.ConfigError, match="form of a convolution 'tap'.*did you mean 'taps'"):
    convolving.convolve(jnp.ones((1, 3, 3, 2)), jnp.ones((3, 3, 1, 2)), _Geometry(groups=2),
                        convolving.everywhere(_Forms.all('tap')))


def test_layers_on_this_device_have_the_gradients_of_xla(monkeypatch):
  """Of the grouped ones and the standardised ones, also where they are computed again."""
  def net(x):
    for conv in (layers.WSConv2D(4, 3, 2, groups=2, name='a'), layers.WSConv2D(4, 1, name='b'),
                 layers.Conv2D(4, 3, padding=layers.around(3), groups=4, name='c'),
                 layers.Conv2D(3, 3, name='d')):
      x = jnp.sin(hk.remat(conv)(x))
    return x.sum()

  apply = hk.without_apply_rng(hk.transform(net))
  x = jnp.float32(np.random.default_rng(0).normal(size=(2, 7, 8, 4)))
  params = jax.jit(apply.init)(jax.random.key(0), x)
  gradients = lambda: jax.jit(jax.grad(apply.apply))(params, x)
  found = gradients()
  jax.clear_caches()
  for choices in ('CHOICES', 'XLAS_OWN'):
    monkeypatch.setattr(convolving, choices, {})
  jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5),
               found, gradients())
