"""How a run's network is attacked: its pixels, its mode, and the random keys of its rows.

An objective or an evaluation that attacks images is wrapped as `OfPixels`. It is then given images
in [0, 1] as its inputs and a network that normalises them inside, and its rows have 'attack', a
random key for each of them.
"""

from collections.abc import Callable
from collections.abc import Mapping
import dataclasses
from typing import Any

import jax

from nfnets_am.attacks import attack as attack_lib
from nfnets_am.models import model


@dataclasses.dataclass(frozen=True)
class OfPixels:
  """An objective or an evaluation whose inputs are images float32 in [0, 1].

  Attributes:
    function: the objective or the evaluation, called with the same arguments.
  """

  function: Callable[..., Any]

  def __call__(self, *args: Any) -> Any:
    return self.function(*args)


def bind(function: Callable[..., Any], apply: Callable[..., Any], preparation: Any, *,
         stored: bool) -> tuple[Callable[..., Any], Any]:
  """Returns the network and the preparation that an objective or an evaluation is given.

  Args:
    function: the objective or the evaluation.
    apply: of the model, see models/model.py.
    preparation: of the input, or None where nothing is computed.
    stored: whether images are prepared as they are stored, not as views.

  Returns:
    Both as they are or, for OfPixels, a preparation that leaves images in [0, 1] and a network of
    such images.

  Raises:
    ConfigError: the input's images cannot be had in [0, 1].
  """
  if not isinstance(function, OfPixels) or preparation is None:
    return apply, preparation
  preparation = preparation.in_pixels(stored=stored)
  return of_pixels(apply, preparation), preparation


def of_pixels(apply: Callable[..., Any], preparation: Any) -> Callable[..., Any]:
  """Returns a network of images in [0, 1], which it normalises as an input's preparation does."""
  def apply_to_pixels(params, state, rng, images, mode):
    return apply(params, state, rng, preparation.normalise(images), mode)

  return apply_to_pixels


def keys_of_rows(key: jax.Array, first: jax.typing.ArrayLike, rows: int) -> jax.Array:
  """Returns random keys [rows] of the rows `first`, `first` + 1 and so on."""
  return jax.vmap(jax.random.fold_in, (None, 0))(key, first + jax.numpy.arange(rows))


def craft(attack: attack_lib.Attack, apply: Callable[..., Any], params: Any, state: model.State,
          rng: jax.Array | None, batch: Mapping[str, Any],
          targets: Callable[[Mapping[str, Any], int], jax.Array], mode: model.Mode) -> jax.Array:
  """Returns a batch's images as an attack on the network moves them.

  Args:
    attack: an Attack.
    apply: of images in [0, 1], see `bind`.
    params: of the network; nothing is differentiated by them.
    state: of the network. It stays as it is, also where `mode` trains.
    rng: for dropout, where `mode` trains.
    batch: 'inputs' float32 [B, H, W, C] in [0, 1], 'attack' keys [B], and what `targets` takes.
    targets: (batch, K) -> label distributions [B, K].
    mode: in which the network is attacked.

  Returns:
    The like of 'inputs'.
  """
  # Before the loop, not behind it: else each of its steps would be kept for a backward pass.
  params, state = jax.lax.stop_gradient((params, state))

  def predict(images):
    return apply(params, state, rng, images, mode)[0].logits

  images = jax.lax.stop_gradient(batch['inputs'])
  classes = jax.eval_shape(predict, images).shape[-1]
  return attack(predict, images, targets(batch, classes), batch['attack'])
