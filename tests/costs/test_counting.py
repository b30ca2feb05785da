"""Counts read off the program, against hand counts and the published tables."""

import jax
import jax.numpy as jnp
import pytest

from nfnets_am import models
from nfnets_am.costs import counting
from nfnets_am.models import nfnet


def test_a_grouped_convolution_and_a_product_by_hand():
  def f(x, w, m):
    conv = lambda x: jax.lax.conv_general_dilated(
        x, w, (2, 2), 'SAME', dimension_numbers=('NHWC', 'HWIO', 'NHWC'), feature_group_count=4)
    x = jax.jit(conv)(x)
    return jax.checkpoint(lambda x: x.reshape(2, -1) @ m)(x)

  jaxpr = jax.make_jaxpr(f)(jnp.zeros((2, 8, 8, 16)), jnp.zeros((3, 3, 4, 12)),
                            jnp.zeros((192, 5)))
  # Each of 2 x 4 x 4 x 12 outputs reads 3 x 3 pixels of the 4 channels of its group.
  assert counting.macs_of(jaxpr.jaxpr) == 2 * 4 * 4 * 12 * 9 * 4 + 2 * 192 * 5


@pytest.mark.parametrize('name, train, test', [
    ('nfnet_f0', 6.98, 12.38), ('nfnet_f1', 17.44, 35.54), ('nfnet_f2', 33.14, 62.59),
    ('nfnet_f3', 67.94, 114.76), ('nfnet_f4', 121.12, 215.24), ('nfnet_f5', 169.50, 289.76),
    ('nfnet_f6', 228.29, 377.28), ('nfnet_f7', 298.48, 478.78)])
def test_published_flops(name, train, test):
  model, variant = models.create_model(name, 1000), nfnet.VARIANTS[name]
  # What our blocks compute besides: conv2 of the means that squeeze-and-excite looks at.
  means = sum(depth * width * width // 2
              for depth, width in zip(variant.depths, variant.widths, strict=True))
  for size, published in ((model.train_size, train), (model.test_size, test)):
    macs = counting.forward_macs(model, size) - means
    assert macs / 1e9 == pytest.approx(published, abs=0.006)


def test_nf_resnet_50_is_a_resnet_50():
  # With the stride on the 3x3 convolution, as here, a ResNet-50 has 4.09 GFLOPs.
  model = models.create_model('nf_resnet50', 1000)
  assert counting.forward_macs(model, 224) / 1e9 == pytest.approx(4.09, abs=0.005)


def test_recomputing_keeps_less():
  kept = {remat: counting.activation_bytes(models.create_model('nfnet_tiny', 10, remat=remat), 28)
          for remat in (False, True)}
  assert 0 < kept[True] < 0.5 * kept[False]
  # What is kept grows with the pixels.
  assert counting.activation_bytes(models.create_model('nfnet_tiny', 10), 56) > 3 * kept[False]


def test_a_loop_over_tokens_counts_each_of_them():
  model = models.create_model('awd_lstm', 10, hidden=5, layers=2, embedding=3)
  gates = 4 * (5 * (3 + 5) + 3 * (5 + 3))
  assert counting.forward_macs(model, 7) == 7 * (gates + 3 * 10)
