"""Projected gradient descent (Madry et al. 2018; Summers 2021, sec. 3.2)."""

import jax
import jax.numpy as jnp

from nfnets_am.attacks import attack
from nfnets_am.core import errors


def pgd(*, epsilon: float = 0.03, step_size: float = 0.0078, steps: int = 10,
        random_start: bool = True, restarts: int = 1, labels: str = 'true') -> attack.Attack:
  """Steps up the sign of the gradient, each projected to the ball and to [0, 1].

  Steps and restarts are loops: a thousand of them compile as fast as one, and images stay on the
  device.

  Args:
    epsilon: radius of the ball, in [0, 1]. Summers 2021 has 0.03 on CIFAR and 12/255 on SVHN.
    step_size: of each step, over 0; 0.0078 there, and 3/255 on SVHN.
    steps: how many.
    random_start: whether it starts anywhere in the ball, clipped to [0, 1], or at the image.
    restarts: how often it starts anew. An image is kept at the start that is most wrong by the
      margin of the logits, so that a network is right where it withstands all of them.
    labels: one of attack.LABELS.

  Raises:
    ConfigError: a value out of its range, or restarts from the same place.
  """
  attack.require('pgd', 'a number over 0', step_size=step_size)
  attack.require_counts('pgd', steps=steps, restarts=restarts)
  if restarts > 1 and not random_start:
    raise errors.ConfigError(
        f'the attack pgd(restarts={restarts}, random_start=False); allowed: 1, since all start at '
        'the same place')

  def perturb(predict: attack.Predict, images: jax.Array, targets: jax.Array, keys: jax.Array
              ) -> jax.Array:
    low, high = attack.bounds(images, epsilon)

    def step(_, moved):
      # CleverHans clips to [0, 1], to the ball and to [0, 1] again. All are intervals around the
      # image, and so the order makes no difference to where a value ends.
      return jnp.clip(moved + step_size * attack.uphill(predict, moved, targets), low, high)

    def climbed(start):
      first = images
      if random_start:
        own = jax.vmap(jax.random.fold_in, (0, None))(keys, start)
        first = jnp.clip(images + attack.noise(images, epsilon, own), low, high)
      return jax.lax.fori_loop(0, steps, step, first)

    def most_wrong(start, best):
      moved = climbed(start)
      margin = attack.margin(predict(moved), targets)
      further = margin > best[1]
      return (jnp.where(further[:, None, None, None], moved, best[0]),
              jnp.where(further, margin, best[1]))

    if restarts == 1:
      return climbed(0)
    unmoved = images, jnp.full(len(images), -jnp.inf)
    return jax.lax.fori_loop(0, restarts, most_wrong, unmoved)[0]

  return attack.Attack('pgd', epsilon, labels, perturb)
