"""What tables 5.2, 5.4 and B.3 of Summers 2021 have in common: a QRNN on Penn Treebank.

As in chapter5.py a run has all seeds at 0 but those of one source of nondeterminism, which are the
run's number, from 1 to 100; a cell with a `row` measures the runs beside it. [R] is the public code
of the network (salesforce/awd-lstm-lm), which the thesis uses; [C] a choice.

  - Network (printed): words of 256 features, 3 layers of 512, the last as wide as a word since one
    table holds what is read and said; 500 epochs.
  - Regime [R], of the README's command for QRNNs, as the thesis says no more: 20 streams, SGD at 30
    clipped to 0.2, averaged once the validation loss stalls; dropout of words 0.1, input 0.4,
    layers 0.3, output 0.4, weights 0.1; activations weighed by 2, their differences by 1; L2
    1.2e-6.
  - Sources: first weights; "stochastic operations", dropout and the lengths of segments, which
    share a seed there (seeds.noise and seeds.shuffle here); both; one bit.
  - One bit [C]: of the weights of the first recurrent layer. The thesis does not say which.
  - Snapshots [C]: five cycles of a cosine from 30, no average of the weights, logits averaged. The
    thesis does not say how a run with NT-ASGD is made cyclic.
  - Weights: at the end of training, averaged but for snapshots. [R] goes back to the best ones.
  - Tokens [C]: pairs are compared, and the deviation is taken, on 8,400 tokens of the test set:
    12 segments of 10 streams. All 82,430 tokens of 10,000 logits are 3.3 GB a model;
    these are 0.34 GB, so that 100 models take 34 GB of memory and a few hours of a core. On fewer
    tokens the deviation is larger; that of the whole test set, in 1 stream, is beside the mean of
    test/ema_perplexity over a source's runs.
"""

from collections.abc import Sequence
import pathlib
from typing import Any

import ml_collections

from nfnets_am.config import cells as cells_lib
from nfnets_am.config import schema
from nfnets_am.core import errors
from nfnets_am.sweeps import paper

SCALES = ('full', 'smoke')
SOURCES = {
    'init': ('seeds.init',),
    'stochastic': ('seeds.shuffle', 'seeds.noise'),
    'all': ('seeds.init', 'seeds.shuffle', 'seeds.noise'),
    'bit': ('start.bit_change',),
}
CELL = {'source': 'all', 'seed': 1, 'epochs': 500, 'cycles': 1, 'row': '', 'scale': 'full'}
ROWS = ('single',)
RUNS = 100
_SMOKE_RUNS = 2
_CYCLES = 5
_RATE = 30.0
SMOKE_NOTE = """
These are smoke runs: a tiny network on the bundled text for a few updates, which show that
everything works and nothing else. The thesis' numbers stand beside them to show the form.
"""


def get_config(cell: str = '') -> ml_collections.ConfigDict:
  """Returns the config of a run, or of what measures such runs.

  Args:
    cell: text of keys of CELL.

  Raises:
    ConfigError: an unknown key, source, row or scale, or other than 1 or 5 cycles.
  """
  cell = cells_lib.parse_cell(cell, CELL)
  for key, allowed in (('source', tuple(SOURCES)), ('row', ('', *ROWS)), ('scale', SCALES),
                       ('cycles', (1, _CYCLES))):
    if cell[key] not in allowed:
      raise errors.ConfigError(f'{key}={cell[key]!r}; allowed: {", ".join(map(repr, allowed))}')
  snapshots, smoke = cell['cycles'] > 1, cell['scale'] == 'smoke'
  config = schema.get_default()
  config.update({'unique': 20, 'seed': cell['seed'], 'budget': f'{cell["epochs"]} epochs',
                 'eval_every': '1 epochs', 'log_every': '200 updates'})
  config.data = ml_collections.ConfigDict({'name': 'corpus', 'set': 'ptb'})
  config.model = ml_collections.ConfigDict({'name': 'qrnn'})
  config.objective = ml_collections.ConfigDict(
      {'name': 'language', 'activation': 2.0, 'temporal': 1.0})
  config.clip = ml_collections.ConfigDict({'name': 'global_norm', 'norm': 0.2})
  config.optimizer = ml_collections.ConfigDict({'segment': 70.0, 'weight_decay': 1.2e-6} | (
      {'name': 'sgd', 'momentum': 0.0} if snapshots else
      {'name': 'nt_asgd', 'watch': 'validation/loss'}))
  config.schedule = ml_collections.ConfigDict({'peak': _RATE} | (
      {'name': 'cosine', 'cycles': _CYCLES} if snapshots else {'name': 'constant'}))
  _seed(config, cell['source'], cell['seed'])
  _evaluate(config, snapshots)
  if smoke:
    _smoke(config)
  if cell['row']:
    config.measure = (f"agreement(tokens=True, {_which(snapshots)}evaluation='kept', "
                      f'vary={SOURCES[cell["source"]]!r}, count={_count(cell["scale"])})')
  return config


def _which(snapshots: bool) -> str:
  return 'snapshots=True, ' if snapshots else 'ema=True, '


def _count(scale: str) -> int:
  return _SMOKE_RUNS if scale == 'smoke' else RUNS


def _seed(config: ml_collections.ConfigDict, source: str, seed: int) -> None:
  for name in schema.SEEDS:
    config.seeds[name] = 0
  for key in SOURCES[source]:
    section, _, name = key.partition('.')
    if section == 'seeds':
      config.seeds[name] = seed
    else:
      config.start = ml_collections.ConfigDict(
          {'name': 'fresh', 'bit_change': seed, 'bit_change_in': 'qrnn/layer0'})


def _evaluate(config: ml_collections.ConfigDict, snapshots: bool) -> None:
  at = tuple(f'{100 * k // _CYCLES} percent' for k in range(1, _CYCLES + 1))
  config.evals = ml_collections.ConfigDict({
      'validation': {'name': 'perplexity', 'split': 'validation', 'batch': 10},
      'test': {'name': 'perplexity', 'split': 'test', 'batch': 1, 'every': '5 percent'},
      'kept': {'name': 'perplexity', 'split': 'test', 'batch': 10, 'most': 12, 'keep': True,
               'every': '100 percent', **({'keep_at': at} if snapshots else {})}})


def _smoke(config: ml_collections.ConfigDict) -> None:
  """Ten updates."""
  config.data.update({'set': 'verses', 'vocabulary': 'words(size=300)', 'segment': 10})
  config.model.update({'hidden': 8, 'layers': 2, 'embedding': 6})
  config.optimizer.segment = 10.0
  config.update({'unique': 4, 'budget': '10 updates', 'eval_every': '20 percent',
                 'log_every': '2 updates'})
  config.checkpoint.every = '100 percent'
  for part in config.evals.values():
    part.most = 2
    part.batch = 4


def cells(rows: Sequence[dict[str, Any]], scale: str) -> tuple[dict[str, Any], ...]:
  """Returns the cells of a table: the runs that its rows measure, and then the rows.

  Args:
    rows: keys of CELL, without seed and scale.
    scale: of SCALES.

  Raises:
    ConfigError: an unknown scale.
  """
  if scale not in SCALES:
    raise errors.ConfigError(f'scale={scale!r}; allowed: {", ".join(SCALES)}')
  extra = {'scale': scale} if scale != 'full' else {}
  whole = [{key: value for key, value in CELL.items() if key not in ('row', 'scale', 'seed')} | row
           for row in rows]
  runs = [{**row, 'row': '', 'seed': seed, **extra}
          for row in whole for seed in range(1, _count(scale) + 1)]
  return (*runs, *({**row, 'seed': 1, **extra} for row in whole))


def numbers(table: str) -> tuple[paper.Number, ...]:
  """Returns what the thesis prints in a table."""
  return paper.read_numbers(pathlib.Path(__file__).with_name('paper_language.json'), table)
