"""Label smoothing: where the mass s goes that the label gives away."""

import jax
import optax

from nfnets_am.core import errors
from nfnets_am.core import registry


def over_all(labels: jax.Array, smoothing: float) -> jax.Array:
  """Returns (1 - s) y + s / K: over all classes, the label among them (Szegedy et al. 2016).

  Args:
    labels: distributions float32 [B, K].
    smoothing: s in [0, 1).
  """
  return optax.losses.smooth_labels(labels, smoothing)


def over_others(labels: jax.Array, smoothing: float) -> jax.Array:
  """Returns (1 - s) y + s (1 - y) / (K - 1): over the other classes (Summers 2021, eq. 3.8).

  It is linear in y, so that a mixture of smoothed labels is the smoothed mixture.

  Args:
    labels: distributions float32 [B, K].
    smoothing: s in [0, 1 - 1 / K]; at the most, all classes are as likely.

  Raises:
    ConfigError: s is over 1 - 1 / K.
  """
  classes = labels.shape[-1]
  # 1 - 1 / K is not exact.
  if smoothing > 1 - 1 / classes + 1e-9:
    raise errors.ConfigError(
        f"objective.label_smoothing={smoothing} with {classes} classes and spread='others'; "
        f'allowed: 0 to 1 - 1/{classes} = {1 - 1 / classes:.4g}')
  return (1 - smoothing) * labels + smoothing * (1 - labels) / (classes - 1)


# (labels [B, K], s) -> labels.
SPREADS = registry.Registry('spread', {'all': over_all, 'others': over_others})
