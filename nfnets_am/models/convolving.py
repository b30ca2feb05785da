"""Which form a convolution takes on the device that it is compiled for: the one place that chooses.

The choice is made where a program is lowered, and not by the machine that traces it, so that a step
compiled for a described TPU is the TPU's. What is in CHOICES takes forms of convolution_forms.py by
its shape; all other devices have XLA's own convolution and its gradients, as ever.
"""

from collections.abc import Callable
from collections.abc import Mapping
import dataclasses
import functools

import jax

from nfnets_am.models import convolution_forms

Geometry = convolution_forms.Geometry

# More groups than these are not taken one by one: each is a convolution to compile.
_MANY_GROUPS = 16
# Taps of a 3x3 kernel. The sums over a map of more of them take XLA seconds to compile.
_FEW_TAPS = 9


@dataclasses.dataclass(frozen=True)
class Forms:
  """Names of FORMS, of a convolution and of its gradients by images and by weights."""

  forward: str = 'whole'
  by_input: str = 'whole'
  by_weights: str = 'whole'

  @classmethod
  def all(cls, name: str) -> 'Forms':
    """Returns one form for all three."""
    return cls(name, name, name)


def on_cpu(x: jax.Array, w: jax.Array, geometry: Geometry) -> Forms:
  """Chooses for XLA's CPU backend (jax 0.10.2); measured in docs/performance.md.

  XLA's own weight gradient of groups makes all products between groups and takes a few of them.

  Args:
    x: images [B, H, W, C], or their shape.
    w: weights [height, width, C / groups, channels], or their shape.
    geometry: of the convolution.
  """
  height, width, inside, _ = w.shape
  if geometry.groups > 1 and inside == 1:
    return Forms('shifts', 'shifts', 'shifts' if height * width <= _FEW_TAPS else 'whole')
  if geometry.groups > _MANY_GROUPS:
    return Forms(by_weights='taps')
  if height == width == 1:
    return Forms.all('patches')
  out = jax.eval_shape(lambda x, w: convolution_forms.whole(x, w, geometry), x, w)
  # With fewer pixels than channels, turning the weights about costs more than the product.
  if out.size // out.shape[3] < inside:
    return Forms.all('patches')
  return Forms.all('split') if geometry.groups > 1 else own_on_cpu(x, w, geometry)


def own_on_cpu(x: jax.Array, w: jax.Array, geometry: Geometry) -> Forms:
  """Chooses XLA's own operations, of images that its CPU backend computes once; as of `on_cpu`."""
  del x, w, geometry
  return Forms(by_weights='stored')


# Platforms, as JAX calls them, to what chooses there.
Choices = Mapping[str, Callable[[jax.Array, jax.Array, Geometry], Forms]]

# On a GPU ('cuda') XLA's own is not known to be the best: benchmarks/grouped_convolution.py times
# all forms on the device at hand.
CHOICES: Choices = {'cpu': on_cpu}
# The same, where every device shall have XLA's own.
XLAS_OWN: Choices = {'cpu': own_on_cpu}


def everywhere(forms: Forms) -> Choices:
  """Returns the choices that take the same forms on any device."""
  return {'default': lambda x, w, geometry: forms}


def convolve(x: jax.Array, w: jax.Array, geometry: Geometry, choices: Choices | None = None
             ) -> jax.Array:
  """Convolves images NHWC with weights HWIO.

  Args:
    x: [B, H, W, C].
    w: [height, width, C / groups, channels] in the dtype of x.
    geometry: stride, padding, groups and dilation.
    choices: what chooses on each platform; those that it does not name have its 'default', or
      without one XLA's own. None is CHOICES.

  Returns:
    [B, ceil(H / stride), ceil(W / stride), channels], less without padding. Where a form other
    than 'whole' is taken somewhere, only reverse-mode derivatives are defined.

  Raises:
    ConfigError: there is no such form.
  """
  chosen = {'default': Forms()} | {
      platform: choose(x, w, geometry)
      for platform, choose in (CHOICES if choices is None else choices).items()}
  if set(chosen.values()) == {Forms()}:
    return convolution_forms.whole(x, w, geometry)
  return _convolve(x, w, geometry, tuple(chosen.items()))


@functools.partial(jax.custom_vjp, nondiff_argnums=(2, 3))
def _convolve(x, w, geometry, chosen):
  return _by_platform('forward', geometry, chosen, x, w)


def _forward(x, w, geometry, chosen):
  return _convolve(x, w, geometry, chosen), (x, w)


def _backward(geometry, chosen, kept, g):
  return (_by_platform('by_input', geometry, chosen, *kept, g),
          _by_platform('by_weights', geometry, chosen, *kept, g))


_convolve.defvjp(_forward, _backward)

# Attributes of Forms to what is computed there, in a form and for a geometry.
_PARTS = {
    'forward': lambda form, geometry, x, w: form(x, w, geometry),
    'by_input': lambda form, geometry, x, w, g: jax.vjp(lambda x: form(x, w, geometry), x)[1](g)[0],
    'by_weights': lambda form, geometry, x, w, g: jax.vjp(
        lambda w: form(x, w, geometry), w)[1](g)[0],
}


# A program of its own: it is traced once for each shape, and not for each layer. The 198 depthwise
# convolutions of DARTS would be two thirds of its tracing, on a TPU too.
@functools.partial(jax.jit, static_argnums=(0, 1, 2))
def _by_platform(part, geometry, chosen, *args):
  """Computes a part of a convolution in each platform's form, where it is not the default's."""
  names = {platform: getattr(forms, part) for platform, forms in chosen}
  make = lambda name: functools.partial(_PARTS[part], convolution_forms.FORMS[name], geometry)
  special = {key: make(name) for key, name in names.items() if name != names['default']}
  default = make(names['default'])
  return jax.lax.platform_dependent(*args, **special, default=default) if special else (
      default(*args))
