"""What a sink is, and what it is told of its run."""

from collections.abc import Mapping
from collections.abc import Sequence
import dataclasses
from typing import Any
from typing import ClassVar
from typing import Protocol

from nfnets_am.storage import run_folder


@dataclasses.dataclass(frozen=True)
class Facts:
  """Of a start of a run.

  Attributes:
    folder: the run's.
    name: of the run, which follows from its config.
    experiment: whose run it is, 'fort2021-figure2'; '' if nobody said.
    config: as nested dicts.
    update: after which this start goes on.
  """

  folder: run_folder.RunFolder
  name: str
  experiment: str
  config: Mapping[str, Any]
  update: int

  def kept_id(self, sink: str) -> str:
    """Returns what a sink's service calls this run since its first start; '' before."""
    kept = self.folder.record(f'{sink}.json')
    return kept.get('id', '') if isinstance(kept, dict) else ''

  def keep_id(self, sink: str, run_id: str) -> None:
    """Notes in the folder what a sink's service calls this run."""
    self.folder.write(f'{sink}.json', {'id': run_id})


class Sink(Protocol):
  """Takes the lines of metrics.jsonl.

  Attributes:
    library: that it imports.
    of_a_service: whether it may have to wait for others; then it has a thread of its own.
  """

  library: ClassVar[str]
  of_a_service: ClassVar[bool]

  def __init__(self, run: Facts, lines: Sequence[Mapping[str, Any]]):
    """Opens it.

    Args:
      run: what it is told.
      lines: of metrics.jsonl up to `run.update`, all of which it ends up with: each once, whatever
        earlier starts have written. Later ones that these wrote come again, the same.
    """

  def write(self, line: Mapping[str, Any]) -> None:
    """Takes a line; 'update', 'epochs' and 'split' are among its keys."""

  def sync(self) -> None:
    """All lines of an update are written, and a checkpoint is about to count on them."""

  def close(self) -> None:
    """Nothing more comes from this process."""


def numbers(line: Mapping[str, Any]) -> dict[str, float]:
  """Returns the metrics of a line: its numbers, less how far the run is."""
  return {key: value for key, value in line.items()
          if isinstance(value, (int, float)) and key not in ('update', 'epochs')}
