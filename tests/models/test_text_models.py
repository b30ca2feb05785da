"""AWD-LSTM, QRNN and Transformer against loops in float64, their counts, masks and padding."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nfnets_am import models
from nfnets_am.core import errors
from nfnets_am.models import model as model_lib
from nfnets_am.models import noise
from nfnets_am.models import transformer
from nfnets_am.objectives import language
from tests.models import text_by_numpy

WORDS = 7
LENGTHS = (6, 4, 0)
_LAYERS = {'awd_lstm': text_by_numpy.lstm_layer, 'qrnn': text_by_numpy.qrnn_layer}
RATES = ('word_dropout', 'input_dropout', 'hidden_dropout', 'output_dropout', 'weight_dropout')


def make(name, rate=text_by_numpy.RATE, **keys):
  if name == 'transformer':
    return models.create_model(name, WORDS, **{
        'layers': 2, 'width': 8, 'heads': 2, 'inner': 6, 'dropout': rate, **keys})
  return models.create_model(name, WORDS, **{
      'hidden': 5, 'layers': 3, 'embedding': 4, **dict.fromkeys(RATES, rate), **keys})


def batch_of(name, rows=3, length=6, lengths=LENGTHS, seed=0):
  rng = np.random.default_rng(seed)
  mask = np.arange(length) < np.array(lengths)[:, None]
  batch = {'tokens': rng.integers(0, WORDS, (rows, length)).astype(np.int32),
           'targets': rng.integers(0, WORDS, (rows, length)).astype(np.int32), 'mask': mask}
  if name == 'transformer':
    batch['source'] = rng.integers(0, WORDS, (rows, 5)).astype(np.int32)
    batch['source_mask'] = np.arange(5) < np.array([[5], [2], [1]])
  return batch


def begun(name, **keys):
  """Returns a model, parameters of a size that matters, and a state with a carry."""
  model = make(name, **keys)
  params, state = jax.eval_shape(
      lambda: model.init(jax.random.key(0), model.blank(3, (6,), None)))
  draw = np.random.default_rng(1)
  redrawn = lambda x: jnp.float32(draw.normal(size=x.shape, scale=0.7))
  return model, jax.tree.map(redrawn, params), state._replace(
      carry=jax.tree.map(redrawn, state.carry))


def loop(name, params, batch, carry, masks):
  """Returns logits, raw, dropped and the next carry, in float64."""
  if name == 'transformer':
    return text_by_numpy.transformer(
        params, 2, 2, batch['source'], batch['source_mask'].sum(1), batch['tokens'],
        masks), None, None, {}
  return text_by_numpy.recurrent(
      params, name, _LAYERS[name], 3, batch['tokens'], batch['mask'].sum(1), carry, masks)


def loss_by_hand(name, params, batch, carry, masks, activation=0.0, temporal=0.0):
  logits, raw, dropped, _ = loop(name, params, batch, carry, masks)
  total, tokens, squares, moves, pairs = 0.0, 0, 0.0, 0.0, 0
  for r, t in np.argwhere(batch['mask']):
    total += text_by_numpy.nll(logits[r, t], batch['targets'][r, t])
    tokens += 1
    if activation:
      squares += (dropped[r, t] ** 2).mean()
    if temporal and t and batch['mask'][r, t - 1]:
      moves += ((raw[r, t] - raw[r, t - 1]) ** 2).mean()
      pairs += 1
  return total / tokens + activation * squares / tokens + temporal * moves / max(pairs, 1)


@pytest.mark.parametrize('name', ['awd_lstm', 'qrnn', 'transformer'])
def test_logits_loss_gradient_and_carry_are_those_of_a_loop(name, monkeypatch):
  model, params, state = begun(name)
  batch = batch_of(name)
  given = text_by_numpy.Given()
  monkeypatch.setattr(noise, 'of', lambda inputs, mode: given)
  terms = {} if name == 'transformer' else {'activation': 0.3, 'temporal': 0.7}
  objective = language.language(**terms)
  seen = {}

  def loss(params):
    given.__init__()
    def apply(*args):
      seen['outputs'], after = model.apply(*args)
      return seen['outputs'], after
    value, aux = objective(apply, params, state, jax.random.key(0), batch, 0.0)
    return value, (aux, seen['outputs'])

  (value, ((after, metrics), outputs)), grads = jax.jit(
      jax.value_and_grad(loss, has_aux=True))(params)
  wide = jax.tree.map(lambda x: np.asarray(x, np.float64), params)
  carry = jax.tree.map(np.asarray, state.carry)
  logits, raw, dropped, expected = loop(name, wide, batch, carry, given.masks)
  counts = batch['mask']
  np.testing.assert_allclose(np.asarray(outputs.logits)[counts], logits[counts], atol=2e-5)
  if name != 'transformer':
    np.testing.assert_allclose(np.asarray(outputs.features['raw'])[counts], raw[counts], atol=1e-5)
    np.testing.assert_allclose(
        np.asarray(outputs.features['dropped'])[counts], dropped[counts], atol=1e-5)
  jax.tree.map(functools.partial(np.testing.assert_allclose, atol=1e-5), after.carry, expected)
  of = functools.partial(loss_by_hand, name, batch=batch, carry=carry, masks=given.masks, **terms)
  assert float(value) == pytest.approx(of(wide), rel=1e-5)
  assert float(metrics['loss']) == pytest.approx(
      loss_by_hand(name, wide, batch, carry, given.masks), rel=1e-5)
  draw = np.random.default_rng(2)
  for number, (module, held) in enumerate(wide.items()):
    # The loop over pairs of places takes its time.
    for key, w in list(held.items())[number % 2::len(held) if name == 'transformer' else 1]:
      place = tuple(draw.integers(0, size) for size in w.shape)
      step, kept = 1e-5, w[place]
      w[place] = kept + step
      up = of(wide)
      w[place] = kept - step
      down = of(wide)
      w[place] = kept
      assert float(grads[module][key][place]) == pytest.approx(
          (up - down) / (2 * step), rel=2e-3, abs=2e-5), (module, key)


@pytest.mark.parametrize('name, words, count', [
    ('awd_lstm', 10_000, 24_221_600), ('qrnn', 10_000, 4_539_920),
    ('transformer', 37_000, 63_119_496)])
def test_parameters_are_as_many_as_published(name, words, count):
  model = models.create_model(name, words)
  params, _ = jax.eval_shape(
      lambda: model.init(jax.random.key(0), model.blank(1, (2,), None)))
  assert sum(x.size for x in jax.tree.leaves(params)) == count
  if name == 'transformer':
    biases = sum(x.size for module, held in params.items() for key, x in held.items()
                 if key == 'b' and ('self' in module or 'source' in module or 'words' in module))
    assert count - biases == 63_045_632


@pytest.mark.parametrize('name', ['awd_lstm', 'qrnn', 'transformer'])
def test_rows_of_an_example_differ_in_their_masks_alone(name):
  model, params, state = begun(name, rate=0.3)
  batch = batch_of(name, lengths=(6, 6, 6))
  same = lambda x: np.repeat(x[:1], 3, axis=0)
  batch, state = jax.tree.map(same, (batch, state))
  inputs = language.inputs_of(batch)
  training = jax.jit(lambda inputs: model.apply(
      params, state, jax.random.key(3), inputs, model_lib.TRAINING)[0].logits)
  logits = training(inputs)
  assert (logits[0] != logits[1]).any() and (logits[1] != logits[2]).any()
  keys = jax.random.split(jax.random.key(4), 3)
  first = {'noise': keys, 'noise_of_update': keys}
  of_keys = training({**inputs, **first})
  # The keys of a row are all that its masks depend on: other rows, in another order.
  turned = training({**inputs, 'noise': keys[::-1], 'noise_of_update': keys})
  np.testing.assert_allclose(of_keys, turned[::-1], atol=1e-5)
  alike = training({**inputs, 'noise': jnp.repeat(keys[:1], 3), 'noise_of_update': keys})
  np.testing.assert_allclose(alike, of_keys[:1].repeat(3, axis=0), atol=1e-5)
  one, two = (model.apply(params, state, None, {**inputs, **more}, model_lib.EVALUATION)[0].logits
              for more in ({}, first))
  np.testing.assert_array_equal(one, two)
  np.testing.assert_array_equal(one[0], one[1])


@pytest.mark.parametrize('name', ['awd_lstm', 'qrnn', 'transformer'])
def test_padding_changes_no_loss_and_no_carry(name):
  model, params, state = begun(name, rate=0.0 if name == 'transformer' else 0.3)
  batch = batch_of(name)
  keys = jax.random.split(jax.random.key(4), 3)
  batch |= {'noise': keys, 'noise_of_update': keys}
  other = np.random.default_rng(5)

  def padded(key, x):
    if key not in ('tokens', 'targets', 'mask', 'source', 'source_mask'):
      return x
    more = np.zeros((3, 2), x.dtype) if 'mask' in key else other.integers(
        0, WORDS, (3, 2)).astype(np.int32)
    return np.concatenate([x, more], axis=1)

  @jax.jit
  def loss(batch):
    objective = language.language(label_smoothing=0.1, **(
        {} if name == 'transformer' else {'activation': 2.0, 'temporal': 1.0}))
    value, (after, _) = objective(model.apply, params, state, jax.random.key(0), batch, 0.0)
    return value, after.carry

  # What stands behind the tokens of a row is other words, too.
  changed = {**batch, 'tokens': np.where(batch['mask'], batch['tokens'], 3)}
  if name == 'transformer':
    changed['source'] = np.where(batch['source_mask'], batch['source'], 3)
  value, carry = loss(batch)
  for rows in (changed, {key: padded(key, x) for key, x in changed.items()}):
    found, after = loss(rows)
    assert float(found) == pytest.approx(float(value), rel=1e-5)
    jax.tree.map(functools.partial(np.testing.assert_allclose, atol=1e-6), after, carry)


@pytest.mark.parametrize('name', ['awd_lstm', 'qrnn'])
def test_two_segments_are_one_long_one(name):
  model, params, state = begun(name, rate=0.0)
  inputs = language.inputs_of(batch_of(name, lengths=(6, 6, 6)))
  apply = jax.jit(
      lambda state, inputs: model.apply(params, state, None, inputs, model_lib.EVALUATION))
  whole, after = apply(state, inputs)
  first, between = apply(state, jax.tree.map(lambda x: x[:, :4], inputs))
  second, end = apply(between, jax.tree.map(lambda x: x[:, 4:], inputs))
  np.testing.assert_allclose(
      np.concatenate([first.logits, second.logits], axis=1), whole.logits, atol=1e-5)
  jax.tree.map(functools.partial(np.testing.assert_allclose, atol=1e-5), end.carry, after.carry)
  anew = model_lib.begin_rows(between, np.array([True, False, True]))
  for x, y in zip(jax.tree.leaves(anew.carry), jax.tree.leaves(between.carry), strict=True):
    np.testing.assert_array_equal(x, np.where([[True], [False], [True]], 0, y))


def test_a_decoder_says_word_by_word_what_it_says_at_once():
  model, params, state = begun('transformer', rate=0.0)
  inputs = language.inputs_of(batch_of('transformer'))
  apply = jax.jit(lambda inputs: model.apply(params, state, None, inputs, model_lib.EVALUATION)[0])
  whole = apply(inputs)
  # Of a pass over other words; each row twice.
  held = transformer.begin(whole.features['held'], 2, 7)
  for place in range(6):
    said = apply({'held': held, 'at': jnp.int32(place), 'source_mask': np.repeat(
        inputs['source_mask'], 2, axis=0), 'tokens': np.repeat(
            inputs['tokens'][:, place:place + 1], 2, axis=0)})
    held = said.features['held']
    np.testing.assert_allclose(
        said.logits[:, 0], np.repeat(whole.logits[:, place], 2, axis=0), atol=2e-5)


@pytest.mark.parametrize('name, keys, words', [
    ('awd_lstm', {'hidden': 0}, r'model\.hidden=0; allowed'),
    ('qrnn', {'weight_dropout': 1.0}, r'model\.weight_dropout=1.0; allowed'),
    ('transformer', {'heads': 3}, r'model\.width=8 with model\.heads=3; allowed')])
def test_sizes_that_cannot_be_are_refused(name, keys, words):
  with pytest.raises(errors.ConfigError, match=words):
    make(name, **keys)
