"""Penalties against sums in float64, the decay that they stand for and the loss of before."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from nfnets_am.core import errors
from nfnets_am.optim import masks
from nfnets_am.optim import optimizers
from nfnets_am.optim import penalties
from tests.optim import weights


def squares(params, mask, target=0.0):
  named = masks.named(mask, params)
  return sum(np.sum((np.float64(params[m][n]) - target) ** 2)
             for m, n in weights.NAMES if named[m][n])


@pytest.mark.parametrize('mask', list(masks.MASKS))
def test_l2_against_float64(mask):
  params = weights.draw(0)
  got = penalties.parse(f'l2(coefficient=0.3, mask={mask!r})')(params)
  np.testing.assert_allclose(got, 0.15 * squares(params, mask), rtol=1e-6)
  assert got.dtype == jnp.float32
  assert got.shape == ()


@pytest.mark.parametrize('mask', ['all', 'no_gain_bias'])
def test_the_gradient_of_l2_is_the_decay(mask):
  params, grads = weights.draw(0), weights.draw(1)
  slope = jax.grad(penalties.parse(f'l2(coefficient=0.25, mask={mask!r})'))(params)
  in_loss = jax.tree.map(jnp.add, grads, slope)
  opt = optimizers.OPTIMIZERS.make(
      'sgd', lambda t: 1.0, momentum=0.0, weight_decay=0.25, decay_mask=mask)
  updates, _ = opt.update(grads, opt.init(params), params)
  jax.tree.map(lambda a, b: np.testing.assert_allclose(a, -b, rtol=1e-6), in_loss, updates)


@pytest.mark.parametrize('mask', ['all', 'no_gain_bias'])
def test_l2_is_the_term_of_fort_bit_for_bit(mask):
  """What Fort's experiments were computed with, written out as it was."""
  def before(params):
    kept = [params[m][n].astype(jnp.float32) for m in sorted(params) for n in sorted(params[m])
            if mask == 'all' or n == 'w']
    return 5e-4 * (jnp.float32(0.5) * optax.tree.norm(kept, squared=True))

  now = penalties.parse(f'l2(coefficient=5e-4, mask={mask!r})')
  for seed in range(5):
    a, b = (jax.jit(jax.value_and_grad(f))(weights.draw(seed)) for f in (now, before))
    jax.tree.map(np.testing.assert_array_equal, a, b)


def test_towards_draws_scales_to_one_by_default():
  params = weights.draw(0)
  value, slope = jax.value_and_grad(penalties.parse('towards(coefficient=0.2)'))(params)
  np.testing.assert_allclose(value, 0.1 * squares(params, 'norm_scale', 1.0), rtol=1e-6)
  for m, n in weights.NAMES:
    expected = 0.2 * (np.float64(params[m][n]) - 1) * (n == 'scale')
    np.testing.assert_allclose(slope[m][n], expected, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize('target, value, slope', [(1.0, 0.05, 0.1), (0.0, 0.2, 0.2)])
def test_towards_in_closed_form(target, value, slope):
  """At gamma = 2 with 0.1: 0.1/2 (2 - target)^2 and 0.1 (2 - target); at the target nothing."""
  penalty = penalties.parse(f'towards(coefficient=0.1, target={target})')
  at = lambda gamma: jax.value_and_grad(penalty)({'norm': {'scale': jnp.float32([gamma])}})
  got, grads = at(2.0)
  np.testing.assert_allclose(got, value, rtol=1e-6)
  np.testing.assert_allclose(grads['norm']['scale'], [slope], rtol=1e-6)
  got, grads = at(target)
  assert got == 0
  assert grads['norm']['scale'] == 0


def test_terms_add_up():
  params = weights.draw(0)
  text = ("l2(coefficient=0.1, mask='kernels') | towards(coefficient=0.2) | "
          "towards(coefficient=0.3, target=0, mask='norm_offset')")
  expected = (0.05 * squares(params, 'kernels') + 0.1 * squares(params, 'norm_scale', 1.0)
              + 0.15 * squares(params, 'norm_offset'))
  np.testing.assert_allclose(penalties.parse(text)(params), expected, rtol=1e-6)


def test_bfloat16_is_summed_as_float32():
  params = {'net': {'w': jnp.full((100, 100), 0.1, jnp.bfloat16)}}
  got = penalties.parse('l2(coefficient=2)')(params)
  np.testing.assert_allclose(got, 10_000 * float(jnp.bfloat16(0.1)) ** 2, rtol=1e-5)
  assert got.dtype == jnp.float32


@pytest.mark.parametrize('text', ['', 'l2(coefficient=0)', 'l2(coefficient=0.0) | '
                                  'towards(coefficient=0)'])
def test_nothing_is_none(text):
  assert penalties.parse(text) is None


def test_a_zero_term_costs_nothing_beside_others():
  params = {'net': {'w': jnp.ones((2, 2))}}
  # The term with 0 names norms, which these parameters do not have.
  assert penalties.parse('towards(coefficient=0) | l2(coefficient=1)')(params) == 2


@pytest.mark.parametrize('text, sentence', [
    ('l2', r"penalty 'l2' cannot be read: 'l2' is not the call of a penalty; write l2\(\)"),
    ('l3(coefficient=1)', "unknown penalty 'l3'.*allowed: l2, towards"),
    ('l2()', "penalty 'l2' needs the key 'coefficient'"),
    ('l2(coefficient=-1)', "penalty 'l2': coefficient is -1; allowed: a number of at least 0"),
    ('l2(coefficient=1e999)', 'coefficient is inf'),
    ("l2(coefficient='1')", "coefficient is '1'"),
    ("l2(coefficient=1, mask='kernel')", "unknown mask 'kernel'.*did you mean 'kernels'"),
    ("towards(coefficient=1, target='one')", "penalty 'towards': target is 'one'"),
    ('l2(coefficient=1, target=1)', "penalty 'l2' has no key 'target'"),
])
def test_refusals(text, sentence):
  with pytest.raises(errors.ConfigError, match=sentence):
    penalties.parse(text)


def test_a_mask_that_names_nothing_is_refused():
  with pytest.raises(errors.ConfigError, match="mask 'norm_scale' names no parameter"):
    penalties.parse('towards(coefficient=1)')({'net': {'w': jnp.ones(2)}})
  assert math.isfinite(penalties.parse('l2(coefficient=1)')({'net': {'w': jnp.ones(2)}}))
