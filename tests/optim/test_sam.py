"""SAM on functions whose gradients can be written down."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from nfnets_am.core import errors
from nfnets_am.optim import ascents
from nfnets_am.optim import clips
from nfnets_am.optim import ema
from nfnets_am.optim import optimizers
from nfnets_am.optim import sam
from nfnets_am.optim.schedules import SCHEDULES

RHO = 0.05


def bowl(params, batch):
  """Gradient of (w1^2 + 10 w2^2) / 2, the loss as aux."""
  w = params['m']['w']
  return {'m': {'w': jnp.array([1., 10.]) * w}}, (w[0] ** 2 + 10 * w[1] ** 2) / 2


def pull(params, targets):
  """Gradient of the mean over rows of (w - y)^2 / 2; the loss as aux."""
  loss = lambda p: jnp.mean((p['m']['w'] - targets) ** 2) / 2
  value, grads = jax.value_and_grad(loss)(params)
  return grads, value


def net_loss(params, batch, key):
  """A small net with dropout: the noise comes from the key and the number of rows."""
  hidden = jax.nn.relu(batch['x'] @ params['a']['w'])
  keep = jax.random.bernoulli(key, 0.7, hidden.shape)
  logits = (hidden * keep) @ params['linear']['w']
  return jnp.mean(optax.softmax_cross_entropy_with_integer_labels(logits, batch['y']))


def net(rows=12):
  rng = np.random.default_rng(0)
  params = {'a': {'w': jnp.asarray(rng.standard_normal((4, 8)), jnp.float32)},
            'linear': {'w': jnp.asarray(rng.standard_normal((8, 3)), jnp.float32)}}
  batch = {'x': jnp.asarray(rng.standard_normal((rows, 4)), jnp.float32),
           'y': jnp.asarray(rng.integers(0, 3, rows))}
  return params, batch


def net_grad_fn(params, batch):
  loss, grads = jax.value_and_grad(net_loss)(params, batch, jax.random.key(3))
  return grads, loss


def close(a, b, rtol=1e-6):
  jax.tree.map(lambda x, y: np.testing.assert_allclose(x, y, rtol=rtol, atol=1e-7), a, b)


def test_one_norm_over_all_parameters():
  params = {'m': {'w': jnp.ones(2)}}
  up = sam.climb(params, bowl(params, None)[0], RHO)
  np.testing.assert_allclose(up['m']['w'] - 1, [.004975, .049752], atol=1e-6)
  gradient, loss = sam.sam_gradient(bowl, params, None, rho=RHO)
  np.testing.assert_allclose(gradient['m']['w'], [1.004975, 10.497519], rtol=1e-6)
  assert loss == 5.5  # at w, not at w + eps


def test_the_norm_is_not_per_array():
  params = {'m': {'v': jnp.ones(1)}, 'n': {'w': jnp.ones(1)}}
  up = sam.climb(params, {'m': {'v': jnp.ones(1)}, 'n': {'w': jnp.full(1, 10.)}}, RHO)
  np.testing.assert_allclose(
      [up['m']['v'][0] - 1, up['n']['w'][0] - 1], [.004975, .049752], atol=1e-6)


def test_rho_zero_is_the_plain_gradient_bit_for_bit():
  params, batch = net()
  plain = jax.jit(net_grad_fn)(params, batch)
  got = jax.jit(functools.partial(sam.sam_gradient, net_grad_fn, rho=0.0))(params, batch)
  jax.tree.map(np.testing.assert_array_equal, got, plain)


def test_zero_gradient_stays_finite():
  params = {'m': {'w': jnp.zeros(2)}}
  gradient, _ = sam.sam_gradient(bowl, params, None, rho=RHO)
  np.testing.assert_array_equal(gradient['m']['w'], [0, 0])


def on_two_devices(targets, synchronised, w=1.0):
  def step(params, batch):
    gradient, _ = sam.sam_gradient(
        pull, params, batch, rho=RHO, axis_name='data', synchronised=synchronised)
    return gradient, jax.lax.pmean(gradient, 'data')
  mapped = jax.vmap(step, in_axes=(None, 0), axis_name='data')
  own, mean = mapped({'m': {'w': jnp.float32(w)}}, jnp.asarray(targets, jnp.float32))
  return np.asarray(own['m']['w']), np.asarray(mean['m']['w'])


def test_each_device_climbs_its_own_gradient():
  own, mean = on_two_devices([[2.], [-2.]], synchronised=False)
  np.testing.assert_allclose(own, [-1.05, 3.05], rtol=1e-6)
  np.testing.assert_allclose(mean, [1.0, 1.0], rtol=1e-6)


def test_synchronised_devices_climb_the_mean():
  own, mean = on_two_devices([[2.], [-2.]], synchronised=True)
  np.testing.assert_allclose(own, [-0.95, 3.05], rtol=1e-6)
  np.testing.assert_allclose(mean, [1.05, 1.05], rtol=1e-6)


def test_gradients_of_one_sign_give_the_same_either_way():
  def curved(params, batch):
    return jax.tree.map(lambda w: batch[0] * w, params), None
  for synchronised in [False, True]:
    step = functools.partial(
        sam.sam_gradient, curved, rho=RHO, axis_name='data', synchronised=synchronised)
    gradient, _ = jax.vmap(step, in_axes=(None, 0), axis_name='data')(
        {'m': {'w': jnp.float32(1)}}, jnp.array([[1.], [3.]]))
    np.testing.assert_allclose(gradient['m']['w'], [1.05, 3.15], rtol=1e-6)
    assert np.mean(gradient['m']['w']) == pytest.approx(2.1, rel=1e-6)


def test_two_synchronised_devices_are_one_device_with_the_whole_batch():
  targets = np.array([2., -1., 0.5, -2.])
  _, mean = on_two_devices(targets.reshape(2, 2), synchronised=True)
  whole, _ = sam.sam_gradient(
      pull, {'m': {'w': jnp.float32(1)}}, jnp.asarray(targets, jnp.float32), rho=RHO)
  np.testing.assert_allclose(mean[0], whole['m']['w'], rtol=1e-6)


def test_equals_optax_in_its_opaque_mode():
  """Three updates of SAM with momentum; optax is given the first gradient and a function."""
  params, batch = net()
  ours, theirs = params, params
  opt = optimizers.OPTIMIZERS.make('sgd', SCHEDULES.make('constant', 0.1, 3), weight_decay=0.01)
  peer = optax.contrib.sam(
      opt, optax.chain(optax.contrib.normalize(), optax.sgd(RHO)), opaque_mode=True)
  state, peer_state = opt.init(params), peer.init(params)
  our_gradient = jax.jit(functools.partial(sam.sam_gradient, net_grad_fn, rho=RHO))
  gradient = jax.jit(lambda p: net_grad_fn(p, batch)[0])
  for _ in range(3):
    updates, state = opt.update(our_gradient(ours, batch)[0], state, ours)
    ours = optax.apply_updates(ours, updates)
    updates, peer_state = peer.update(
        gradient(theirs), peer_state, theirs, grad_fn=lambda p, _: gradient(p))
    theirs = optax.apply_updates(theirs, updates)
  close(ours, theirs, rtol=1e-5)


def test_ascent_on_a_part_of_the_rows():
  params, batch = net(rows=12)
  rows = sam.ascent_rows(12, 3, 'view_major', 0.5)
  gradient, aux = sam.sam_gradient(net_grad_fn, params, batch, rho=RHO, rows=rows)
  part = {'x': batch['x'][rows], 'y': batch['y'][rows]}
  first, loss = net_grad_fn(params, part)
  norm = np.sqrt(sum(np.sum(np.square(g)) for g in jax.tree.leaves(first)))
  up = jax.tree.map(lambda w, g: w + RHO * g / norm, params, first)
  close(gradient, net_grad_fn(up, batch)[0], rtol=1e-5)
  np.testing.assert_allclose(aux, loss, rtol=1e-6)
  whole, _ = sam.sam_gradient(net_grad_fn, params, batch, rho=RHO)
  assert np.abs(whole['a']['w'] - gradient['a']['w']).max() > 1e-5


@pytest.mark.parametrize('layout', ['image_major', 'view_major'])
@pytest.mark.parametrize('rows, n, fraction, images', [
    (32, 16, 0.5, 1), (32, 16, 1.0, 2), (32, 1, 0.2, 7), (60, 4, 0.2, 3), (30, 2, 0.2, 3),
    (12, 0, 0.25, 3)])
def test_ascent_rows_are_all_views_of_whole_images(layout, rows, n, fraction, images):
  views = max(n, 1)
  unique = rows // views
  ids = (np.repeat(np.arange(unique), views) if layout == 'image_major'
         else np.tile(np.arange(unique), views))
  got = sam.ascent_rows(rows, n, layout, fraction)
  naive = [row for row in range(rows) if ids[row] < images]
  np.testing.assert_array_equal(got, naive)
  assert len(got) == images * views


@pytest.mark.parametrize('layout', ['image_major', 'view_major'])
@pytest.mark.parametrize('rows, n, fraction, views', [
    (32, 16, 0.2, 4), (32, 16, 0.25, 4), (32, 16, 1.0, 16), (32, 4, 0.5, 2), (30, 15, 0.2, 3)])
def test_ascent_rows_by_views_are_the_first_views_of_every_image(layout, rows, n, fraction, views):
  images = [list(range(i * n, i * n + n)) if layout == 'image_major' else
            list(range(i, rows, rows // n)) for i in range(rows // n)]
  got = sam.ascent_rows(rows, n, layout, fraction, 'views')
  assert got.tolist() == sorted(row for image in images for row in image[:views])


@pytest.mark.parametrize('args, sentence', [
    ((32, 16, 'image_major', 0.2),
     r"fraction 0.2 of the 2 unique images.*0.4 images.*0.5 to 1, or ascent\.part='views'"),
    ((32, 4, 'image_major', 0.2, 'views'),
     r"0.2 of the 4 views of an image.*0.8 views.*0.25 to 1, or ascent\.part='images'"),
    ((32, 16, 'image_major', 0.2, 'rows'), 'images, views'),
    ((32, 1, 'image_major', 1.1), '35.2 images'),
    ((32, 1, 'image_major', 0.0), '0 images'),
    ((32, 3, 'image_major', 0.5), '32 rows per device with multiplicity 3'),
    ((8, 16, 'view_major', 0.5), '8 rows per device with multiplicity 16'),
    ((32, 16, 'image_minor', 0.5), 'image_major'),
])
def test_ascent_rows_refuse_with_the_numbers(args, sentence):
  with pytest.raises(errors.ConfigError, match=sentence):
    sam.ascent_rows(*args)


def test_sam_agc_and_ema_compose_once_each_per_update():
  """One update on the bowl, by hand: climb, clip by the norm of w itself, step, average."""
  params, head = {'m': {'w': jnp.ones((2,))}}, {'head': {'w': jnp.zeros((1, 1))}}
  opt = optax.chain(
      clips.CLIPS.make('agc', 'head', clip=0.01),
      optimizers.OPTIMIZERS.make('sgd', SCHEDULES.make('constant', 0.5, 1), momentum=0.0))
  average = ema.init_ema(params)
  gradient, _ = sam.sam_gradient(bowl, params, None, rho=RHO)
  updates, _ = opt.update(gradient | head, opt.init(params | head), params | head)
  del updates['head']
  params = optax.apply_updates(params, updates)
  average = ema.update_ema(average, params, 0, 0.99999)
  g = np.array([1 + RHO / np.sqrt(101), 10 + 100 * RHO / np.sqrt(101)])
  w = 1 - 0.5 * g * 0.01 * np.sqrt(2) / np.linalg.norm(g)
  np.testing.assert_allclose(params['m']['w'], w, rtol=1e-6)
  np.testing.assert_allclose(average['m']['w'], 0.1 + 0.9 * w, rtol=1e-6)


def rows_of(rows=12, multiplicity=3, layout='view_major', accumulate=1, carry=False):
  return sam.RowsOfDevice(rows, multiplicity, layout, accumulate, carry)


def test_no_ascent_is_the_plain_gradient_bit_for_bit():
  params, batch = net()
  rule = ascents.ASCENTS.make('none', rows_of())
  got = jax.jit(lambda p, b: rule(net_grad_fn, p, b, None, None))(params, batch)
  jax.tree.map(np.testing.assert_array_equal, got, jax.jit(net_grad_fn)(params, batch))


@pytest.mark.parametrize('fraction', [1.0, 0.5])
def test_the_rule_is_the_function_bit_for_bit(fraction):
  params, batch = net(rows=12)
  rule = ascents.ASCENTS.make('sam', rows_of(), rho=RHO, fraction=fraction)
  got = jax.jit(lambda p, b: rule(net_grad_fn, p, b, None, None))(params, batch)
  rows = None if fraction == 1 else sam.ascent_rows(12, 3, 'view_major', fraction)
  expected = jax.jit(functools.partial(sam.sam_gradient, net_grad_fn, rho=RHO, rows=rows))(
      params, batch)
  jax.tree.map(np.testing.assert_array_equal, got, expected)


def test_the_rule_shares_the_climb_over_the_axis_it_is_given():
  for synchronised, expected in [(False, [-1.05, 3.05]), (True, [-0.95, 3.05])]:
    rule = ascents.ASCENTS.make('sam', rows_of(1, 1), rho=RHO, synchronised=synchronised)
    step = lambda p, b: rule(pull, p, b, None, 'devices')[0]  # noqa: B023
    got = jax.vmap(step, in_axes=(None, 0), axis_name='devices')(
        {'m': {'w': jnp.float32(1)}}, jnp.array([[2.], [-2.]]))
    np.testing.assert_allclose(got['m']['w'], expected, rtol=1e-6)


@pytest.mark.parametrize('kwargs, accumulate, sentence', [
    ({'rho': 0.0}, 1, r'ascent\.rho=0.0; allowed: a number over 0'),
    ({'rho': float('nan')}, 1, r'ascent\.rho=nan'),
    ({}, 1, "ascent 'sam' needs the key 'rho'"),
    ({'rho': 0.1, 'fraction': 0.0}, 1, r'ascent\.fraction=0.0; allowed: more than 0 to 1'),
    ({'rho': 0.1, 'fraction': 1.5}, 1, r'ascent\.fraction=1.5'),
    ({'rho': 0.1, 'fraction': 0.1}, 1, 'fraction 0.1 of the 4 unique images'),
    ({'rho': 0.1, 'fraction': 0.25}, 2,
     r'accumulate=2 does not divide the 3 views of ascent\.fraction=0.25'),
    ({'rho': 0.1, 'steps': 2}, 1, "ascent 'sam' has no key 'steps'"),
])
def test_ascents_refuse_with_the_numbers(kwargs, accumulate, sentence):
  with pytest.raises(errors.ConfigError, match=sentence):
    ascents.ASCENTS.make('sam', rows_of(accumulate=accumulate), **kwargs)


def test_a_fifth_of_a_core_of_table_2_climbs_by_views_where_it_has_two_images():
  params, batch = net(rows=32)
  rule = ascents.ASCENTS.make('sam', rows_of(32, 16), rho=RHO, fraction=0.2, part='views')
  # View-major: of two images the first four views are the first eight rows.
  first, _ = net_grad_fn(params, jax.tree.map(lambda x: x[:8], batch))
  expected, _ = net_grad_fn(sam.climb(params, first, RHO), batch)
  close(rule(net_grad_fn, params, batch, None, None)[0], expected)


def test_a_part_of_rows_that_carry_a_state_is_refused():
  with pytest.raises(errors.ConfigError, match=r'ascent\.fraction=0.5 .* carry .* allowed: 1.0'):
    ascents.ASCENTS.make('sam', rows_of(carry=True), rho=RHO, fraction=0.5)
  ascents.ASCENTS.make('sam', rows_of(carry=True), rho=RHO)
