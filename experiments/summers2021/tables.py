"""What Tables 2.1 to 2.3 of Summers 2021 have in common: configs, cells, numbers and claims."""

from collections.abc import Mapping
from collections.abc import Sequence
import pathlib
from typing import Any

import ml_collections

from experiments.summers2021 import recipes
from nfnets_am.config import cells as cells_lib
from nfnets_am.config import schema
from nfnets_am.core import errors
from nfnets_am.reporting import claims
from nfnets_am.reporting.claims import judging
from nfnets_am.sweeps import experiment_file
from nfnets_am.sweeps import paper
from nfnets_am.sweeps import reduction
from nfnets_am.sweeps import stages

SCALES = ('full', 'smoke')
CELL = {'method': recipes.BASELINE, 'seed': 0, 'scale': 'full'}
# Copies of a cell that begin, and of which the best go on (sec. 2.4.1).
COPIES, KEPT = 20, 3
# Rows of a table that a claim pairs: by rows of pixels, by columns.
_PAIRS = (('vertical_concat', 'horizontal_concat'), ('random_rows', 'random_columns'),
          ('random_row_interval', 'random_column_interval'))
_WORSE = ('random_pixels', 'random_elements')
_BEST = ('vh_mixup', 'vh_bc_plus')
_PRIOR = ('mixup', 'bc_plus')
SMOKE_NOTE = """
These are smoke runs: tiny models on small or stand-in images for a few updates, which show that
everything works and nothing else. The thesis' numbers stand beside them to show the form.
"""


def cifar(cell: str, *, data_set: str, decay: Mapping[str, float]) -> ml_collections.ConfigDict:
  """Returns the config of a run on CIFAR.

  Args:
    cell: text of keys of CELL.
    data_set: 'cifar10' or 'cifar100'.
    decay: coefficient of the penalty, {'baseline': ..., 'mixed': ...}.

  Raises:
    ConfigError: an unknown key, method or scale.
  """
  cell = _read(cell)
  method = cell['method']
  config = schema.get_default()
  config.update({
      'views': 128, 'seed': cell['seed'], 'budget': f'{recipes.UPDATES} updates',
      'data': {'set': data_set, 'apply': 'device',
               'augment': recipes.way(method, recipes.CIFAR, recipes.CIFAR_PER_IMAGE)},
      'model': {'name': 'preact_resnet_18'},
      'schedule': {'name': 'piecewise', 'peak': 0.1, 'scales': recipes.SCALES,
                   'boundaries': recipes.BOUNDARIES, 'inclusive': True},
      'penalty': f'l2(coefficient={decay["baseline" if method == recipes.BASELINE else "mixed"]})',
      'eval_every': '10 epochs', 'log_every': '100 updates'})
  if cell['scale'] == 'smoke':
    config.data.update({
        'set': 'fashion_mnist_small', 'train_images': 256,
        'augment': recipes.way(method, 'normalise()', recipes.PER_IMAGE_CALL, channels=1)})
    config.update({'views': 16, 'budget': '8 updates', 'eval_every': '50 percent',
                   'log_every': '2 updates'})
    config.model = ml_collections.ConfigDict({'name': 'resnet_tiny'})
  return config


def caltech(cell: str) -> ml_collections.ConfigDict:
  """Returns the config of a run on Caltech-256; as `cifar`."""
  cell = _read(cell)
  method = cell['method']
  drops = (20_000, 26_000) if method == recipes.BASELINE else (45_000, 57_000)
  smoke = cell['scale'] == 'smoke'
  config = schema.get_default()
  config.update({
      'views': 64, 'seed': cell['seed'], 'budget': f'{drops[-1] + 10_000} updates',
      'data': {'name': 'stream', 'set': 'folder:256_ObjectCategories',
               'split': 'per_class(train=40, validation=10, test=30)',
               'leave_out': ('257.clutter',), 'eval_size': 299, 'eval_crop': 'crop_resize',
               'augment': recipes.photographs(method, 299)},
      'model': {'name': 'inception_v3'},
      'objective': {'name': 'cross_entropy', 'auxiliary': 0.4},
      # From 3e-5 to 0.03, so that the logarithm rises linearly.
      'schedule': {'name': 'piecewise', 'peak': 0.03, 'boundaries': drops,
                   'scales': (1.0, 0.1, 0.01), 'inclusive': True, 'warmup': '2000 updates',
                   'start': 1e-3, 'geometric': True},
      'optimizer': {'name': 'rmsprop'},
      'penalty': "l2(coefficient=4e-5, mask='kernels')",
      'evals': {'validation': {'name': 'accuracy', 'split': 'validation'}},
      'eval_batch': 64, 'eval_every': '1000 updates', 'log_every': '100 updates',
      'checkpoint': {'best': 'validation/top1'}})
  if smoke:
    # The pictures of `python -m nfnets_am.data.tools.stand_in --data_dir=runs/data`.
    config.data = ml_collections.ConfigDict({
        'name': 'stream', 'set': 'stand_in', 'data_dir': 'runs/data', 'lanes': 1,
        'validation': 8, 'eval_size': 28, 'eval_crop': 'crop_resize',
        'augment': recipes.photographs(method, 28)})
    config.model = ml_collections.ConfigDict({'name': 'nf_resnet_tiny'})
    config.objective = ml_collections.ConfigDict({'name': 'cross_entropy'})
    config.schedule.update({'boundaries': (4, 6), 'warmup': '2 updates'})
    config.update({'views': 4, 'budget': '8 updates', 'eval_batch': 4,
                   'eval_every': '50 percent', 'log_every': '2 updates'})
  return config


def sweep(table: str, title: str, methods: Sequence[str], scale: str, *, copies: int,
          found: Sequence[paper.Claim], epsilon: float, at: str = '') -> experiment_file.Sweep:
  """Returns the runs of a table.

  Args:
    table: key of paper.json.
    title: of the report.
    methods: its rows.
    scale: of SCALES.
    copies: of each row at full scale; of more than KEPT so many go on after 3 epochs.
    found: the claims of the text.
    epsilon: points by which ours may differ from a printed number.
    at: as of Sweep.
  """
  check_scale(scale)
  smoke = scale == 'smoke'
  staged = copies > KEPT
  if smoke:
    copies = 2 if staged else 1
  extra = {'scale': scale} if smoke else {}
  kept = stages.Selection(
      keep=1 if smoke else KEPT, until='4 updates' if smoke else '3 epochs') if staged else None
  return experiment_file.Sweep(
      title=title,
      cells=tuple({'method': method, 'seed': seed, **extra}
                  for method in methods for seed in range(copies)),
      at=at,
      stages=kept,
      panels=(paper.Panel('Test accuracy of each way to mix', 'method', line='', log_x=False,
                          names={'method': {
                              method: 'no mixing' if method == recipes.BASELINE
                              else recipes.title(method) for method in methods}}),),
      numbers=_numbers(table),
      epsilons=(({}, epsilon),),
      claims=tuple(found),
      note=SMOKE_NOTE if smoke else '')


def check_scale(scale: str) -> None:
  """Raises ConfigError for a scale that is not of SCALES."""
  if scale not in SCALES:
    raise errors.ConfigError(f'scale={scale!r}; allowed: {", ".join(SCALES)}')


def statements(table: str, outperforming: int) -> tuple[paper.Claim, ...]:
  """Returns what section 2.4.2 says of a table of CIFAR; evidence is in errors, as printed.

  Args:
    table: key of paper.json.
    outperforming: how many methods the text says are better than mixup and BC+.
  """
  one = lambda method: {'method': method}
  than = lambda better, worse: claims.better(one(better), one(worse))
  baseline = recipes.BASELINE
  printed = {number.cell['method']: 100 - number.value for number in _numbers(table)}
  errors_of = lambda *methods: ', '.join(f'{recipes.title(m)} {printed[m]:.1f}' for m in methods)
  good = [method for method in recipes.MIXED if method not in _WORSE]
  others = [method for method in recipes.METHODS if method not in _BEST]
  return (
      paper.Claim('All methods but Rand. Pixels and Rand. Elems. are better than the baseline, so '
                  'linearity is not required.', errors_of(baseline, *good),
                  claims.all_of(*(than(method, baseline) for method in good))),
      paper.Claim('Rand. Pixels and Rand. Elems. are worse than the baseline.',
                  errors_of(*_WORSE, baseline),
                  claims.all_of(*(than(baseline, method) for method in _WORSE))),
      paper.Claim('Even the simplest, Horiz. Concat. and Vert. Concat., are better than the '
                  'baseline.', errors_of('horizontal_concat', 'vertical_concat', baseline),
                  claims.all_of(than('horizontal_concat', baseline),
                                than('vertical_concat', baseline))),
      paper.Claim('Rand. 2x2, which averages nothing, is as useful as mixup and BC+ (by 0.5 '
                  'points), or better.', errors_of('random_2x2', *_PRIOR),
                  claims.all_of(*(claims.not_worse(one('random_2x2'), one(prior), 0.5)
                                      for prior in _PRIOR))),
      paper.Claim('VH-Mixup and VH-BC+ are better than all other methods.',
                  errors_of(*_BEST, *others),
                  claims.all_of(*(than(best, other) for best in _BEST for other in others))),
      paper.Claim('Noisy Mixup is not as good as mixup.',
                  errors_of('noisy_mixup', 'mixup'), than('mixup', 'noisy_mixup')),
      paper.Claim('Methods by rows are better than those by columns: Vert. over Horiz. Concat., '
                  'Rand. Rows over Cols, Row. over Col. Int.',
                  errors_of(*(method for pair in _PAIRS for method in pair)),
                  claims.all_of(*(than(*pair) for pair in _PAIRS))),
      paper.Claim(f'{outperforming} of the 14 new methods are better, by their means, than both '
                  'mixup and BC+.', f'{outperforming} rows in italics', outperform(outperforming)))


def outperform(expected: int) -> claims.Check:
  """So many of the new methods have a better mean than both mixup and BC+, as far as it counts."""

  @judging.check
  def check(results: reduction.Results) -> paper.Verdict:
    metric = results.sweep.metric
    cells = {method: judging.best(results, {'method': method}, metric)
             for method in recipes.MIXED}
    bar = max((cells[prior] for prior in _PRIOR), key=lambda cell: cell.summaries[metric].mean)
    found = {method: judging.contrast(metric, (1, cell), (-1, bar))
             for method, cell in cells.items() if method not in _PRIOR}
    above = [recipes.title(method) for method, one in found.items() if one.value > 0]
    surely, perhaps = (sum(one.side >= least for one in found.values()) for least in (1, 0))
    outcome = (paper.FAILS if not surely <= expected <= perhaps else
               paper.HOLDS if surely == perhaps else paper.OPEN)
    return paper.Verdict(
        outcome, f'{len(above)} by their means: {", ".join(above) or "none"}; by what counts at '
        f'least {surely} and at most {perhaps}',
        min(found.values(), key=lambda one: abs(one.strength)))

  return check


def _numbers(table: str) -> tuple[paper.Number, ...]:
  return paper.read_numbers(pathlib.Path(__file__).with_name('paper.json'), table)


def _read(cell: str) -> dict[str, Any]:
  cell = cells_lib.parse_cell(cell, CELL)
  check_scale(cell['scale'])
  recipes.check(cell['method'])
  return cell
