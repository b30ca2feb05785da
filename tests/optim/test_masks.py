"""Masks name what the papers' code decays and slows down."""

import jax
import jax.numpy as jnp
import pytest

from nfnets_am.core import errors
from nfnets_am.optim import masks
from tests.optim import weights

DEPTHWISE = 'net/~/block/~/depthwise'
SHORTCUT = 'net/~/block/~/shortcut_norm'


def those(condition):
  return {(module, name) for module, name in weights.NAMES if condition(module, name)}


@pytest.mark.parametrize('mask, expected', [
    ('all', those(lambda m, n: True)),
    ('bias', those(lambda m, n: n in ('b', 'bias'))),
    ('kernels', those(lambda m, n: n == 'w')),
    ('kernels_not_depthwise', those(lambda m, n: n == 'w' and m != DEPTHWISE)),
    ('no_gain_bias', those(lambda m, n: n == 'w')),
    ('norm_offset', those(lambda m, n: n == 'offset')),
    ('norm_scale', those(lambda m, n: n == 'scale')),
    ('norm_scale_not_shortcut', {('net/~/batch_norm', 'scale')}),
    ('not_norm', those(lambda m, n: n not in ('scale', 'offset'))),
    ('not_norm_bias', those(lambda m, n: n in ('w', 'gain', 'skip_gain'))),
])
def test_masks_name(mask, expected):
  found = masks.named(mask, weights.draw(0))
  assert {(m, n) for m, n in weights.NAMES if found[m][n]} == expected
  assert jax.tree.structure(found) == jax.tree.structure(weights.SHAPES, is_leaf=_is_shape)


def _is_shape(x):
  return isinstance(x, tuple)


def test_every_mask_is_tested():
  marks = next(m for m in test_masks_name.pytestmark if m.name == 'parametrize')
  assert {mask for mask, _ in marks.args[1]} == set(masks.MASKS)


def test_norm_scales_as_the_public_resnet14_groups_them():
  """16 biases (offsets, too) and 13 scales are slow, the 16 kernels and the scales of the two
  shortcuts are not."""
  params = {'net/head': {'w': jnp.ones((64, 10)), 'b': jnp.ones(10)},
            'net/stem': {'w': jnp.ones((3, 3, 3, 16))},
            'net/stem_norm': {'scale': jnp.ones(16), 'offset': jnp.ones(16)}}
  for block in range(6):
    for conv in range(2):
      params[f'net/block_{block}/conv_{conv}'] = {'w': jnp.ones((3, 3, 16, 16))}
      params[f'net/block_{block}/norm_{conv}'] = {'scale': jnp.ones(16), 'offset': jnp.ones(16)}
  for block in (2, 4):
    params[f'net/block_{block}/shortcut_norm'] = {'scale': jnp.ones(16), 'offset': jnp.ones(16)}
  count = lambda name: sum(jax.tree.leaves(masks.named(name, params)))
  assert count('bias') + count('norm_offset') == 16
  assert count('norm_scale_not_shortcut') == 13
  assert len(jax.tree.leaves(params)) - 16 - 13 == 16


def test_the_heads_weight_alone_is_left_out():
  found = masks.not_head(weights.draw(0), weights.HEAD)
  assert {(m, n) for m, n in weights.NAMES if not found[m][n]} == {(weights.HEAD, 'w')}


def test_refusals_name_what_there_is():
  params = {'net/conv': {'w': jnp.ones((3, 3, 2, 2)), 'b': jnp.ones(2)}}
  with pytest.raises(errors.ConfigError, match="head 'net/linear' .* allowed: net/conv$"):
    masks.not_head(params, 'net/linear')
  with pytest.raises(errors.ConfigError, match="'norm_scale' names no parameter.*: all, bias, ker"):
    masks.named('norm_scale', params)
  with pytest.raises(errors.ConfigError, match='unknown mask .*did you mean .*no_gain_bias'):
    masks.named('no_gains_bias', params)
