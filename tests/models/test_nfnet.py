"""NFNets and NF-ResNets: published sizes, names, signals, and what the switches change."""

import dataclasses
import functools

import haiku as hk
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nfnets_am import models
from nfnets_am.core import errors
from nfnets_am.models import model as model_lib
from nfnets_am.models import nf_resnet
from nfnets_am.models import nfnet
from tests.models import traced

# DeepMind's table prints 71.5M, 132.6M, ...; these are the same to the last weight.
_PARAMETERS = {
    **{f'nfnet_f{f}': 71_489_284 + f * 61_144_972 for f in range(8)},
    'nfnet_f0plus': 118_824_516, 'nfnet_f1plus': 220_357_008, 'nfnet_f2plus': 321_889_500,
    'nf_resnet50': 25_557_048, 'nf_resnet101': 44_549_193, 'nf_resnet152': 60_192_858,
    'nf_resnet200': 64_673_898, 'nf_resnet288': 146_460_552, 'skipinit_resnet50': 25_530_424,
}
_TINY = ('nfnet_tiny', 'nf_resnet_tiny')


@functools.cache
def _shapes(name):
  images = jax.ShapeDtypeStruct((1, 64, 64, 3), jnp.float32)
  model = models.create_model(name, 1000)
  return jax.eval_shape(model.init, jax.random.key(0), images)[0]


@functools.cache
def _tiny(name, **kwargs):
  model = models.create_model(name, 10, **kwargs)
  images = jax.random.normal(jax.random.key(1), (4, 28, 28, 1))
  params, state = jax.jit(lambda: model.init(jax.random.key(0), images))()
  return model, params, state, images


@pytest.mark.parametrize('name', _PARAMETERS)
def test_parameters(name):
  assert sum(x.size for x in jax.tree.leaves(_shapes(name))) == _PARAMETERS[name]


def test_the_wider_family_grows_by_equal_steps():
  sizes = [sum(x.size for x in jax.tree.leaves(_shapes(f'nfnet_f{f}plus'))) for f in range(4)]
  assert set(np.diff(sizes)) == {101_532_492}


def test_names_are_those_of_the_released_files():
  shapes = _shapes('nfnet_f0')
  for module, weights in {
      'NFNet/~/stem_conv0': {'w': (3, 3, 3, 16), 'gain': (16,), 'bias': (16,)},
      'NFNet/~/stem_conv3': {'w': (3, 3, 64, 128), 'gain': (128,), 'bias': (128,)},
      'NFNet/~/nf_block': {'skip_gain': ()},
      'NFNet/~/nf_block/~/conv_shortcut': {'w': (1, 1, 128, 256), 'gain': (256,), 'bias': (256,)},
      'NFNet/~/nf_block_11/~/conv1b': {'w': (3, 3, 128, 768), 'gain': (768,), 'bias': (768,)},
      'NFNet/~/nf_block_1/~/squeeze_excite/~/linear': {'w': (512, 256), 'b': (256,)},
      'NFNet/~/nf_block_1/~/squeeze_excite/~/linear_1': {'w': (256, 512), 'b': (512,)},
      'NFNet/~/final_conv': {'w': (1, 1, 1536, 3072), 'gain': (3072,), 'bias': (3072,)},
      'NFNet/~/linear': {'w': (3072, 1000), 'b': (1000,)},
  }.items():
    assert {name: x.shape for name, x in shapes[module].items()} == weights
  # The second block of a stage has no shortcut to convolve.
  assert 'NFNet/~/nf_block_2/~/conv_shortcut' not in shapes
  assert len([m for m in shapes if m.count('/') == 2 and 'nf_block' in m]) == 12


def test_sizes_and_rates_stand_with_the_variant():
  told = {f: (v.train_size, v.test_size, v.dropout, v.randaugment)
          for f, v in nfnet.VARIANTS.items()}
  assert told['nfnet_f2'] == told['nfnet_f2plus'] == (256, 352, 0.4, 10)
  assert told['nfnet_f3'] == (320, 416, 0.4, 15) and told['nfnet_f5'] == (416, 544, 0.5, 15)
  model = models.create_model('nfnet_f3', 1000)
  assert (model.train_size, model.test_size, model.randaugment) == (320, 416, 15)


@pytest.mark.parametrize('build, last', [
    (lambda: nfnet.NFNet(10, nfnet.VARIANTS['nfnet_f0'], activation='gelu', dropout=0.2,
                         stochastic_depth=0.25, remat=False), 0.22917),
    (lambda: nf_resnet.NFResNet(10, nf_resnet.VARIANTS['nf_resnet50'], activation='relu',
                                dropout=0.25, stochastic_depth=0.1, remat=False), 0.09375),
])
def test_stochastic_depth_grows_linearly_from_zero(build, last):
  rates = hk.transform(lambda: [block.rate for block in build().blocks]).apply({}, None)
  assert rates[0] == 0 and rates[-1] == pytest.approx(last, abs=1e-5)
  np.testing.assert_allclose(np.diff(rates), rates[1], rtol=1e-9)


def _signal(build):
  """Variances of every block's scaled input and of its branch's end, all skip gains at 1.

  As the NF papers plot it: over examples and space, averaged over channels, for normal images.
  """
  seen = {'input': [], 'branch': []}
  variance = lambda x: x.var((0, 1, 2)).mean()

  def forward(images):
    def watch(next_f, args, kwargs, context):
      out = next_f(*args, **kwargs)
      if context.method_name == '__call__':
        if isinstance(context.module, nfnet.NFBlock | nf_resnet.NFResBlock):
          seen['input'].append(variance(args[0] * context.module.beta))
        # Its other call is that of the means, for squeeze-and-excite.
        if context.module.name == 'conv2' and out.shape[1] > 1:
          # An NF-ResNet's has the factor of the branch in its weights.
          seen['branch'].append(variance(out / kwargs.get('scale', 1.0)))
      return out

    net = build()
    with hk.intercept_methods(watch):
      net(images, model_lib.TRAINING)

  net = hk.transform(forward)
  images = jax.random.normal(jax.random.key(0), (8, 64, 64, 3))

  @jax.jit
  def measured(images):
    params = net.init(jax.random.key(1), images[:1])
    params = {module: {name: jnp.ones_like(x) if name == 'skip_gain' else x
                       for name, x in weights.items()} for module, weights in params.items()}
    for values in seen.values():
      values.clear()
    net.apply(params, None, images)
    return jnp.array(seen['input']), jnp.array(seen['branch'])

  return tuple(map(np.asarray, measured(images)))


@pytest.mark.slow
@pytest.mark.parametrize('activation', ['relu', 'gelu'])
def test_nf_resnets_keep_unit_variance_through_every_stage(activation):
  variant = dataclasses.replace(
      nf_resnet.VARIANTS['nf_resnet50'], width=16, depths=(3, 3, 3, 3))
  inputs, branches = _signal(lambda: nf_resnet.NFResNet(
      10, variant, activation=activation, dropout=0.0, stochastic_depth=0.0, remat=False))
  # The first block sees what max-pooling left.
  assert ((inputs[1:10] > 0.75) & (inputs[1:10] < 1.2)).all(), inputs
  assert ((branches[:9] > 0.65) & (branches[:9] < 1.25)).all(), branches
  # Zero padding takes its share of maps of 2 pixels.
  assert ((inputs[10:] > 0.6) & (inputs[10:] < 1.2)).all(), inputs
  assert ((branches[9:] > 0.3) & (branches[9:] < 1.25)).all(), branches


@pytest.mark.slow
@pytest.mark.parametrize('activation', ['relu', 'gelu'])
def test_nfnets_keep_unit_variance_up_to_their_pooling(activation):
  variant = dataclasses.replace(
      nfnet.VARIANTS['nfnet_tiny'], depths=(3, 3, 1, 1), widths=(128,) * 4, group_width=64,
      stem=(32, 32, 64))
  inputs, branches = _signal(lambda: nfnet.NFNet(
      10, variant, activation=activation, dropout=0.0, stochastic_depth=0.0, remat=False))
  # Shortcuts are pooled over 2x2 pixels, which leaves a quarter of the variance of white noise.
  pooled = np.array([1, 1, 1, 1] + [4] * 2)
  assert ((inputs[:6] * pooled > 0.7) & (inputs[:6] * pooled < 1.25)).all(), inputs
  assert ((branches[:4] > 0.65) & (branches[:4] < 1.25)).all(), branches


@pytest.mark.parametrize('name', _TINY)
def test_forward_and_backward(name):
  model, params, state, images = _tiny(name)

  def loss(params):
    logits = model.apply(
        params, state, jax.random.key(2), images, model_lib.TRAINING)[0].logits
    return -jax.nn.log_softmax(logits)[:, 3].mean()

  value, grads = jax.jit(jax.value_and_grad(loss))(params)
  assert np.isfinite(float(value))
  assert all(np.isfinite(g).all() for g in jax.tree.leaves(grads))
  assert all(float(w['skip_gain']) == 0 for w in params.values() if 'skip_gain' in w)
  final = np.concatenate([np.ravel(w['w']) for m, w in params.items()
                          if m.endswith('~/linear') and 'squeeze' not in m])
  assert final.std() == pytest.approx(0.01, rel=0.15)


@pytest.mark.parametrize('name', _TINY)
def test_recomputing_blocks_changes_nothing_but_memory(name):
  model, params, state, images = _tiny(name)
  remat = models.create_model(name, 10, remat=True)
  params = {m: {k: jnp.full_like(x, 0.5) if k == 'skip_gain' else x for k, x in w.items()}
            for m, w in params.items()}

  def gradient(model):
    def loss(params):
      # Noisy, since what is computed again must drop what was dropped before.
      logits = model.apply(
          params, state, jax.random.key(2), images, model_lib.TRAINING)[0].logits
      return (logits ** 2).sum()
    return jax.jit(jax.value_and_grad(loss))(params)

  for a, b in zip(jax.tree.leaves(gradient(model)), jax.tree.leaves(gradient(remat)), strict=True):
    np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize('name', _TINY)
def test_bfloat16_keeps_no_float32_map(name):
  model = models.create_model(name, 10)
  params, state = jax.eval_shape(
      lambda: model.init(jax.random.key(0), jnp.zeros((5, 28, 28, 3))))
  assert all(x.dtype == jnp.float32 for x in jax.tree.leaves(params))
  images = jax.ShapeDtypeStruct((5, 28, 28, 3), jnp.bfloat16)
  jaxpr = jax.make_jaxpr(lambda p, x: model.apply(
      p, state, jax.random.key(0), x, model_lib.TRAINING)[0].logits)(params, images)
  equations = list(traced.equations(jaxpr.jaxpr))
  maps = [(v, v.aval) for eqn in equations for v in eqn.outvars
          if v.aval.ndim == 4 and v.aval.shape[0] == 5 and v.aval.shape[1] > 1]
  assert len(maps) > 20
  for var, aval in maps:
    if aval.dtype == jnp.float32:
      # A sum over space is added up in float32, which XLA does without writing the map.
      readers = {eqn.primitive.name for eqn in equations if var in eqn.invars}
      assert readers == {'reduce_sum'}, readers
  assert jaxpr.out_avals[0].dtype == jnp.float32


@pytest.mark.parametrize('name', [n for n in _PARAMETERS if n in (
    'nfnet_f0', 'nf_resnet50', 'skipinit_resnet50')])
def test_a_step_traces_at_its_own_size(name):
  model = models.create_model(name, 1000)
  images = jax.ShapeDtypeStruct((2, model.train_size, model.train_size, 3), jnp.bfloat16)
  grads = jax.eval_shape(
      lambda params, x: jax.grad(
          lambda p: model.apply(p, model_lib.State({}, {}), jax.random.key(0), x,
                                model_lib.TRAINING)[0].logits.sum())(params),
      _shapes(name), images)
  assert jax.tree.map(lambda x: x.shape, grads) == jax.tree.map(lambda x: x.shape, _shapes(name))


@pytest.mark.parametrize('name, kwargs, words', [
    ('nfnet_f0', {'dropout': 1.5}, 'dropout=1.5'),
    ('nf_resnet50', {'stochastic_depth': -0.1}, 'stochastic_depth=-0.1'),
    ('nfnet_f8', {}, "unknown model 'nfnet_f8'"),
    ('nfnet_f0', {'width': 2}, "no key 'width'"),
])
def test_bad_arguments_are_named(name, kwargs, words):
  with pytest.raises(errors.ConfigError, match=words):
    models.create_model(name, 10, **kwargs)
