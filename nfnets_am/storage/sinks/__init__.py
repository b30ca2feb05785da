"""Where a run's metrics go beside metrics.jsonl: `config.sinks` names them.

A sink is a class as in `sink.py`, one file each, and a line in SINKS. metrics.jsonl is what holds:
a sink is brought up to it where a run starts, so that one which was away, or was named later, ends
with the same lines. What follows from a sink's trouble is one sentence in the log.
"""

from collections.abc import Sequence
import importlib.util
from typing import Any

from nfnets_am.core import errors
from nfnets_am.core import registry
from nfnets_am.storage import metrics
from nfnets_am.storage.sinks import aim
from nfnets_am.storage.sinks import apart
from nfnets_am.storage.sinks import sink as sink_lib
from nfnets_am.storage.sinks import tensorboard
from nfnets_am.storage.sinks import weights_and_biases

SINKS = registry.Registry('sink', {
    'aim': aim.Aim,
    'tensorboard': tensorboard.TensorBoard,
    'wandb': weights_and_biases.WeightsAndBiases,
})


def check(names: Sequence[str]) -> None:
  """Refuses names of no sink, and one that is named twice.

  Raises:
    ConfigError: the first of them, and what is allowed.
  """
  for name in names:
    SINKS[name]  # Raises for an unknown one.
  if len(set(names)) < len(names):
    raise errors.ConfigError(f'sinks={tuple(names)!r}; allowed: each at most once')


def require(names: Sequence[str]) -> None:
  """Refuses sinks whose libraries are not on this machine; imports none.

  Raises:
    ConfigError: the first of them, and what to install.
  """
  check(names)
  for name in names:
    library = SINKS[name].library
    if importlib.util.find_spec(library) is None:
      raise errors.ConfigError(
          f'sinks has {name!r}, which needs the library {library}; '
          f'install the extra nfnets_am[{name}]')


def open_all(names: Sequence[str], run: sink_lib.Facts) -> list[Any]:
  """Opens the sinks of a run; those of services each in a thread of its own.

  Args:
    names: of the sinks.
    run: what they are told of it.

  Returns:
    What has the methods of sink.Sink.
  """
  if not names:
    return []
  lines = [line for line in metrics.read(run.folder.path / 'metrics.jsonl')
           if line['update'] <= run.update]
  return [apart.Apart(name, SINKS[name], run, lines) if SINKS[name].of_a_service
          else SINKS[name](run, lines) for name in names]
