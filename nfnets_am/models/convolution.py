"""A convolution whose gradient by its input is fast within a loop on a CPU too.

XLA's CPU backend (jax 0.10.2) turns kernels into the order that its fast path takes, but looks at
the outermost computation of a program alone. In the body of a loop, such as an attack's, JAX's own
transposed convolution keeps kernels as they are and takes eight times as long. Here the transposed
kernel is written out. On other devices, and for the gradient by the weights, nothing is different.
"""

import functools

import jax
import jax.numpy as jnp

Padding = str | tuple[tuple[int, int], tuple[int, int]]

_ORDER = ('NHWC', 'HWIO', 'NHWC')


@functools.partial(jax.custom_vjp, nondiff_argnums=(2, 3, 4))
def conv2d(x: jax.Array, w: jax.Array, stride: int | tuple[int, int], padding: Padding = 'SAME',
           dilation: int = 1) -> jax.Array:
  """Convolves images NHWC with weights HWIO.

  Args:
    x: [B, H, W, C].
    w: [height, width, C, channels] in the dtype of x.
    stride: in both directions, or down and across.
    padding: 'SAME' of TensorFlow, 'VALID', or what is put (before, after) each of height and width.
    dilation: distance of neighbouring weights on the image.

  Returns:
    [B, ceil(H / stride), ceil(W / stride), channels], less without padding. Only reverse-mode
    derivatives are defined.
  """
  return _conv2d(x, w, stride, padding, dilation)


def _conv2d(x, w, stride, padding, dilation):
  return jax.lax.conv_general_dilated(
      x, w, _pair(stride), padding, rhs_dilation=(dilation, dilation), dimension_numbers=_ORDER)


def _forward(x, w, stride, padding, dilation):
  return _conv2d(x, w, stride, padding, dilation), (x, w)


def _backward(stride, padding, dilation, kept, g):
  x, w = kept
  sides = tuple((side - 1) * dilation + 1 for side in w.shape[:2])
  if isinstance(padding, str):
    padding = jax.lax.padtype_to_pads(x.shape[1:3], sides, _pair(stride), padding)
  pads = []
  for size, out, side, step, (low, _) in zip(
      x.shape[1:3], g.shape[1:3], sides, _pair(stride), padding, strict=True):
    before = side - 1 - low
    pads.append((before, size - ((out - 1) * step + 1) - before + side - 1))
  turned = jnp.swapaxes(w[::-1, ::-1], 2, 3)
  by_input = jax.lax.conv_general_dilated(
      g, turned, (1, 1), pads, lhs_dilation=_pair(stride), rhs_dilation=(dilation, dilation),
      dimension_numbers=_ORDER)
  by_weights = jax.linear_transpose(lambda w: _conv2d(x, w, stride, padding, dilation), w)(g)
  return by_input, *by_weights


def _pair(stride):
  return stride if isinstance(stride, tuple) else (stride, stride)


conv2d.defvjp(_forward, _backward)
