"""Scratch."""
import dataclasses
from typing import Any
import haiku as hk
import jax, jax.numpy as jnp

@dataclasses.dataclass(frozen=True)
class Model:
  init: Any
  apply: Any

def create_model(name, num_classes, depth=16, width=4, dropout=0.0):
  if name == 'wide_resnet_tiny': depth, width = 10, 1
  if name not in ('wide_resnet','wide_resnet_tiny'):
    from nfnets_am import errors
    raise errors.ConfigError(f'unknown model {name!r}; allowed: wide_resnet')
  def f(images, is_training):
    x = hk.Conv2D(16 if name=='wide_resnet' else 4, 3)(images)
    for g, c in enumerate((16,32,64)):
      c = c*width if name=='wide_resnet' else 4
      for b in range((depth-4)//6):
        s = 2 if g and not b else 1
        h = jax.nn.relu(x)
        sc = hk.Conv2D(c,1,s)(h) if not b else x
        h = hk.Conv2D(c,3,s)(h)
        h = hk.Conv2D(c,3)(jax.nn.relu(h))
        x = sc + hk.get_parameter(f'skip_gain{g}{b}', (), init=jnp.zeros).astype(h.dtype)*h
    x = jax.nn.relu(x).mean((1,2))
    if dropout and is_training: x = hk.dropout(hk.next_rng_key(), dropout, x)
    return hk.Linear(num_classes)(x).astype(jnp.float32)
  t = hk.transform_with_state(f)
  return Model(t.init, t.apply)
