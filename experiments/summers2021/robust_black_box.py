"""What Tables 3.2 and 3.4 of Summers 2021 have in common: accuracy on images of other networks.

Targets are the runs of the white-box table, of seed 0. Sources are independent copies, of seed 1,
on the diagonal too; a cell with `black_box` trains nothing and makes images on one of them, once
for all targets. It fails until their runs are finished; the same command again measures. It names
runs by their folders, as the file has them: of --set only what tells where data are may be said.
"""

from collections.abc import Sequence

import ml_collections

from experiments.summers2021 import robust
from nfnets_am.config import cells as cells_lib
from nfnets_am.sweeps import experiment_file
from nfnets_am.sweeps import paper

_CELL = {**robust.CELL, 'black_box': 0}


def of(source: str) -> dict[str, object]:
  """Returns what the cell has that makes images on a method."""
  return {'method': source, 'black_box': 1}


def metric(target: str) -> str:
  """Returns the metric of a target."""
  return f'black_box_{target}/top1'


def config(cell: str, table: robust.Table) -> ml_collections.ConfigDict:
  """Returns the config of a cell such as 'method=lrm,seed=1' or 'method=lrm,black_box=1,seed=1'.

  Raises:
    ConfigError: an unknown key, method or scale.
  """
  said = cells_lib.parse_cell(cell, _CELL)
  measured = said.pop('black_box')
  config_of = lambda text: robust.config(text, table)
  found = config_of(cells_lib.cell_name(said))
  if measured:
    folder = lambda method, seed: robust.folder(
        config_of, method=method, seed=seed, scale=said['scale'])
    targets = {method: folder(method, 0) for method in robust.METHODS}
    smoke = ', batch=16, most=1' if said['scale'] == 'smoke' else ''
    found.measure = (
        f'black_box(source={folder(said["method"], 1)!r}, target={targets!r}, attack="pgd('
        f'epsilon={table.epsilon}, step_size={table.step_size}, steps=10)"{smoke})')
  return found


def sweep(table: robust.Table, name: str, title: str, claims: Sequence[paper.Claim], scale: str
          ) -> experiment_file.Sweep:
  """Returns ten runs and five cells that measure them.

  Args:
    table: whose runs are the targets.
    name: of the printed numbers.
    title: of the report.
    claims: about them.
    scale: of robust.SCALES.
  """
  extra = robust.check_scale(scale)
  return experiment_file.Sweep(
      title=title, metric=metric('lrm'), others=tuple(map(metric, robust.METHODS[:-1])),
      cells=tuple({'method': method, 'black_box': black_box, 'seed': seed, **extra}
                  for black_box, seed in ((0, 0), (0, 1), (1, 1)) for method in robust.METHODS),
      numbers=robust.numbers(name), claims=tuple(claims), note=robust.note(scale))
