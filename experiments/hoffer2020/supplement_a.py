"""Supplement A of Hoffer et al. 2020: the stability of SGD, checked in numbers and drawn.

    python -m experiments.hoffer2020.supplement_a --out=runs/hoffer2020/supplement_a.png

Left: E ||P w_t||^2 on a random quadratic at learning rates up to 2 / lambda_max of its batches,
with the bound (12). Right: lambda_max by batch, for batches of M times as many samples and
for batches of M equal copies of the samples: what correlates perfectly lowers nothing. The table
says of each learning rate whether it converged, and whether the bound held at every update.

The check is exact in floating point, so there is no seed to choose but that of the quadratic.
"""

from collections.abc import Sequence
import pathlib

from absl import flags
from matplotlib import figure
import numpy as np
from rich import table

from experiments.hoffer2020 import stability
from nfnets_am.core import cli
from nfnets_am.core import terminal

_SAMPLES, _DIMENSION, _RANK, _BATCH = 64, 12, 2, 4
_UPDATES = 400
# eta lambda_max; the theorem says that those under 2 converge.
_RATES = (0.5, 1.0, 1.5, 1.9, 1.99)
_COPIES = (1, 2, 4, 8, 16)


def quadratic(seed: int = 0) -> np.ndarray:
  """Returns the Hessians of the samples, [64, 12, 12]; one direction of the space is not seen."""
  rng = np.random.default_rng(seed)
  hessians = stability.samples(rng, _SAMPLES, _DIMENSION, _RANK)
  blind = np.eye(_DIMENSION)
  blind[0, 0] = 0
  return blind @ hessians @ blind


def worst_case(rate: float) -> tuple[np.ndarray, np.ndarray]:
  """Returns batches and a start for which the theorem is tight: all batches have one eigenvalue."""
  means = np.zeros((4, _DIMENSION, _DIMENSION))
  means[:, 1, 1] = rate
  return means, np.eye(_DIMENSION)[1]


def rows(seed: int = 0) -> list[dict]:
  """Returns what was found at each rate: its norms, the bound, and whether the theorem holds."""
  means = stability.batches(quadratic(seed), _BATCH)
  start = np.ones(_DIMENSION)
  found = []
  for product in _RATES:
    rate = product / stability.largest(means)
    norms = stability.norms(means, rate, start, _UPDATES)
    bound = stability.bound(means, rate, start, _UPDATES)
    found.append({'rate times lambda_max': product, 'norms': norms, 'bound': bound,
                  'converges': bool(norms[-1] < norms[0]),
                  'bound holds': bool((norms <= bound * (1 + 1e-9)).all())})
  return found


def tight(product: float) -> bool:
  """Whether the worst case grows at eta lambda_max = `product`; it does where that is over 2."""
  means, start = worst_case(product)
  norms = stability.norms(means, 1.0, start, _UPDATES)
  return bool(norms[-1] > norms[0])


def largest_by_copies(seed: int = 0) -> dict[str, list[float]]:
  """Returns lambda_max for M times as many samples in a batch, and for M copies of them."""
  hessians = quadratic(seed)
  return {
      'M B samples': [stability.largest(stability.batches(hessians, _BATCH * n)) for n in _COPIES],
      'M copies of B samples': [
          stability.largest(stability.batches(hessians, _BATCH, n)) for n in _COPIES]}


def draw(found: Sequence[dict], copies: dict[str, list[float]]) -> figure.Figure:
  """Returns the picture."""
  picture = figure.Figure(figsize=(10, 4), layout='constrained')
  left, right = picture.subplots(1, 2)
  for number, row in enumerate(found):
    colour = f'C{number}'
    left.plot(row['norms'], color=colour, label=f'{row["rate times lambda_max"]:g}')
    left.plot(row['bound'], color=colour, linestyle=':')
  left.set(yscale='log', xlabel='update', ylabel=r'$E\|P w_t\|^2$; dotted: the bound (12)')
  left.set_ylim(1e-12 * found[0]['norms'][0], 10 * found[0]['norms'][0])
  left.legend(title=r'$\eta\,\lambda_{max}$')
  for name, values in copies.items():
    right.plot(_COPIES, values, marker='o', label=name)
  right.set_xscale('log', base=2)
  right.set_xticks(_COPIES, map(str, _COPIES))
  right.set(xlabel='M', ylabel=r'$\lambda_{max}$ of the batches', ylim=(0, None))
  right.legend()
  return picture


_OUT = None


def main() -> None:
  found, copies = rows(), largest_by_copies()
  rows_of = table.Table('eta lambda_max', 'E |P w|^2 at first', f'after {_UPDATES} updates',
                        'converges', 'bound (12) holds', title='Stability of SGD on a quadratic')
  for row in found:
    rows_of.add_row(f'{row["rate times lambda_max"]:g}', f'{row["norms"][0]:.3g}',
                    f'{row["norms"][-1]:.3g}', *('yes' if row[key] else 'no' for key in (
                        'converges', 'bound holds')))
  out = terminal.Terminal()
  out.print(rows_of)
  out.print('The worst case grows at eta lambda_max = 2.02: '
            f'{"yes" if tight(2.02) else "no"}; at 1.98: {"yes" if tight(1.98) else "no"}.')
  path = pathlib.Path(_OUT.value)
  path.parent.mkdir(parents=True, exist_ok=True)
  draw(found, copies).savefig(path, dpi=150)
  out.print(f'picture {path}')


if __name__ == '__main__':
  _OUT = flags.DEFINE_string('out', 'runs/hoffer2020/supplement_a.png', 'The picture.')
  cli.run(main)
