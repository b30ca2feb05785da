"""What a measure is: numbers of runs that are not training, kept in a folder like a run's.

A measure of one cell takes its run. A measure of other runs has the key `runs`, see of_runs.py.
"""

from collections.abc import Callable
import dataclasses
import os
from typing import Any

from etils import epath
import jax
import ml_collections

from nfnets_am.core import calls
from nfnets_am.core import errors
from nfnets_am.core import parallel
from nfnets_am.core import registry
from nfnets_am.storage import metrics
from nfnets_am.storage import run_folder
from nfnets_am.training import run as run_lib
from nfnets_am.training import saved
from nfnets_am.training import sections

# ('split' of a line -> its metrics, name of a further file -> JSON values).
Found = tuple[dict[str, dict[str, float]], dict[str, Any]]
# (run of the cell, its folder) -> Found. Other runs of the sweep are folders beside that one. The
# run is None where runs are measured without a cell.
Measure = Callable[[run_lib.Run | None, epath.Path], Found]


class StoppedError(Exception):
  """A measure was stopped after what it had was saved: the same command goes on."""


def measure(config: ml_collections.ConfigDict, workdir: str | os.PathLike,
            entries: registry.Registry) -> dict[str, Any]:
  """Measures a cell into its folder, unless that was done before.

  Args:
    config: whose key `measure` is a call of one of the entries, "gradient_variance()".
    workdir: of the cell.
    entries: MEASURES.

  Returns:
    The status, {'status': 'finished' | 'stopped', ...}.

  Raises:
    ConfigError: the config names no measure, or cannot run.
    UserError: a file cannot be read or written; status.json says 'failed'.
  """
  of_run = of(config.measure, entries)
  folder = run_folder.RunFolder(workdir, writer=jax.process_index() == 0)
  run = run_lib.build(config)
  folder.open(run.config, sections.defaults(run.config))
  try:
    if folder.status()['status'] in run_folder.DONE:
      return folder.status()
    derived = run.derived
    folder.record_start(dataclasses.asdict(derived), 0, parallel.hardware())
    folder.set_status('running', update=0, updates=derived.updates)
    lines, files = of_run(run, folder.path)
    _write(folder, derived, lines, files)
    status = {'status': 'finished', 'update': derived.updates, 'updates': derived.updates}
    folder.set_status(**status)
    return status
  except StoppedError as e:
    status = {'status': 'stopped', 'update': 0, 'updates': derived.updates, 'reason': str(e)}
    folder.set_status(**status)
    return status
  except Exception as e:
    folder.set_status('failed', reason=str(e) or type(e).__name__)
    raise
  finally:
    folder.close()


def of(text: str, entries: registry.Registry) -> Measure:
  """Returns the measure that a config's key `measure` calls, one of the entries.

  Raises:
    ConfigError: it calls none, or several, or one that is not there, or with other arguments.
  """
  found = calls.calls(text) if text else []
  if len(found) != 1:
    raise errors.ConfigError(
        f'measure={text!r}; allowed: one call of {", ".join(entries)}, such as '
        f"'{next(iter(entries))}()'")
  ((name, keys),) = found
  return entries.make(name, **keys)


def _write(folder: run_folder.RunFolder, derived: Any, lines: dict[str, dict[str, float]],
           files: dict[str, Any]) -> None:
  if jax.process_index():
    return
  for name, values in files.items():
    folder.write(name, values)
  # What was measured before an interruption is measured again.
  sink = metrics.MetricsFile(folder.path / 'metrics.jsonl', update=0)
  for split, values in lines.items():
    sink.write({'update': derived.updates, 'epochs': derived.epochs, 'split': split, **values})
  sink.sync()
  sink.close()


def finished(what: str, folder: epath.Path) -> run_lib.Run:
  """Returns the run of another folder, whose weights a measure reads.

  Args:
    what: the folder is to the measure, for the error.
    folder: of the run.

  Raises:
    UserError: it holds no run that is finished.
  """
  status = run_folder.RunFolder(folder).status()['status']
  if status != 'finished':
    raise errors.UserError(f'the {what} {folder} is {status}; allowed: a finished run')
  return saved.build(folder)
