"""Training on adversarial images, on a linear network, against formulas in float64 (P65)."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from nfnets_am import objectives
from nfnets_am.attacks import crafting
from nfnets_am.core import errors
from nfnets_am.models import model

_SHAPE, _CLASSES, _EPSILON = (2, 3, 1), 4, 0.1


def _rows(rows=6, mixed=False, seed=0):
  rng = np.random.default_rng(seed)
  batch = {'inputs': rng.uniform(size=(rows, *_SHAPE)), 'label': rng.integers(0, _CLASSES, rows)}
  if mixed:
    batch |= {'partner_label': rng.integers(0, _CLASSES, rows), 'weight': rng.uniform(size=rows)}
  return batch, rng.normal(size=(6, _CLASSES))


class _Network:
  """A linear of pixels that writes down how it is called; averages count its training passes."""

  def __init__(self):
    self.calls = []

  def __call__(self, params, state, rng, inputs, mode):
    self.calls.append((mode.is_training, len(inputs)))
    logits = (inputs.reshape(len(inputs), -1) - 0.4) @ params
    return model.Outputs(logits), model.State(
        {'passes': state.averages['passes'] + mode.is_training}, state.carry)


def _compute(batch, weights, **keys):
  network = _Network()
  objective = objectives.OBJECTIVES.make('adversarial', **keys)
  rows = {key: jnp.asarray(value, jnp.int32 if 'label' in key else jnp.float32)
          for key, value in batch.items()}
  rows['attack'] = jax.random.split(jax.random.key(0), len(rows['label']))
  return network, jax.value_and_grad(
      lambda params: objective(network, params, model.State({'passes': 0}, {}), jax.random.key(0),
                               rows, jnp.float32(0)), has_aux=True)(jnp.float32(weights))


def _distribution(batch):
  own = np.eye(_CLASSES)[batch['label']]
  if 'weight' in batch:
    own = batch['weight'][:, None] * own + (1 - batch['weight'][:, None]) * np.eye(
        _CLASSES)[batch['partner_label']]
  return own


def _fgsm(batch, weights):
  """Images that FGSM moves, by the labels before any smoothing."""
  flat = batch['inputs'].reshape(len(batch['label']), -1)
  p = np.exp((flat - 0.4) @ weights)
  p /= p.sum(1, keepdims=True)
  return flat, np.clip(flat + _EPSILON * np.sign((p - _distribution(batch)) @ weights.T), 0, 1)


# Keys -> the loss as the paper writes it, of both logits, smoothed labels and J.
_CASES = {
    'plain': ({}, lambda j, a, b: j(b)),
    'half': ({'alpha': 0.25}, lambda j, a, b: 0.25 * j(a) + 0.75 * j(b)),
    'squeezed': ({'squeezing': 0.3}, lambda j, a, b: j(b) + 0.3 * (_norm(a) + _norm(b))),
    'paired': ({'pairing': 'squared(coefficient=0.5)'},
               lambda j, a, b: j(b) + 0.5 * ((a - b) ** 2).mean()),
    'kannan': ({'alpha': 0.5, 'pairing': "squared(coefficient=0.5, reduction='sum')",
                'squeezing': 0.1},
               lambda j, a, b: (j(a) + j(b)) / 2 + 0.5 * ((a - b) ** 2).sum(1).mean()
               + 0.1 * (_norm(a) + _norm(b))),
    'clean and paired': ({'alpha': 1.0, 'pairing': 'squared(coefficient=2.0)'},
                         lambda j, a, b: j(a) + 2 * ((a - b) ** 2).mean()),
}


def _norm(logits):
  return (logits ** 2).sum(1).mean()


@pytest.mark.parametrize('case', _CASES)
@pytest.mark.parametrize('mixed, smoothing', [(False, 0.0), (True, 0.2)])
def test_losses_and_gradients_are_the_papers(case, mixed, smoothing):
  keys, formula = _CASES[case]
  batch, weights = _rows(mixed=mixed)
  _, ((loss, (_, metrics)), gradient) = _compute(
      batch, weights, attack=f'fgsm(epsilon={_EPSILON})', label_smoothing=smoothing, **keys)
  clean, moved = _fgsm(batch, weights)
  own = _distribution(batch)
  labels = (1 - smoothing) * own + smoothing * (1 - own) / (_CLASSES - 1)
  alpha = keys.get('alpha', 0.0)

  def expected(weights):
    j = lambda logits: optax.losses.softmax_cross_entropy(logits, labels).mean()
    a, b = ((x - 0.4) @ weights for x in (clean, moved))
    return formula(j, a, b), alpha * j(a) + (1 - alpha) * j(b)

  with jax.enable_x64(True):
    (value, shown), slope = jax.value_and_grad(expected, has_aux=True)(jnp.asarray(weights))
  assert float(loss) == pytest.approx(float(value), rel=1e-5)
  np.testing.assert_allclose(gradient, slope, rtol=1e-4, atol=1e-5)
  assert float(metrics['loss']) == pytest.approx(float(shown), rel=1e-5)
  hits = [(((x - 0.4) @ weights).argmax(1) == batch['label']).mean() for x in (clean, moved)]
  assert float(metrics['top1']) == pytest.approx(alpha * hits[0] + (1 - alpha) * hits[1])
  assert set(metrics) == {'loss', 'top1'} | ({'pairing'} if 'pairing' in keys else set())


def test_lrm_is_the_sum_of_its_parts():
  batch, weights = _rows(mixed=True)
  _, ((loss, (_, metrics)), gradient) = _compute(
      batch, weights, attack=f'fgsm(epsilon={_EPSILON})', label_smoothing=0.1,
      pairing='decoupled(ratio=0.125, beta=1e-3)')
  clean, moved = _fgsm(batch, weights)
  own = _distribution(batch)

  def terms(weights):
    a, b = ((x - 0.4) @ weights for x in (clean, moved))
    loss = optax.losses.softmax_cross_entropy(b, 0.9 * own + 0.1 * (1 - own) / 3).mean()
    h = optax.losses.softmax_cross_entropy(b, jax.nn.softmax(a)).mean()
    return loss, h, _norm(a) + _norm(b)

  with jax.enable_x64(True):
    weights = jnp.asarray(weights)
    (j, h, norms), slopes = terms(weights), jax.jacrev(terms)(weights)
    gradient_by_hand = slopes[0] + j / h / 0.125 * slopes[1] + 1e-3 * slopes[2]
    value = float(j + j / 0.125 + 1e-3 * norms)
  assert float(loss) == pytest.approx(value, rel=1e-5)
  assert float(metrics['pairing']) == pytest.approx(float(h), rel=1e-5)
  np.testing.assert_allclose(gradient, gradient_by_hand, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize('keys, attacked, trained', [
    ({}, False, [6]),
    ({'alpha': 0.5}, False, [12]),
    ({'alpha': 0.5, 'together': False}, False, [6, 6]),
    ({'pairing': 'squared(coefficient=1)', 'crafting': 'training'}, True, [12]),
    ({'squeezing': 0.1, 'alpha': 1.0}, None, [6]),
    # Nothing is left of the attack.
    ({'alpha': 1.0}, None, [6]),
    ({'alpha': 0.5, 'attack': 'fgsm(epsilon=0)'}, None, [6]),
])
def test_passes_are_those_that_the_terms_need(keys, attacked, trained):
  """`attacked`: whether FGSM is crafted in training mode. `trained`: rows of the other passes."""
  network, ((_, (state, _)), _) = _compute(
      *_rows(), **{'attack': f'fgsm(epsilon={_EPSILON})', **keys})
  # Of the first call only the shape is asked for.
  attack = [] if attacked is None else [(attacked, 6)] * 2
  assert network.calls == attack + [(True, rows) for rows in trained]
  # Statistics move with the passes that train, not with those that attack.
  assert int(state.averages['passes']) == len(trained)


def test_two_passes_are_one_where_rows_do_not_meet():
  found = [_compute(*_rows(), alpha=0.3, pairing='squared(coefficient=1)',
                    attack='pgd(epsilon=0.1, steps=2)', together=together)[1]
           for together in (True, False)]
  assert float(found[0][0][0]) == pytest.approx(float(found[1][0][0]), rel=1e-6)
  np.testing.assert_allclose(found[0][1], found[1][1], rtol=1e-4, atol=1e-6)


def test_what_is_no_attack_is_plain_cross_entropy_itself():
  for keys in ({'alpha': 1.0}, {'attack': 'pgd(epsilon=0)'}):
    assert not isinstance(objectives.OBJECTIVES.make('adversarial', **keys), crafting.OfPixels)
  for keys in ({}, {'alpha': 1.0, 'squeezing': 0.1},
               {'attack': 'pgd(epsilon=0)', 'pairing': 'squared(coefficient=1)'}):
    assert isinstance(objectives.OBJECTIVES.make('adversarial', **keys), crafting.OfPixels)


@pytest.mark.parametrize('keys, sentence', [
    ({'alpha': 1.5}, 'objective.alpha=1.5; allowed: 0 to 1'),
    ({'squeezing': -1.0}, 'objective.squeezing=-1.0'),
    ({'attack': 'pdg()'}, "unknown attack 'pdg'"),
    ({'pairing': 'alp()'}, "unknown pairing 'alp'.*decoupled, squared"),
    ({'crafting': 'test'}, "unknown crafting 'test'.*evaluation, training"),
    ({'label_smoothing': 1.0}, 'objective.label_smoothing=1.0'),
    ({'spread': 'none'}, "unknown spread 'none'.*all, others")])
def test_a_wrong_key_is_one_sentence(keys, sentence):
  with pytest.raises(errors.ConfigError, match=sentence):
    objectives.OBJECTIVES.make('adversarial', **keys)
