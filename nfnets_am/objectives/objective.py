"""What an objective is: a scalar of a batch that owns its forward passes.

It may call the model once or often, differentiate it, and change its inputs on the way. It sees one
device's rows; its gradient and its metrics are averaged over devices, micro-batches and, for what
is logged, over updates. All means must therefore be means over rows.
"""

from collections.abc import Callable
from collections.abc import Mapping
from typing import Any

import jax

from nfnets_am.models import model

# (params, state, rng, inputs, mode) -> (Outputs, State), see models/model.py.
Apply = Callable[..., tuple[model.Outputs, model.State]]
# One device's rows: 'inputs' [B, ...] as the model takes them, 'label' [B, ...] and what else the
# input's preparation gives; of text see language.py.
Batch = Mapping[str, Any]
# (loss, (state, metrics)): a float32 scalar, the model's next state, and name -> float32 scalar,
# 'loss' among them, which must be finite. A new metric gets a row in core/quantities.py.
Result = tuple[jax.Array, tuple[model.State, dict[str, jax.Array]]]
# (apply, params, state, rng, batch, progress) -> Result. `progress` is the float32 share of the
# run's updates that are done, in [0, 1), for drop-path and ramps. Its attribute `of_update`, if it
# has one, is (rng, rows) -> rows: called on each device with all of its rows and with a key that is
# the same on all devices, for what the rows need to know of the whole update.
Objective = Callable[[Apply, Any, model.State, jax.Array, Batch, jax.Array], Result]
