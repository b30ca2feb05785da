"""Which runs the experiments of Fort et al. 2021 have, and what the paper prints about them.

Every function takes the scale: 'full', 'validation' (full, tuned on held-out images) or 'smoke',
which has the same structure in a few tiny runs.
"""

from collections.abc import Mapping
from collections.abc import Sequence
import dataclasses
import pathlib
from typing import Any

from experiments.fort2021 import recipes
from nfnets_am.config import cells as cells_lib
from nfnets_am.core import errors
from nfnets_am.sweeps import paper
from nfnets_am.sweeps import tuning

Cell = dict[str, Any]

# The unique images of section 2 and the batches of section 3.
_ROWS = {
    'wide_resnet': {'growing': {'unique': 64}, 'large': {'views': 1024}, 'small': {'views': 64}},
    'nf_resnet50': {'growing': {'unique': 256}, 'large': {'views': 4096}, 'small': {'views': 256}},
}
_SMOKE_ROWS = {'growing': {'unique': 8}, 'large': {'views': 32}, 'small': {'views': 8}}
_MULTIPLICITIES = {'wide_resnet': (1, 2, 4, 8, 16), 'nf_resnet50': (1, 2, 4, 8)}
_BUDGETS = {'wide_resnet': (16, 32, 64, 128, 256, 512), 'nf_resnet50': (32, 64, 128, 256, 512)}
_SMOKE_MULTIPLICITIES, _SMOKE_BUDGETS = (1, 4), (32, 128)
# Budgets that the paper names, in the epochs of the scale 'smoke'.
_SMOKE_EPOCHS = {32: 1, 128: 2, 512: 4, 2048: 4, 8192: 16}
# Updates at full scale for one at the scale 'smoke'.
_SMOKE_UPDATES = 14_000
_SEEDS = {'wide_resnet': 7, 'nf_resnet50': 1}
# Factors of 2 to each side of the centre: of a grid, and of one whose whole curve is drawn.
_REACH = {'wide_resnet': (3, 5), 'nf_resnet50': (2, 3)}
_SMOKE_NOTE = """
These are smoke runs: tiny models on small or stand-in images for a few updates, which show that
everything works and nothing else. The paper's numbers stand beside them to show the form.
"""


def numbers(experiment: str, scale: str) -> tuple[paper.Number, ...]:
  """Returns what the paper prints for an experiment, from paper.json beside this file.

  At the scale 'smoke' each stands beside the small run that takes the place of the paper's.
  """
  found = paper.read_numbers(pathlib.Path(__file__).with_name('paper.json'), experiment)
  if scale != 'smoke':
    return found
  return tuple(dataclasses.replace(number, cell=_smoke_cell(number.cell)) for number in found)


def _smoke_cell(cell: Mapping[str, Any]) -> Cell:
  cell = dict(cell)
  if 'epochs' in cell:
    cell['epochs'] = _SMOKE_EPOCHS.get(cell['epochs'], cell['epochs'])
    cell['multiplicity'] = min(cell['multiplicity'], _SMOKE_MULTIPLICITIES[-1])
  if 'updates' in cell:
    cell['updates'] //= _SMOKE_UPDATES
  return cell


def grid(model: str, regime: str, scale: str, *, budgets: Sequence[int] = (),
         curves: Sequence[int] = (), multiplicities: Sequence[int] = (),
         neighbouring: bool = False, by_temperature: bool = False) -> tuple[Cell, ...]:
  """Returns the cells of a grid of multiplicities, budgets, learning rates and seeds.

  Args:
    model: 'wide_resnet' or 'nf_resnet50'.
    regime: 'growing' (U fixed), 'large' or 'small' (B fixed).
    scale: of SCALES.
    budgets: in epochs at full scale; () is all of the model's.
    curves: those of the budgets where a curve over the learning rate is drawn, so that the grid is
      wide from the start.
    multiplicities: () is all of the model's; 0 is without augmentation.
    neighbouring: the scheme of appendix C.
    by_temperature: the grid of n has the temperatures of n = 1, too: from rates n times smaller on.
  """
  recipes.check_scale(scale)
  smoke = scale == 'smoke'
  batch = rows(model, regime, scale)
  budgets = budgets or (_SMOKE_BUDGETS if smoke else _BUDGETS[model])
  chosen = multiplicities or multiplicities_of(model, scale)
  narrow, wide = (1, 1) if smoke else _REACH[model]
  centre = 0.0625 if smoke or model == 'wide_resnet' else 0.1 * sum(batch.values()) / 256
  seeds = min(_SEEDS[model], 2) if smoke else _SEEDS[model]
  return tuple(
      {'model': model, **batch, **({'neighbouring': 1} if neighbouring else {}), 'multiplicity': n,
       'epochs': epochs(budget, scale), 'peak': peak, 'seed': seed,
       **({} if scale == 'full' else {'scale': scale})}
      for n in chosen for budget in budgets
      for peak in _peaks(centre, wide if budget in curves else narrow,
                         n if by_temperature else 1, smoke)
      for seed in range(seeds))


def _peaks(centre: float, reach: int, n: int, smoke: bool) -> tuple[float, ...]:
  """The rates around centre / n, and at full scale those around the centre, for other figures."""
  lower = tuning.grid(centre / n, reach)
  return lower if smoke else tuple(sorted({*lower, *tuning.grid(centre, reach)}))


def merge(*grids: Sequence[Cell]) -> tuple[Cell, ...]:
  """Returns the cells of several grids, each once, in order."""
  return tuple({cells_lib.cell_name(cell): cell for cells in grids for cell in cells}.values())


def whole_curves(scale: str, shown: Sequence[tuple[str, str, int]]) -> tuple[Cell, ...]:
  """Returns wide grids at (model, regime, budget), where the curve over temperatures is drawn."""
  return merge(*(grid(model, regime, scale, budgets=(budget,), curves=(budget,),
                      by_temperature=True)
                 for model, regime, budget in shown))


def to_equal_updates(scale: str) -> dict[int, tuple[int, ...]]:
  """Returns n -> budgets beyond its grid's, up to 4x10^5 updates of 1,024 views of CIFAR-100.

  At the scale 'smoke' only those that the paper names.
  """
  if scale == 'smoke':
    return {4: (2048,), 1: (8192,)}
  return {n: tuple(budget for budget in (1024, 2048, 4096, 8192) if budget <= 8192 // n)
          for n in (1, 2, 4, 8)}


def rows(model: str, regime: str, scale: str) -> dict[str, int]:
  """Returns {'unique': U} or {'views': B} of a regime, as its cells have them."""
  return (_SMOKE_ROWS if scale == 'smoke' else _ROWS[model])[regime]


def epochs(budget: int, scale: str) -> int:
  """Returns what a budget that the paper names is at a scale."""
  return _SMOKE_EPOCHS[budget] if scale == 'smoke' else budget


def budgets_of(model: str, scale: str) -> tuple[int, ...]:
  """Returns the budgets of a model's grid, in epochs at a scale."""
  return tuple(epochs(budget, scale)
               for budget in (_SMOKE_BUDGETS if scale == 'smoke' else _BUDGETS[model]))


def multiplicities_of(model: str, scale: str) -> tuple[int, ...]:
  """Returns the multiplicities of a model's grid."""
  return _SMOKE_MULTIPLICITIES if scale == 'smoke' else _MULTIPLICITIES[model]


def many(model: str, scale: str) -> int:
  """Returns the largest multiplicity of a model's grid."""
  return multiplicities_of(model, scale)[-1]


def nfnet_cells(scale: str, runs: Sequence[tuple[str, int, int]], rho: float = 0.0
                ) -> tuple[Cell, ...]:
  """Returns cells from (model, multiplicity, updates at full scale)."""
  recipes.check_scale(scale)
  if scale == 'validation':
    raise errors.ConfigError(
        "scale='validation'; allowed: full, smoke, since nothing is tuned here")
  cells = [{'model': model, **({'rho': rho} if rho else {}), 'multiplicity': n, 'updates': updates,
            'seed': 0} for model, n, updates in runs]
  if scale == 'smoke':
    cells = [{**_smoke_cell(cell), 'scale': 'smoke'} for cell in cells]
  return tuple(cells)


def updates(budget: int, scale: str) -> int:
  """Returns what a number of updates that the paper names is at a scale."""
  return budget // _SMOKE_UPDATES if scale == 'smoke' else budget


def tuned_sweep(scale: str) -> dict[str, Any]:
  """Returns what the sweeps of tuned runs have in common."""
  return {'best_of': 1 if scale == 'smoke' else 5, 'tune': 'peak', 'tune_factor': 2.0,
          'select': 'validation' if scale == 'validation' else 'test', 'peak_over': 'epochs'}


def note(scale: str) -> str:
  """Returns what a report says below its numbers."""
  return _SMOKE_NOTE if scale == 'smoke' else ''
