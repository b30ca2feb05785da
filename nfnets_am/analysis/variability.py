"""The measure `agreement`: how much finished runs of one recipe differ (Summers 2021, ch. 5).

    python -m nfnets_am.measure agreement --runs='runs/mine/*'
    python -m nfnets_am.measure "agreement(evaluation='flip', ensembles=(2, 3))" --runs='runs/*'
"""

from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
import functools
import resource
import sys
import time
from typing import Any

from absl import logging
from etils import epath

from nfnets_am.analysis import agreement as agreement_lib
from nfnets_am.analysis import kept
from nfnets_am.analysis import measures
from nfnets_am.config import schema
from nfnets_am.core import errors


def agreement(*, runs: tuple[str, ...] = (), vary: tuple[str, ...] = (), count: int = 0,
              evaluation: str = 'test', ema: bool = False, ensembles: tuple[int, ...] = (),
              snapshots: bool = False, against: tuple[str, ...] = (), against_evaluation: str = '',
              against_changes: Mapping[str, Any] | None = None, tokens: bool = False,
              resamples: int = 10_000) -> measures.Measure:
  """Deviations with errors, disagreement, correlation and what ensembling adds; see agreement.py.

  Its lines are 'single', the models themselves, 'ensemble2' and so on, and 'against', if something
  is said of it; 'reduction' in a line is how much less variable that is than 'against', or else
  than 'single'.

  Args:
    runs: folders or patterns of them, relative to the folder that holds this cell's.
    vary: of a cell, the keys of its config in which the runs differ, such as ('seeds.init',): then
      they are those of `runs`, by default of all folders beside the cell's, whose config is else
      the cell's own.
    count: how many there must be; 0 is any number from two up.
    evaluation: name of the one that kept the predictions, as evals.NAME.keep=True does.
    ema: whether of the average of the weights.
    ensembles: numbers of runs, whose mean logits are one model.
    snapshots: whether a model is the mean of its run's logits at the updates of evals.NAME.keep_at,
      an accelerated ensemble.
    against: other runs to hold these against, in the same form; () is the same runs.
    against_evaluation: name of their evaluation; '' is the same.
    against_changes: of a cell with `vary`, what the config of those other runs has else, such as
      {'schedule.cycles': 1}.
    tokens: whether examples are tokens, of which perplexity is compared and no correlation; there
      is no 'reduction' of these.
    resamples: of the bootstrap, at least 2.

  Raises:
    ConfigError: an ensemble of which there are not two, or a value out of its range.
    UserError: less than two runs, or one whose predictions are missing, damaged or of other
      examples.
  """
  schema.require(resamples >= 2, 'resamples', resamples, 'a whole number from 2 up')
  summary = functools.partial(
      agreement_lib.of_tokens if tokens else agreement_lib.summary, resamples=resamples)

  def measure(run, folder):
    folders = kept.of_cell(run, folder, runs, vary, count)
    for size in ensembles:
      if size < 2 or len(folders) // size < 2:
        raise errors.ConfigError(
            f'ensembles={ensembles!r} of {len(folders)} runs; allowed: numbers from 2 to '
            f'{len(folders) // 2}, so that there are two ensembles')
    lines = {}
    if against or against_evaluation or against_changes or snapshots:
      others = folders
      if against_changes:
        others = kept.of_cell(run, folder, against or runs, vary, count, against_changes)
      elif against:
        others = kept.find(against, folder.parent)
      lines |= _lines(others, against_evaluation or evaluation, ema, False, {'against': 1},
                      summary)
    lines |= _lines(folders, evaluation, ema, snapshots,
                    {'single': 1, **{f'ensemble{size}': size for size in ensembles}}, summary)
    if tokens:
      return lines, {'runs.json': [one.name for one in folders]}
    baseline = 'against' if 'against' in lines else 'single'
    for name, line in lines.items():
      share = agreement_lib.reduction(line, lines[baseline])
      if name != baseline and share == share:
        line['reduction'] = share
    return lines, {'runs.json': [one.name for one in folders]}

  return measure


def _lines(folders: Sequence[epath.Path], evaluation: str, ema: bool, snapshots: bool,
           sizes: dict[str, int], summary: Callable[..., dict[str, float]]
           ) -> dict[str, dict[str, float]]:
  """Returns the summary of the models, or ensembles, of each name."""
  start = time.monotonic()
  found = kept.logits_of(folders, evaluation, ema=ema, averaged=snapshots)
  logging.info('read %d models of %d x %d logits (%.0f MB) in %.1f s', *found.logits.shape,
               found.logits.nbytes / 1e6, time.monotonic() - start)
  lines = {}
  for name, size in sizes.items():
    start = time.monotonic()
    models = agreement_lib.Models(found.logits, size)
    lines[name] = summary(models, found.label)
    logging.info('%s: %d pairs in %.1f s; the process has taken up to %.0f MB', name,
                 len(models) * (len(models) - 1) // 2, time.monotonic() - start, _peak_megabytes())
  return lines


def _peak_megabytes() -> float:
  peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
  # Kilobytes, but on macOS bytes.
  return peak / 1e6 if sys.platform == 'darwin' else peak * 1024 / 1e6
