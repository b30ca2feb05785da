"""Logits of DeepMind's public code from the same weights and images.

The numbers are those of `nfnets/` in google-deepmind/deepmind-research, commit 68a1754 (`nfnet.py`,
`nf_resnet.py`, `skipinit_resnet.py`, in evaluation mode), run on the CPU at these depths and widths
with jax 0.10.2 and haiku 0.0.17. They pin down what shapes cannot: the order of activation, beta,
pooling and shortcut, the factor 2 of squeeze-and-excite, alpha, and which GELU.
"""

import haiku as hk
import jax
import numpy as np
import pytest

from nfnets_am.models import model as model_lib
from nfnets_am.models import nf_resnet
from nfnets_am.models import nfnet

_OFF = {'dropout': 0.0, 'stochastic_depth': 0.0, 'remat': False}
_DEPTHS = (1, 2, 1, 1)


def _nfnet():
  variant = nfnet.Variant(_DEPTHS, (16, 32, 48, 48), 64, 64, 0.0, 5, group_width=8)
  return nfnet.NFNet(3, variant, activation='gelu', **_OFF)


def _resnet(skipinit):
  variant = nf_resnet.Variant(_DEPTHS, width=4, skipinit=skipinit)
  return nf_resnet.NFResNet(3, variant, activation='relu', **_OFF)


def _draw(shapes):
  """Weights from numpy's frozen generator, in the order of their names; gains are around 1."""
  rng = np.random.RandomState(0)
  params = {}
  for module in sorted(shapes):
    params[module] = {}
    for name in sorted(shapes[module]):
      shape = shapes[module][name].shape
      value = rng.standard_normal(shape) / np.sqrt(max(100, np.prod(shape[:-1])))
      params[module][name] = np.float32(value + ('gain' in name))
  return params


@pytest.mark.parametrize('build, expected', [
    (_nfnet, [[0.009714, 0.040626, 0.340261], [-0.008341, 0.127473, 0.277831]]),
    (lambda: _resnet(False), [[0.521875, 0.236632, -1.005411], [0.712667, -0.188119, -0.950037]]),
    (lambda: _resnet(True), [[-0.348117, -0.386918, 0.197094], [-0.348845, -0.389512, 0.19513]]),
], ids=['nfnet', 'nf_resnet', 'skipinit_resnet'])
def test_logits(build, expected):
  net = hk.without_apply_rng(hk.transform(
      lambda images: build()(images, model_lib.EVALUATION).logits))
  images = np.random.RandomState(1).standard_normal((2, 64, 64, 3)).astype(np.float32)
  params = _draw(jax.eval_shape(net.init, jax.random.key(0), images))
  logits = jax.jit(net.apply)(params, images)
  np.testing.assert_allclose(logits, expected, rtol=1e-4, atol=1e-5)
