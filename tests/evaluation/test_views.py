"""Test-time augmentation against a naive loop over windows, and the thesis' numbers of views."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nfnets_am import evaluation
from nfnets_am.core import errors
from nfnets_am.core import parallel
from nfnets_am.evaluation import evaluation as evaluation_lib
from nfnets_am.evaluation import evaluator
from nfnets_am.evaluation import views
from nfnets_am.models import model as model_lib
from nfnets_am.training import run as run_lib
from nfnets_am.training import sections
from tests import tiny

_BLACK = np.float32([-2.0, -1.5])


def _network(height, width, classes=4):
  """Logits that no mean of images could stand for: of a tanh."""
  w = np.random.default_rng(1).normal(size=(height * width * 2, classes)) / 5
  calls = []

  def apply(params, state, rng, images, mode):
    assert rng is None and not mode.is_training
    calls.append(images.shape)
    flat = images.reshape((len(images), -1))
    return model_lib.Outputs(jnp.tanh(flat @ params)), state

  return apply, w, calls


def _logits(w, image):
  return np.tanh(np.float64(image).ravel() @ w)


def _batch(height=5, width=6, rows=3):
  rng = np.random.default_rng(0)
  return {'inputs': jnp.float32(rng.normal(size=(rows, height, width, 2))),
          'label': jnp.arange(rows) % 4, 'black': jnp.asarray(_BLACK)[None, None, None],
          'example': jnp.arange(rows, dtype=jnp.int32) + 7}


def _naive(image, flip, pad, size, stride):
  """All views of an image [H, W, C], one after the other."""
  height, width, _ = image.shape
  side = size or height, size or width
  canvas = np.tile(_BLACK, (height + 2 * pad, width + 2 * pad, 1))
  canvas[pad:pad + height, pad:pad + width] = image
  starts = [range(0, n - s + 1, stride) if stride else [(n - s) // 2]
            for n, s in zip(canvas.shape, side, strict=False)]
  found = []
  for top in starts[0]:
    for left in starts[1]:
      cut = canvas[top:top + side[0], left:left + side[1]]
      found.append(cut)
      if flip:
        found.append(np.stack([cut[:, j] for j in reversed(range(side[1]))], axis=1))
  return found


@pytest.mark.parametrize('keys, count', [
    ({}, 1), ({'flip': True}, 2), ({'pad': 1}, 9), ({'pad': 2, 'flip': True}, 50),
    ({'pad': 2, 'stride': 2}, 9), ({'size': 3, 'stride': 1, 'flip': True}, 24),
    ({'size': 3, 'stride': 0}, 1), ({'size': 4, 'pad': 1, 'stride': 3}, 4),
    ({'pad': 1, 'flip': True, 'original': True}, 19)])
def test_against_a_loop_over_windows(keys, count):
  batch, side = _batch(), (keys['size'],) * 2 if 'size' in keys else (5, 6)
  apply, w, _ = _network(*side)
  scores, kept = jax.jit(lambda params, batch: views.views(**keys)(
      apply, params, None, None, batch))(jnp.float32(w), batch)
  every = {'flip': False, 'pad': 0, 'size': 0, 'stride': 1, 'original': False} | keys
  original = every.pop('original')
  for i, image in enumerate(np.asarray(batch['inputs'])):
    found = _naive(image, **every)
    found += [image] if original else []
    assert len(found) == count
    expected = np.mean([_logits(w, view) for view in found], axis=0)
    np.testing.assert_allclose(kept['logits'][i], expected, atol=2e-5)
    label = int(batch['label'][i])
    assert scores['loss'][i] == pytest.approx(
        np.log(np.exp(expected).sum()) - expected[label], abs=1e-4)
    assert bool(scores['top1'][i]) == (expected.argmax() == label)


@pytest.mark.parametrize('side, keys, count', [
    (32, {'flip': True}, 2), (32, {'flip': True, 'pad': 4}, 162),
    (32, {'flip': True, 'pad': 4, 'original': True}, 163),
    (32, {'flip': True, 'pad': 4, 'stride': 2}, 50), (28, {'pad': 1}, 9),
    (256, {'size': 224, 'stride': 16}, 9), (256, {'size': 224, 'stride': 16, 'flip': True}, 18),
    (256, {'size': 224, 'stride': 0}, 1), (32, {'flip': True, 'pad': 4, 'random': 10}, 10)])
def test_as_many_forward_passes_as_the_thesis_has_views(side, keys, count):
  """The network is traced once for all windows, and its logits are those of their number."""
  sizes = []

  def apply(params, state, rng, images, mode):
    sizes.append(images.shape[1:3])
    return model_lib.Outputs(jnp.zeros((len(images), 2)) + params), state

  batch = {'inputs': jnp.zeros((1, side, side, 1)), 'label': jnp.zeros(1, int),
           'black': jnp.zeros((1, 1, 1, 1)), 'example': jnp.zeros(1, int)}
  evaluate = lambda params: views.views(**keys)(apply, params, None, None, batch)[1]['logits']
  jaxpr = jax.make_jaxpr(evaluate)(1.0)
  (scan,) = [eqn for eqn in jaxpr.eqns if eqn.primitive.name == 'scan']
  assert scan.params['length'] + keys.get('original', False) == count
  assert set(sizes) == {(keys.get('size') or side,) * 2} and len(sizes) <= 3
  np.testing.assert_allclose(jax.core.eval_jaxpr(jaxpr.jaxpr, jaxpr.consts, 1.0)[0], 1.0)


def test_random_views_are_those_of_an_image_wherever_it_stands():
  batch = _batch(rows=4)
  apply, w, _ = _network(5, 6)
  run = jax.jit(lambda batch: views.views(pad=1, flip=True, random=3)(
      apply, jnp.float32(w), None, None, batch)[1]['logits'])
  found = run(batch)
  order = jnp.array([2, 0, 3, 1])
  moved = {key: value if key == 'black' else value[order] for key, value in batch.items()}
  np.testing.assert_allclose(run(moved), found[order], atol=1e-6)
  # Each is the mean of three of the 18 views of its image, with repetition.
  for i, image in enumerate(np.asarray(batch['inputs'])):
    logits = np.array([_logits(w, view) for view in _naive(image, True, 1, 0, 1)])
    threes = [(logits[a] + logits[b] + logits[c]) / 3 for a in range(18) for b in range(a, 18)
              for c in range(b, 18)]
    assert np.abs(np.array(threes) - np.asarray(found[i])).max(1).min() < 2e-5
  other = jax.jit(lambda batch: views.views(pad=1, flip=True, random=3, seed=1)(
      apply, jnp.float32(w), None, None, batch)[1]['logits'])(batch)
  assert (np.abs(other - found).max(1) > 1e-3).any()


def test_of_crops_logits_are_averaged_and_not_probabilities():
  """Views with logits (4, 3, 0) and (0, 1.5, 4): the mean says class 1, that of shares class 2."""
  logits = np.array([[[4, 3, 0], [0, 1.5, 4]], [[1, 0, 0], [1, 0, 5]]], np.float32)
  apply = lambda params, state, rng, images, mode: (
      model_lib.Outputs(images[:, 0, 0]), state)
  evaluate = views.views(crops=2, seed=3)
  assert evaluate.crops == {'count': 2, 'seed': 3}
  scores, kept = evaluate(apply, {}, None, None, {
      'inputs': jnp.asarray(logits)[:, :, None, None], 'label': jnp.array([1, 2])})
  np.testing.assert_allclose(kept['logits'], [[2, 2.25, 2], [1, 0, 2.5]])
  np.testing.assert_array_equal(scores['top1'], [1, 1])


def test_crops_of_a_set_in_memory_are_refused():
  with pytest.raises(errors.ConfigError, match='evals.test.crops=10 of .*; allowed: 0 for a set'):
    run_lib.build(sections.override(tiny.get_config(), {
        'evals.test.name': 'views', 'evals.test.crops': 10}))


@pytest.mark.parametrize('keys, words', [
    ({'crops': 3, 'flip': True}, 'crops=3 with keys of windows'),
    ({'pad': -1}, 'pad=-1; allowed: 0 or more'), ({'random': -2}, 'random=-2'),
    ({'original': True}, 'original=True with size=0 and pad=0'),
    ({'original': True, 'size': 3, 'pad': 1}, 'original=True with size=3')])
def test_what_cannot_be_seen_is_refused(keys, words):
  with pytest.raises(errors.ConfigError, match=words):
    evaluation.EVALUATIONS.make('views', **keys)


def test_a_window_that_is_too_large_is_refused():
  with pytest.raises(errors.ConfigError, match='size=9 for padded images of 7 pixels'):
    views.views(size=9, pad=1)(_network(9, 9)[0], None, None, None, _batch())


@pytest.mark.parametrize('batch', [4, 23])
def test_an_evaluation_knows_an_examples_place_and_what_black_is(batch):
  config = tiny.get_config()
  config.data.train_images = 23
  run = run_lib.build(sections.override(config, {
      'evals.test.split': 'train', 'evals.test.batch': batch, 'evals.test.most': 0}))

  def evaluate(apply, params, state, rng, rows):
    black = jnp.broadcast_to(rows['black'][:, 0, 0], (len(rows['label']), 1))
    return {'loss': rows['label'] * 1.0}, {'example': rows['example'], 'black': black}

  class Nothing:
    apply = None
    init_carry = staticmethod(lambda rows: {})

  one = evaluation_lib.Evaluation('x', evaluate, 'train', '', batch, 0, True)
  _, kept = evaluator.Evaluator(one, Nothing, run.dataset, backend='pmap', seed=0).evaluate(
      {'': parallel.replicate(evaluator.Weights({}, {}))})
  np.testing.assert_array_equal(kept['example'], np.arange(23))
  normalise = run.dataset.preparation.augmentation.normalise
  np.testing.assert_allclose(
      kept['black'], np.full((23, 1), -normalise.mean[0] / normalise.std[0]), rtol=1e-6)


def test_places_count_over_the_devices_of_a_batch():
  """Two devices with three rows each; the second batch begins at 6."""
  class Plain:
    prepare_stored = staticmethod(lambda batch: {})

  rows = jax.vmap(lambda mask: evaluator._more(Plain, np.int32(1), {'mask': mask})['example'],
                  axis_name=parallel.AXIS)(jnp.ones((2, 3)))
  np.testing.assert_array_equal(rows, [[6, 7, 8], [9, 10, 11]])
