"""The command line of figure2_1.py and figure2_2.py, which defines its flags where it is run."""

from collections.abc import Sequence
import pathlib

from absl import flags

from experiments.summers2021 import sheets
from nfnets_am.core import cli


def run(methods: Sequence[str]) -> None:
  """Draws what the command line asks for, and says where it is."""
  out = flags.DEFINE_string('out', None, 'PNG to write.', required=True)
  data_set = flags.DEFINE_string('set', 'fashion_mnist_small', 'Data set, as data.set has it.')
  data_dir = flags.DEFINE_string('data_dir', '', 'Where it is, if not where it usually is.')
  size = flags.DEFINE_integer(
      'size', 0, 'Pixels of a crop, of a set of encoded images; 0 for one in memory.',
      lower_bound=0)
  pairs = flags.DEFINE_integer('pairs', 3, 'Pairs to draw.')
  seed = flags.DEFINE_integer('seed', 0, 'Of the order and of all draws.')

  def main() -> None:
    path = pathlib.Path(out.value)
    sheets.draw(methods, path, data_set=data_set.value, data_dir=data_dir.value, size=size.value,
                pairs=pairs.value, seed=seed.value)
    print(f'picture {path}')

  cli.run(main)
