"""What a run predicts of every example of a split, kept in a file: predictions/NAME.npz.

Ensembles, disagreement and similarity of runs are functions of such files. A file holds 'label'
[N], and what the evaluation predicts by name, such as 'logits' float32 [N, K], of the raw weights
and, with the prefix 'ema_', of their average: in the order in which the examples are stored.
"""

from collections.abc import Collection
from collections.abc import Mapping
import io
import os
import zipfile
import zlib

from etils import epath
import jax
from jax.experimental import multihost_utils
import numpy as np

from nfnets_am.core import errors
from nfnets_am.core import parallel

Predictions = dict[str, np.ndarray]


class Collector:
  """Gathers predictions batch by batch; in memory, as a test split's logits fit there."""

  def __init__(self, sentences: bool = False):
    """Begins empty; of `sentences` rows count as a whole, and their numbers are kept."""
    self._sentences = sentences
    self._parts: dict[str, list[np.ndarray]] = {}

  def add(self, prefix: str, predicted: Mapping[str, jax.Array]) -> None:
    """Adds what was predicted of a batch: arrays [devices, B, ...] of which this host has some."""
    for name, value in predicted.items():
      rows = parallel.local_rows(value)
      self._parts.setdefault(prefix + name, []).append(rows)

  def add_rows(self, batch: Mapping[str, np.ndarray]) -> None:
    """Adds the labels of this host's batch, of text its targets, and which of them count."""
    rows = {'label': batch.get('label', batch.get('targets')), 'mask': batch['mask']}
    if self._sentences:
      rows |= {'mask': batch['mask'].any(axis=1), 'example': batch['example']}
    for name, value in rows.items():
      self._parts.setdefault(name, []).append(value)

  def gather(self) -> Predictions:
    """Returns the rows of all hosts that count, in the stored order of the examples.

    Tokens come batch by batch, and in a batch row by row; sentences in the order of their
    batches, and as wide as the widest, with -1 behind.
    """
    found = {name: [self._of_all_hosts(part) for part in parts]
             for name, parts in self._parts.items()}
    counts = [mask > 0 for mask in found.pop('mask')]
    found = {name: [part[of] for part, of in zip(parts, counts, strict=True)]
             for name, parts in found.items()}
    return {name: np.concatenate(_as_wide(parts) if self._sentences else parts)
            for name, parts in found.items()}

  @staticmethod
  def _of_all_hosts(part: np.ndarray) -> np.ndarray:
    """A batch, host by host, as eval_batches shares a split out; batches may differ in width."""
    if jax.process_count() == 1:
      return part
    every = multihost_utils.process_allgather(part)  # [hosts, rows, ...]
    return every.reshape((-1, *part.shape[1:]))


def _as_wide(parts: list[np.ndarray]) -> list[np.ndarray]:
  """Returns arrays [R] or [R, L] of one width."""
  width = max(part.shape[-1] for part in parts) if parts[0].ndim > 1 else 0
  return [np.pad(part, ((0, 0), (0, width - part.shape[1])), constant_values=-1) if width else part
          for part in parts]


def write(path: str | os.PathLike, predictions: Predictions) -> None:
  """Writes a file of predictions, whole or not at all.

  Raises:
    UserError: it cannot be written.
  """
  path = epath.Path(path)
  data = io.BytesIO()
  np.savez_compressed(data, **predictions)
  partial = path.with_name(f'.{path.name}.tmp')
  try:
    path.parent.mkdir(parents=True, exist_ok=True)
    partial.write_bytes(data.getvalue())
    partial.replace(path)
  except OSError as e:
    raise errors.UserError(f'{path} cannot be written: {e.strerror}') from None


def read(path: str | os.PathLike, names: Collection[str] | None = None) -> Predictions:
  """Returns the arrays of a file of predictions.

  Args:
    path: of the file.
    names: which of them, of those that there are; None is all.

  Raises:
    UserError: there is none, or it is damaged.
  """
  try:
    with epath.Path(path).open('rb') as f, np.load(f, allow_pickle=False) as found:
      return {name: found[name] for name in found.files if names is None or name in names}
  except FileNotFoundError:
    raise errors.UserError(
        f'{path} is missing; an evaluation keeps its predictions with keep=True') from None
  except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile, zlib.error) as e:
    raise errors.UserError(f'{path} cannot be read: {e}') from None
