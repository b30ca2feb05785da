"""The sweep of alphas: each as if it were alone, in one program; what it cannot do is refused."""

import jax
import jax.numpy as jnp
import ml_collections
import numpy as np
import pytest

from nfnets_am import models
from nfnets_am.core import errors
from nfnets_am.core import quantities
from nfnets_am.evaluation import accuracy
from nfnets_am.evaluation import display
from nfnets_am.evaluation import evaluator
from nfnets_am.evaluation import example_weighing
from nfnets_am.models import model as model_lib
from nfnets_am.training import run as run_lib
from nfnets_am.training import sections
from tests import tiny
from tests.models import traced

_ALPHAS = (0.0, 0.1, 0.5, 1.0)


def _trained(norm, rows=4):
  """A tiny network whose statistics have moved, and images with labels."""
  model = models.create_model('resnet_tiny', 7, norm=norm)
  images = jax.random.normal(jax.random.key(1), (rows, 8, 8, 1)) + 0.5
  params, state = jax.jit(model.init)(jax.random.key(0), images)
  train = jax.jit(lambda state, batch: model.apply(
      params, state, None, batch, model_lib.TRAINING)[1])
  for seed in range(3):
    state = train(state, jax.random.normal(jax.random.key(seed + 2), (4, 8, 8, 1)) * 2)
  return model, params, state, {'inputs': images, 'label': jnp.arange(rows) % 7}


@pytest.mark.parametrize('norm', ['batch()', 'group(groups=4)', 'renorm()'])
def test_each_alpha_is_as_if_it_were_alone(norm):
  model, params, state, batch = _trained(norm)
  values, kept = example_weighing.example_weighing(alphas=_ALPHAS)(
      model.apply, params, state, None, batch)
  assert set(values) == {f'{name}@{alpha:g}' for name in ('loss', 'top1', 'top5')
                         for alpha in _ALPHAS}
  logits = []
  for alpha in _ALPHAS:
    alone, _ = model.apply(params, state, None, batch['inputs'],
                           model_lib.Mode(False, example_weight=alpha))
    logits.append(alone.logits)
    np.testing.assert_allclose(kept[f'logits@{alpha:g}'], alone.logits, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(values[f'loss@{alpha:g}'],
                               accuracy.scores(alone.logits, batch['label'])['loss'], rtol=1e-4)
  assert min(np.abs(a - b).max() for a, b in zip(logits, logits[1:], strict=False)) > 1e-3


def test_an_alpha_of_zero_is_the_evaluation_without_one():
  model, params, state, batch = _trained('batch()')
  _, kept = example_weighing.example_weighing(alphas=(0.0, 0.5))(
      model.apply, params, state, None, batch)
  _, plain = accuracy.accuracy()(model.apply, params, state, None, batch)
  np.testing.assert_allclose(kept['logits@0'], plain['logits'], rtol=1e-6, atol=1e-6)


def test_what_stands_before_the_first_norm_is_computed_once():
  model, params, state, batch = _trained('batch()')
  evaluate = example_weighing.example_weighing()
  assert len(example_weighing.ALPHAS) == 20
  jaxpr = jax.make_jaxpr(lambda batch: evaluate(model.apply, params, state, None, batch))(batch)
  rows = [eqn.invars[0].aval.shape[0] for eqn in traced.equations(jaxpr)
          if eqn.primitive.name == 'conv_general_dilated']
  assert rows[0] == 4 and set(rows[1:]) == {20 * 4}


def test_a_run_evaluates_them_in_one_pass(capsys):
  config = tiny.get_config()
  config.model = ml_collections.ConfigDict({'name': 'resnet_tiny', 'norm': 'batch()'})
  config.evals.weighed = ml_collections.ConfigDict(
      {'name': 'example_weighing', 'split': 'test', 'alphas': (0.0, 0.25), 'most': 1})
  run = run_lib.build(config)
  (one,) = [one for one in run.evaluations if one.name == 'weighed']
  weights = evaluator.weights_of(run.start(run.backend))
  found, _ = evaluator.Evaluator(one, run.experiment.model, run.dataset, backend=run.backend,
                                 seed=0).evaluate(weights)
  assert {key for key in found if not key.startswith('ema_')} == {
      'images', 'loss@0', 'top1@0', 'top5@0', 'loss@0.25', 'top1@0.25', 'top5@0.25'}
  display.show('tiny', found)
  assert 'raw, alpha 0.25' in capsys.readouterr().out
  with pytest.raises(errors.ConfigError, match='without moving statistics'):
    run_lib.build(sections.override(config, {'model.norm': 'none()'}))


def test_a_quantity_at_a_value_is_read_as_itself():
  assert quantities.of('test/ema_top1@0.05') is quantities.QUANTITIES['top1']
  assert quantities.value_at('ema_top1@0.05') == '0.05' and quantities.value_at('top1') == ''
  assert quantities.in_order(['ema_top1@1', 'top1@1', 'loss@1', 'top1@0', 'loss@0']) == [
      'loss@1', 'loss@0', 'top1@1', 'top1@0', 'ema_top1@1']
  with pytest.raises(errors.ConfigError, match='unknown metric'):
    quantities.of('test/topp@0.1')


@pytest.mark.parametrize('alphas', [(), (0.1, 0.1), (-0.1,), (1.5,), ('a',), (float('nan'),)])
def test_weights_out_of_range_are_refused(alphas):
  with pytest.raises(errors.ConfigError, match='numbers from 0 to 1, each once'):
    example_weighing.example_weighing(alphas=alphas)


def test_weights_of_a_command_line():
  assert example_weighing.parse('0, 0.1,1') == (0.0, 0.1, 1.0)
  with pytest.raises(errors.ConfigError, match='numbers with commas'):
    example_weighing.parse('0;1')
