"""Figure 5.1 of Summers 2021: how similar the layers of a ResNet-14 are from run to run.

    python -m launch.sweep --experiment=experiments/summers2021/figure5_1.py \\
        --workdir=runs/summers2021
    python -m nfnets_am.report --experiment=experiments/summers2021/figure5_1.py \\
        --workdir=runs/summers2021

Linear CKA of the 300 pairs of 25 runs for each source of nondeterminism, at six layers, on
CIFAR-10. Differences between sources are small, at most 3.5% in the output of the first residual
block; between layers they are up to 13%. The figure's values are not printed.

[C]: the six layers are the outputs of the six residual blocks, whose pixels are features of their
own, of the first 1,000 test images. A run keeps 0.2 GB of them, so that these runs are not those of
table 5.1. One bit is shown beside the thesis' sources; nondeterministic kernels are not run. The
rows are measured by a second command like the first, once all runs are finished. What the thesis
leaves open: chapter5.py.
"""

import ml_collections

from experiments.summers2021 import chapter5
from nfnets_am.config import cells as cells_lib
from nfnets_am.core import errors
from nfnets_am.reporting import claims
from nfnets_am.reporting.claims import judging
from nfnets_am.sweeps import differences
from nfnets_am.sweeps import experiment_file
from nfnets_am.sweeps import paper

_RUNS = 25
_ROW = 'similarity'
LAYERS = tuple(f'stage{stage}_block{block}' for stage in range(3) for block in range(2))
# Steps of the config's eval_batch, 500 images.
_STEPS = 2


def get_config(cell: str = '') -> ml_collections.ConfigDict:
  """Returns the config of a cell such as 'source=init,seed=7' or 'source=init,row=similarity'."""
  read = cells_lib.parse_cell(cell, chapter5.CELL)
  row, count = read.pop('row'), chapter5.count_of(read, read['scale'])
  if row not in ('', _ROW):
    raise errors.ConfigError(f'row={row!r}; allowed: {_ROW!r}, or none')
  config = chapter5.get_config(cells_lib.cell_name(read), views=False)
  smoke = read['scale'] == 'smoke'
  config.evals.features = ml_collections.ConfigDict(
      {'name': 'features', 'split': 'test', 'layers': _layers(read['scale']), 'keep': True,
       'every': '100 percent', 'most': 1 if smoke else _STEPS, 'batch': 32 if smoke else 0})
  if row:
    config.measure = f'{_ROW}(vary={chapter5.SOURCES[read["source"]]!r}, count={count})'
  return config


def _layers(scale: str) -> tuple[str, ...]:
  # The network of smoke runs has two stages.
  return LAYERS[:4] if scale == 'smoke' else LAYERS


def small_beside_layers() -> claims.Check:
  """At every layer sources differ by less than layers do, whose similarity is that of all sources.

  The widest gap between two sources at a layer is held against the gap between the most and the
  least similar layer.
  """

  @judging.check
  def judge(results):
    found = {}
    for source in chapter5.SOURCES:
      cell = judging.best(results, {'source': source, 'row': _ROW}, f'{LAYERS[0]}/similarity')
      final = cell.runs[0].final
      found[source] = {layer: differences.Difference(
          final[f'{layer}/similarity'], final.get(f'{layer}/similarity_error'), 0.0, _RUNS,
          f'{layer}/similarity') for layer in _layers(cell.key.get('scale', 'full'))}
    layers = list(found['all'])
    gap = lambda values: differences.weighted([
        (1, max(values, key=lambda one: one.value)), (-1, min(values, key=lambda one: one.value))])
    sources = max((gap([row[layer] for row in found.values()]) for layer in layers),
                  key=lambda one: one.value)
    share = 1 / len(found)
    between = gap([differences.weighted([(share, row[layer]) for row in found.values()])
                   for layer in layers])
    return judging.of_side(
        differences.weighted([(1, between), (-1, sources)]),
        f'sources differ by up to {sources.value:.3f}, at {sources.metric.partition("/")[0]}; '
        f'layers by {between.value:.3f}')

  return judge


def get_sweep(scale: str = 'full') -> experiment_file.Sweep:
  """Returns 25 runs of each source, and a row that measures each."""
  metrics = [f'{layer}/similarity' for layer in _layers(scale)]
  rows = [{'source': source, 'row': _ROW, 'count': _RUNS} for source in chapter5.SOURCES]
  return experiment_file.Sweep(
      title='Figure 5.1: similarity of layers, ResNet-14 on CIFAR-10',
      metric=metrics[0],
      others=(*metrics[1:], 'test/top1'),
      cells=chapter5.cells(rows, scale),
      panels=tuple(paper.Panel(metric.partition('/')[0], 'source', metric, {'row': _ROW},
                               tuned=False, line='row', log_x=False) for metric in metrics),
      claims=(
          paper.Claim('Differences between sources are easily dwarfed by those between layers.',
                      'up to 3.5% and up to 13%', small_beside_layers()),),
      note=chapter5.SMOKE_NOTE if scale == 'smoke' else '')
