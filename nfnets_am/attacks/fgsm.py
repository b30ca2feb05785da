"""The fast gradient sign method (Goodfellow et al. 2015; Summers 2021, sec. 3.2)."""

import jax
import jax.numpy as jnp

from nfnets_am.attacks import attack


def fgsm(*, epsilon: float = 0.03, labels: str = 'true') -> attack.Attack:
  """One step of the whole epsilon up the sign of the gradient, from the image itself.

  Args:
    epsilon: length of the step, in [0, 1]. Summers 2021 has 0.03 on CIFAR and 12/255 on SVHN.
    labels: one of attack.LABELS.

  Raises:
    ConfigError: a value out of its range.
  """
  def perturb(predict: attack.Predict, images: jax.Array, targets: jax.Array, keys: jax.Array
              ) -> jax.Array:
    del keys
    return jnp.clip(images + epsilon * attack.uphill(predict, images, targets), 0, 1)

  return attack.Attack('fgsm', epsilon, labels, perturb)
