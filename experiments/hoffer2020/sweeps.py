"""What the sweeps of this paper have in common: seeds, numbers, notes."""

from collections.abc import Mapping
from collections.abc import Sequence
import pathlib
from typing import Any

from experiments.hoffer2020 import recipes
from nfnets_am.sweeps import experiment_file
from nfnets_am.sweeps import paper

_SMOKE = """
These are smoke runs: tiny models on small or stand-in images for a few updates, which show that
everything works and nothing else. The paper's numbers stand beside them to show the form.
"""
_COLUMNS = """
The columns: `fixed_steps` has B images in an update, one view of each; `fixed_samples` has M B
images in an update, one view of each, and M times the epochs; `ba` has B images in an update and M
views of each. All make as many updates; the second and the third train on M times the samples of
the first, with M times its compute.
"""


def of(name: str, title: str, scale: str, cells: Sequence[Mapping[str, Any]],
       claims: Sequence[paper.Claim], seeds: int = 1, epsilon: float = 0.5, **kwargs: Any
       ) -> experiment_file.Sweep:
  """Returns a sweep with the paper's numbers.

  Args:
    name: key of paper.json.
    title: of the report.
    scale: of recipes.SCALES.
    cells: without seeds.
    claims: of the text.
    seeds: runs of each cell.
    epsilon: by which ours may differ from what is printed, as the metric is read.
    **kwargs: further attributes of Sweep.
  """
  recipes.check('ba', scale)
  extra = {} if scale == 'full' else {'scale': scale}
  return experiment_file.Sweep(
      title=title,
      cells=tuple({**cell, **extra, 'seed': seed} for cell in cells for seed in range(seeds)),
      numbers=paper.read_numbers(pathlib.Path(__file__).parent / 'paper.json', name),
      epsilons=(({}, epsilon),), claims=tuple(claims),
      note=(_COLUMNS if any('column' in cell for cell in cells) else '') + (
          _SMOKE if extra else ''), **kwargs)
