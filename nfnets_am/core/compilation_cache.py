"""What this machine has compiled once, it does not compile again: JAX's persistent cache, set up.

The key of an entry is the whole program with its compile options, the versions of JAX and of the
backend, and the kind of device: a hit is the program that would have been compiled, so that bits
stay equal. Processes share the folder without locks. An entry that another process is still writing
or that was cut off reads as damaged, and a damaged one is thrown away and compiled again.
"""

import os
import pathlib
import re
import tempfile
from typing import Any
import warnings

from absl import flags
from absl import logging
import jax

from nfnets_am.core import errors

_FOLDER = flags.DEFINE_string(
    'compilation_cache', '~/.cache/nfnets_am/xla',
    "Where compiled programs are kept for the next start, a folder of this machine; '' keeps none. "
    'The environment variable JAX_COMPILATION_CACHE_DIR goes before it.')
# Far more than the programs of a paper's experiments; the least recently used go first.
_MAX_BYTES = 4 << 30
_OPTIONS = {
    # A start compiles a hundred small programs beside the large ones.
    'jax_persistent_cache_min_compile_time_secs': 0.0,
    # Else XLA keeps files of its own in the folder, whose size nobody bounds.
    'jax_persistent_cache_enable_xla_caches': 'none',
}
_FAILED = re.compile(r"Error (reading|writing) persistent compilation cache entry for '([^']*)'")


def enable(folder: str | None = None) -> None:
  """Turns the cache on; before anything is compiled.

  A folder that cannot be written, or entries that cannot be read, cost one sentence in the log and
  the time to compile. What the folder holds above its bound of 4 GiB is deleted here, so that it
  grows between two starts by what one of them compiles.

  Args:
    folder: where programs are kept; by default what the flag says. '' keeps none. The environment
      variable JAX_COMPILATION_CACHE_DIR, if set, goes before both: that folder is the user's, and
      nothing here bounds it.

  Raises:
    UserError: the folder is no folder of this machine, but an address.
  """
  folder = _FOLDER.value if folder is None else folder
  if 'JAX_COMPILATION_CACHE_DIR' in os.environ:
    folder = os.environ['JAX_COMPILATION_CACHE_DIR']
  elif '://' in folder:
    raise errors.UserError(
        f"compilation_cache={folder!r}; allowed: a folder of this machine, or '' for none")
  elif folder:
    path = pathlib.Path(folder).expanduser()
    folder = str(path)
    try:
      path.mkdir(parents=True, exist_ok=True)
      with tempfile.TemporaryFile(dir=path, buffering=0) as f:
        f.write(b'0')
      _bound(path, _MAX_BYTES)
    except OSError as e:
      logging.warning('compiled programs are not kept: %s cannot be written (%s)', path,
                      e.strerror or e)
      return
  if not folder:
    return
  jax.config.update('jax_compilation_cache_dir', folder)
  for name, value in _OPTIONS.items():
    if name.upper() not in os.environ:
      jax.config.update(name, value)
  _catch_warnings(folder)


def _bound(folder: pathlib.Path, max_bytes: int) -> None:
  """Deletes the least recently used entries until those left have at most `max_bytes`."""
  entries = []
  for entry in folder.glob('*-cache'):
    try:
      stat = entry.stat()
    except FileNotFoundError:  # Another process is doing the same.
      continue
    entries.append((max(stat.st_atime, stat.st_mtime), stat.st_size, entry))
  total = sum(size for _, size, _ in entries)
  for _, size, entry in sorted(entries):
    if total <= max_bytes:
      break
    entry.unlink(missing_ok=True)
    total -= size


def _catch_warnings(folder: str) -> None:
  """Makes of all of JAX's warnings about entries one sentence; deletes the entries.

  JAX never writes over an entry. One that a killed process left half-written would be read in vain
  at every start. The warning names the program and not the entry: all entries of that name go.
  """
  show, said = warnings.showwarning, []

  def show_once(message: Any, *args: Any, **kwargs: Any) -> None:
    found = _FAILED.match(str(message))
    if not found:
      show(message, *args, **kwargs)
      return
    if not said:
      said.append(True)
      logging.warning(
          'compiled programs in %s cannot be %s and are compiled again (%s)', folder,
          {'reading': 'read', 'writing': 'written'}[found[1]],
          ' '.join(str(message)[found.end() + 1:].split())[:200])
    try:
      for entry in pathlib.Path(folder).iterdir():
        if re.fullmatch(re.escape(found[2]) + '-[0-9a-f]{64}-cache', entry.name):
          entry.unlink(missing_ok=True)
    except OSError:
      pass

  warnings.filterwarnings('always', message=_FAILED.pattern)
  warnings.showwarning = show_once
