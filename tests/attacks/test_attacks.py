"""Attacks against naive loops in float64, closed forms and their own bounds (P67 to P69)."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nfnets_am import attacks
from nfnets_am.attacks import attack as attack_lib
from nfnets_am.attacks import spsa
from nfnets_am.core import errors
from tests.attacks import naive


def _rows(count=6, seed=1):
  """Images of bytes, black and white ones among them, with labels and keys."""
  rng = np.random.default_rng(seed)
  images = rng.integers(0, 256, (count, *naive.SHAPE), dtype=np.uint8)
  images[0], images[1] = 0, 255
  label = rng.integers(0, naive.CLASSES, count)
  keys = jax.random.split(jax.random.key(seed), count)
  return (jnp.asarray(images, jnp.float32) / 255, label,
          jax.nn.one_hot(label, naive.CLASSES), keys)


def _run(text, predict, images, targets, keys):
  return np.asarray(jax.jit(lambda *rows: attacks.parse(text)(predict, *rows))(
      images, targets, keys), np.float64)


def test_fgsm_is_one_step_of_epsilon_from_the_image():
  params, (images, _, targets, keys) = naive.weights(), _rows()
  found = _run('fgsm(epsilon=0.1)', naive.predict(params), images, targets, keys)
  for row, image, target in zip(found, np.float64(images), np.asarray(targets), strict=True):
    np.testing.assert_allclose(row, naive.fgsm(params, image, target, 0.1), atol=1e-6)
  once = _run('pgd(epsilon=0.1, step_size=0.1, steps=1, random_start=False)',
              naive.predict(params), images, targets, keys)
  np.testing.assert_allclose(once, found, atol=1e-7)


@pytest.mark.parametrize('random_start', [True, False])
def test_pgd_is_the_naive_loop(random_start):
  params, (images, _, targets, keys) = naive.weights(), _rows()
  found = _run(f'pgd(epsilon=0.1, step_size=0.03, steps=7, random_start={random_start})',
               naive.predict(params), images, targets, keys)
  own = jax.vmap(jax.random.fold_in, (0, None))(keys, 0)
  noise = np.float64(attack_lib.noise(images, 0.1, own)) * random_start
  for row, image, target, start in zip(
      found, np.float64(images), np.asarray(targets), noise, strict=True):
    expected = naive.pgd(params, image, target, 0.1, 0.03, 7, start)
    np.testing.assert_allclose(row, expected, atol=2e-6)
    before, after = (naive.loss_and_gradient(params, x, target)[0] for x in (image, row))
    assert after > before


def test_starts_fill_the_ball():
  images = jnp.full((50, *naive.SHAPE), 0.5)
  noise = np.asarray(attack_lib.noise(images, 0.2, jax.random.split(jax.random.key(0), 50)))
  assert noise.min() < -0.195 and noise.max() > 0.195 and np.abs(noise).max() <= 0.2
  assert abs(noise.mean()) < 0.02 and noise.std() == pytest.approx(0.2 / 3 ** 0.5, rel=0.05)
  assert len(np.unique(noise)) > 0.99 * noise.size


def _linear(weights):
  return lambda images: images.reshape(len(images), -1) @ jnp.float32(weights)


@pytest.mark.parametrize('text', [
    'fgsm(epsilon=0.03)', 'pgd(epsilon=0.03, step_size=0.0078, steps=8)',
    'pgd(epsilon=0.03, step_size=0.0078, steps=8, restarts=3)',
    'spsa(epsilon=0.03, iterations=20, samples=64)'])
def test_the_best_against_a_linear_network_is_known(text):
  """Of two classes the margin is linear: each pixel goes to the end that its weight points to."""
  rng = np.random.default_rng(0)
  images, _, _, keys = _rows()
  slope = rng.choice([-1.0, 1.0], naive.SHAPE) * rng.uniform(0.7, 1.3, naive.SHAPE)
  weights = np.stack([slope.reshape(-1) / 2, -slope.reshape(-1) / 2], axis=1)
  label = np.array([0, 1] * 3)
  found = _run(text, _linear(weights), images, jax.nn.one_hot(label, 2), keys)
  away = np.where(label == 0, -1, 1)[:, None, None, None] * np.sign(slope)
  np.testing.assert_allclose(found, np.clip(np.float64(images) + 0.03 * away, 0, 1), atol=1e-6)


def test_spsa_is_the_naive_loop():
  params, (images, label, targets, keys) = naive.weights(), _rows()
  found = _run('spsa(epsilon=0.1, iterations=5, samples=8, batches=2, delta=0.02)',
               naive.predict(params), images[2:], targets[2:], keys[2:])
  for row, image, k, key in zip(found, images[2:], label[2:], keys[2:], strict=True):
    start, key = jax.random.split(key)
    directions = [[jax.random.rademacher(
        jax.random.fold_in(jax.random.fold_in(key, t), batch), (4, *naive.SHAPE), jnp.float32)
                   for batch in range(2)] for t in range(5)]
    noise = attack_lib.noise(image[None], 0.1, start[None])[0]
    expected = naive.spsa(params, np.float64(image), k, 0.1, np.float64(noise),
                          np.float64(directions), 0.02, 0.01)
    np.testing.assert_allclose(row, expected, atol=2e-5)


def test_an_estimate_of_spsa_is_delta_times_the_gradient_and_a_constant_is_no_noise():
  slope = np.random.default_rng(0).normal(size=20)

  def predict(images):
    value = 5 + images.reshape(len(images), -1) @ jnp.float32(slope)
    return jnp.stack([value, jnp.zeros_like(value)], axis=1)

  found = np.asarray(jax.jit(lambda key: spsa.estimate(
      predict, jnp.full((4, 5, 1), 0.5), jnp.array([0.0, 1.0]), key, 40_000, 0.01))(
          jax.random.key(0)), np.float64).reshape(-1)
  assert np.corrcoef(found, slope)[0, 1] > 0.999
  # Five deviations of the estimate; without mirror images the constant 5 would add 0.025 to one.
  deviation = 0.01 * np.linalg.norm(slope) / 20_000 ** 0.5
  np.testing.assert_allclose(found, 0.01 * slope, atol=5 * deviation)


@pytest.mark.parametrize('text', [
    'fgsm(epsilon={})', 'pgd(epsilon={}, step_size=0.0078, steps=9)',
    'pgd(epsilon={}, restarts=2, steps=3)', 'spsa(epsilon={}, iterations=6, samples=8)'])
@pytest.mark.parametrize('epsilon', [8 / 255, 0.03])
def test_images_of_bytes_stay_in_the_ball_and_in_range_for_a_bfloat16_network(text, epsilon):
  images, _, targets, keys = _rows(12)
  network = naive.predict(naive.weights())
  predict = lambda images: network(images.astype(jnp.bfloat16)).astype(jnp.float32)
  found = jax.jit(lambda *rows: attacks.parse(text.format(epsilon))(predict, *rows))(
      images, targets, keys)
  assert found.dtype == jnp.float32
  found = np.asarray(found, np.float64)
  assert found.min() >= 0 and found.max() <= 1
  moved = np.abs(found - np.float64(images))
  assert moved.max() <= epsilon + 1e-7 and moved.max() > 0.9 * epsilon


def test_no_epsilon_is_no_attack():
  images, _, targets, keys = _rows()
  for text in ('fgsm(epsilon=0)', 'pgd(epsilon=0.0)', 'spsa(epsilon=0)'):
    assert attacks.parse(text)(None, images, targets, keys) is images


def test_an_image_meets_the_same_attack_in_any_company():
  images, _, targets, keys = _rows()
  predict = naive.predict(naive.weights())
  for text in ('pgd(epsilon=0.1, steps=3)', 'spsa(epsilon=0.1, iterations=3, samples=4)'):
    whole = _run(text, predict, images, targets, keys)
    some = np.array([4, 2])
    np.testing.assert_allclose(
        _run(text, predict, images[some], targets[some], keys[some]), whole[some], atol=1e-6)
    other = _run(text, predict, images, targets, keys[::-1])
    assert np.abs(other - whole).max() > 0.01


def test_predictions_take_the_place_of_labels_and_share_where_they_tie():
  np.testing.assert_array_equal(
      attack_lib.predicted(jnp.array([[1.0, 3.0, 3.0], [2.0, 0.0, 1.0]])),
      [[0, 0.5, 0.5], [1, 0, 0]])
  params, (images, _, targets, keys) = naive.weights(), _rows()
  own = jax.nn.one_hot(naive.predict(params)(images).argmax(1), naive.CLASSES)
  for text in ('fgsm(epsilon=0.1{})', 'pgd(epsilon=0.1, steps=3{})'):
    found = _run(text.format(", labels='predicted'"), naive.predict(params), images, targets, keys)
    np.testing.assert_array_equal(
        found, _run(text.format(''), naive.predict(params), images, own, keys))


def test_a_pixel_without_a_gradient_stays():
  images, _, _, keys = _rows()
  weights = np.zeros((24, 2))
  weights[:12, 0] = 1
  found = _run('fgsm(epsilon=0.1)', _linear(weights), images, jax.nn.one_hot(np.zeros(6), 2), keys)
  np.testing.assert_array_equal(found.reshape(6, -1)[:, 12:],
                                np.asarray(images, np.float64).reshape(6, -1)[:, 12:])


def test_the_margin_is_over_0_where_the_network_is_wrong():
  logits = jnp.array([[1.0, 3.0, 2.0], [1.0, 3.0, 2.0], [1.0, 3.0, 2.0]])
  targets = jnp.array([[0, 1.0, 0], [1.0, 0, 0], [0.25, 0.75, 0]])
  np.testing.assert_allclose(attack_lib.margin(logits, targets), [-1, 2, -0.5])


def test_restarts_keep_the_worst_of_each_image():
  params, (images, label, targets, keys) = naive.weights(3), _rows(40, seed=5)
  margins = []
  for restarts in (1, 6):
    found = _run(f'pgd(epsilon=0.12, step_size=0.06, steps=2, restarts={restarts})',
                 naive.predict(params), images, targets, keys)
    margins.append(np.array([naive.margin(params, image, k)
                             for image, k in zip(found, label, strict=True)]))
  # The first start is the same.
  assert (margins[1] >= margins[0] - 1e-5).all() and (margins[1] > margins[0] + 1e-3).any()


def test_a_thousand_steps_are_the_same_program():
  images, _, targets, keys = _rows()

  def equations(text):
    jaxpr = jax.make_jaxpr(lambda *rows: attacks.parse(text)(
        naive.predict(naive.weights()), *rows))(images, targets, keys)
    return str(jaxpr).count('=')

  for text in ('pgd(steps={})', 'spsa(samples=4, iterations={})'):
    assert equations(text.format(10)) == equations(text.format(1000))


@pytest.mark.parametrize('text, sentence', [
    ('pdg()', "unknown attack 'pdg' .did you mean 'pgd'.*fgsm, pgd, spsa"),
    ('pgd', 'write pgd()'), ('pgd() | fgsm()', 'is 2 calls; allowed: one'),
    ('pgd(step=0.1)', "has no key 'step'"),
    ('pgd(epsilon=1.5)', r'pgd\(epsilon=1.5\); allowed: 0 to 1'),
    ("fgsm(epsilon='a')", r"fgsm\(epsilon='a'\); allowed: 0 to 1"),
    ('pgd(step_size=0)', r'step_size=0\); allowed: a number over 0'),
    ('pgd(steps=0)', r'steps=0\); allowed: a whole number from 1 up'),
    ('pgd(random_start=False, restarts=2)', 'start at the same place'),
    ("fgsm(labels='wrong')", "'true' or 'predicted'"),
    ('spsa(samples=5)', r'spsa\(samples=5\); allowed: an even number'),
    ('spsa(delta=0)', r'delta=0\); allowed: a number over 0'),
    ('spsa(iterations=2.0)', r'iterations=2.0\); allowed: a whole number')])
def test_what_makes_no_attack_is_one_sentence(text, sentence):
  with pytest.raises(errors.ConfigError, match=sentence):
    attacks.parse(text)
