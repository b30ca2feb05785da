"""Measures of finished runs without a cell, as the command line has them.

Such a measure has the key `runs`, folders or patterns of them: in a config relative to the folder
that holds the cell's, on the command line --runs.
"""

from collections.abc import Sequence
import json
import os
from typing import Any

from etils import epath

from nfnets_am.analysis import measures
from nfnets_am.core import calls
from nfnets_am.core import errors
from nfnets_am.core import registry

_LANGUAGE = calls.Language('measure', 'a measure', 'agreement(ensembles=(2, 3))')


def of_runs(text: str, runs: Sequence[str], entries: registry.Registry) -> measures.Found:
  """Measures finished runs.

  Args:
    text: an entry that has the key `runs`, 'agreement', or a call of it without that key.
    runs: folders or patterns of them.
    entries: MEASURES.

  Raises:
    ConfigError: no such measure or key, or one that measures a cell.
    UserError: the runs, or what they have kept, cannot be read.
  """
  found = calls.calls(text if '(' in text else f'{text}()', _LANGUAGE)
  if len(found) != 1:
    raise errors.ConfigError(f'the measure {text!r} is {len(found)} calls; allowed: one')
  ((name, keys),) = found
  if 'runs' not in entries.keys_of(name):
    of_many = [other for other in entries if 'runs' in entries.keys_of(other)]
    raise errors.ConfigError(
        f'{name} measures a cell, with --config and --workdir; allowed with --runs: '
        f'{", ".join(of_many)}')
  if not runs or 'runs' in keys:
    raise errors.ConfigError(
        f'{name} takes its runs from --runs=DIR, which may be a pattern and repeated')
  # Where this is a bucket's address, it is one already.
  here = tuple(run if '://' in run else os.path.abspath(run) for run in runs)
  return entries.make(name, **keys, runs=here)(None, epath.Path('.'))


def write_json(path: epath.Path, values: Any) -> None:
  """Writes a JSON file.

  Raises:
    UserError: it cannot be written.
  """
  try:
    path.write_text(json.dumps(values, indent=1) + '\n')
  except OSError as e:
    raise errors.UserError(f'{path} cannot be written: {e.strerror}') from None
