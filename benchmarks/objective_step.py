"""Times the step of an objective beside that of plain cross-entropy, in alternation.

    python -m benchmarks.step --model=madry_resnet_18 --batch=128 \\
        --objective="adversarial(attack='pgd(steps=7)')"

An attack of k steps and one pass to train on should take k + 1 plain steps or less: its gradients
are by pixels, and none by weights is computed.

    python -m benchmarks.step --model=resnet_cifar --batch=64 --norm="ghost(size=16)"

times the plain step of a network with this norm beside that with batch norm.
"""

from collections.abc import Callable

import jax
import ml_collections
import numpy as np
from rich import console

from benchmarks import paired
from nfnets_am.config import schema
from nfnets_am.core import calls
from nfnets_am.core import errors
from nfnets_am.training import feed
from nfnets_am.training import run as run_lib
from nfnets_am.training import step as step_lib

PLAIN = 'cross_entropy()'


def compare(objective: str, model: str, batch: int, rounds: int) -> None:
  """Times both and prints a table.

  Args:
    objective: a call of an entry of OBJECTIVES.
    model: a registered model; its defaults are used.
    batch: images in a step.
    rounds: steps of each.
  """
  _show({PLAIN: _step(PLAIN, model, batch), objective: _step(objective, model, batch)},
        f'{model}, {batch} images', 'in plain steps', rounds)


def compare_norms(norm: str, model: str, batch: int, rounds: int) -> None:
  """Times the plain step with `norm`, a call of an entry of NORMS, beside that with batch norm."""
  _show({key: _step(PLAIN, model, batch, norm=key) for key in ('batch()', norm)},
        f'{model}, {batch} images', 'in steps of batch()', rounds)


def _show(contenders: dict[str, Callable[[], None]], title: str, ratio: str, rounds: int) -> None:
  times = paired.times(contenders, rounds)
  ratios = [b / a for a, b in zip(*times.values(), strict=True)]
  console.Console().print(
      paired.rows(f'{title}, {jax.devices()[0].device_kind}', times, ratio, ratios))


def _step(objective: str, model: str, batch: int, **options: str) -> Callable[[], None]:
  found = calls.calls(objective)
  if len(found) != 1:
    raise errors.UserError(f'--objective={objective!r} is {len(found)} calls; allowed: one')
  ((name, keys),) = found
  config = schema.get_default()
  config.views = batch
  config.budget = '1000 updates'
  config.model = ml_collections.ConfigDict({'name': model, **options})
  config.objective = ml_collections.ConfigDict({'name': name, **keys})
  run = run_lib.build(config)
  step = step_lib.map_train_step(run.experiment, run.backend)
  state = run.start(run.backend)
  pool, fixed = feed.place_pool(run), next(feed.placed_batches(run, 0))
  numbers = jax.jit(run.experiment.numbers)

  def one() -> None:
    nonlocal state
    state, scalars = step(state, numbers(state.update), pool, fixed)
    np.asarray(scalars['loss'])

  return one
