"""A convolution whose gradient by its input is fast within a loop on a CPU too.

XLA's CPU backend (jax 0.10.2) turns kernels into the order that its fast path takes, but looks at
the outermost computation of a program alone. In the body of a loop, such as an attack's, JAX's own
transposed convolution keeps kernels as they are and takes eight times as long. Here the transposed
kernel is written out. On other devices, and for the gradient by the weights, nothing is different.
"""

import functools

import jax
import jax.numpy as jnp

_ORDER = ('NHWC', 'HWIO', 'NHWC')


@functools.partial(jax.custom_vjp, nondiff_argnums=(2,))
def conv2d(x: jax.Array, w: jax.Array, stride: int) -> jax.Array:
  """Convolves images NHWC with weights HWIO, padded as 'SAME' of TensorFlow.

  Args:
    x: [B, H, W, C].
    w: [side, side, C, channels] in the dtype of x.
    stride: in both directions.

  Returns:
    [B, ceil(H / stride), ceil(W / stride), channels]. Only reverse-mode derivatives are defined.
  """
  return _conv2d(x, w, stride)


def _conv2d(x, w, stride):
  return jax.lax.conv_general_dilated(x, w, (stride, stride), 'SAME', dimension_numbers=_ORDER)


def _forward(x, w, stride):
  return _conv2d(x, w, stride), (x, w)


def _backward(stride, kept, g):
  x, w = kept
  pads = []
  for size, out, side in zip(x.shape[1:3], g.shape[1:3], w.shape[:2], strict=True):
    dilated = (out - 1) * stride + 1
    # 'SAME' puts the smaller half before the image.
    before = side - 1 - max(dilated + side - 1 - size, 0) // 2
    pads.append((before, size - dilated - before + side - 1))
  turned = jnp.swapaxes(w[::-1, ::-1], 2, 3)
  by_input = jax.lax.conv_general_dilated(
      g, turned, (1, 1), pads, lhs_dilation=(stride, stride), dimension_numbers=_ORDER)
  by_weights = jax.linear_transpose(lambda w: _conv2d(x, w, stride), w)(g)
  return by_input, *by_weights


conv2d.defvjp(_forward, _backward)
