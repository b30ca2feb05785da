"""How a report's metrics were computed, where a number means little without: BLEU's signature."""

import json

from etils import epath

from nfnets_am.core import quantities
from nfnets_am.sweeps import reduction

# As sacrebleu writes it, of the evaluation `bleu`; the version is that of a run's last start.
_FORM = 'nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp|version:{}'


def lines(results: reduction.Results) -> list[str]:
  """Returns a line of Markdown for each version of sacrebleu that scored a finished run."""
  versions = sorted({_version(run.folder) for run in results.runs if any(
      quantities.of(metric).name == 'bleu' for metric in run.final)})
  return [f"BLEU is sacrebleu's, `{_FORM.format(version)}`." for version in versions]


def _version(folder: str) -> str:
  try:
    starts = json.loads((epath.Path(folder) / 'run.json').read_text())['starts']
    return starts[-1]['versions']['sacrebleu']
  except (OSError, ValueError, LookupError, TypeError):
    return 'unknown'
