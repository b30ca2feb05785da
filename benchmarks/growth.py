"""What grows with a run, a workdir or a queue, and how: flat, linear, or more than that.

    JAX_PLATFORMS=cpu python -m benchmarks.growth
    JAX_PLATFORMS=cpu python -m benchmarks.growth --part=launcher --part=metrics

memory    resident memory of a process that reads its input, after so many updates
resume    starting again at an update, from real checkpoints: to the first update
first_batch  a streamed input that goes on at an update: to its first batch
report    all pages of experiments/fort2021, over so many made-up runs, and what each run adds
launcher  a launcher's share of a core while so many runs are queued, and what it does before it
          starts the first
metrics   a metrics file of so many lines: opened to go on, read whole, its end read, a line written

Each measure is taken at several sizes, a few times each by turns; the least counts, since others at
work on the machine only add to it. Its ratios are to the smallest size. What `grows` says follows
from the exponent e between the smallest and the largest: as the size to the power e. Up to 0.1 is
flat, up to 1.1 at most linear.
"""

from collections.abc import Sequence
import math

from absl import flags
from rich import table

from benchmarks import growing
from nfnets_am.core import cli
from nfnets_am.core import terminal

_FLAT, _LINEAR = 0.1, 1.1


def grows(sizes: Sequence[float], values: Sequence[float]) -> tuple[str, float]:
  """Returns the word for how values grow with sizes, and the exponent that it follows from.

  Args:
    sizes: ascending, over 0.
    values: of each, over 0.
  """
  exponent = math.log(values[-1] / values[0]) / math.log(sizes[-1] / sizes[0])
  return next((word for most, word in ((_FLAT, 'flat'), (_LINEAR, 'at most linear'))
               if exponent <= most), 'more than linear'), exponent


def row(found: growing.Measured) -> list[str]:
  """Returns a measure as its texts in the table."""
  word, exponent = grows(found.sizes, found.values)
  return [found.what, ', '.join(f'{size:,}' for size in found.sizes) + f' {found.of}',
          ', '.join(f'{value:.3g}' for value in found.values) + f' {found.unit}',
          ', '.join(f'{value / found.values[0]:.2f}' for value in found.values),
          f'{word} ({exponent:.2f})']


def main() -> None:
  chosen = flags.FLAGS.part or list(growing.PARTS)
  shown = table.Table('what', 'at', 'measured', 'ratio to the first', 'grows')
  out = terminal.Terminal(width=200)
  for name in chosen:
    for found in growing.PARTS[name](flags.FLAGS.share, flags.FLAGS.rounds):
      shown.add_row(*row(found))
      # All of it takes an hour: what is known is said.
      out.print(' | '.join(row(found)), soft_wrap=True)
  out.print(shown)


if __name__ == '__main__':
  flags.DEFINE_multi_enum('part', None, list(growing.PARTS), 'What to measure; else all.')
  flags.DEFINE_float('share', 1.0, 'Of the sizes, to try it out.', lower_bound=0.0)
  flags.DEFINE_integer('rounds', 3, 'Of each measurement but the memory and the report.',
                       lower_bound=1)
  cli.run(main)
