"""Section 4.3 of Hoffer et al. 2020 in miniature: dropout masks on bundled texts, two CPU cores.

    python -m launch.sweep --experiment=experiments/hoffer2020/text_small.py \\
        --workdir=runs/hoffer2020_text_small --jobs=2
    python -m experiments.hoffer2020.text_small_report --workdir=runs/hoffer2020_text_small \\
        --out=docs/results

The three columns of Table 2 for a small AWD-LSTM on `verses` at M = 4: `ba` makes as many updates
as `fixed_steps`, and sees as many samples as `fixed_samples`. And a small Transformer that learns
to translate `verses_en_es`, one run with one mask. 'smoke' does all of it in a few updates.

The paper prints no number for this. Choices:
- words: the 1,000 commonest; others are one word. Segments of about 35.
- network: two layers of 96 and 48 units, with the paper's rates of dropout.
- regime: 20 streams, 2,000 updates of SGD at 20, clipped to 0.25: 1.4 passes of the baseline. In so
  few nothing stalls, so that there is no average of the weights. The rate is the same in all
  columns; it was not tuned.
- translation: 2 + 2 layers of 64 features, 1,000 pieces of words, sentences of up to 32 pieces,
  2,048 tokens in an update, 1,500 updates; BLEU of the shorter test sentences, at every tenth of
  the run.
"""

from collections.abc import Collection

import ml_collections

from experiments.hoffer2020 import recipes
from experiments.hoffer2020 import text_small_claims
from nfnets_am.config import cells as cells_lib
from nfnets_am.config import schema
from nfnets_am.core import errors
from nfnets_am.sweeps import experiment_file

MASKS = 4
TASKS = ('verses', 'verses_en_es')
_CELL = {'task': 'verses', 'column': 'ba', 'seed': 0, 'scale': 'small'}
# Scale -> updates of the language model and of translation, seeds.
_SCALES = {'small': (2000, 1500, 3), 'smoke': (4, 4, 1)}


def get_config(cell: str = '') -> ml_collections.ConfigDict:
  """Returns the config of a cell such as 'column=fixed_samples,seed=1' or 'task=verses_en_es'."""
  cell = cells_lib.parse_cell(cell, _CELL)
  _check('scale', cell['scale'], _SCALES)
  _check('task', cell['task'], TASKS)
  recipes.check(cell['column'], 'full')
  words, sentences, _ = _SCALES[cell['scale']]
  config = schema.get_default()
  config.update({'seed': cell['seed'], 'eval_every': '10 percent', 'log_every': '2 percent',
                 'checkpoint': {'every': '25 percent', 'keep': 1}})
  if cell['task'] == 'verses':
    _language(config, cell['column'], words)
  else:
    _translation(config, sentences)
  if cell['scale'] == 'smoke':
    _smoke(config)
  return config


def _language(config: ml_collections.ConfigDict, column: str, updates: int) -> None:
  config.update({
      'multiplicity': MASKS if column == 'ba' else 1,
      'unique': 20 * (MASKS if column == 'fixed_samples' else 1), 'budget': f'{updates} updates'})
  config.data = ml_collections.ConfigDict(
      {'name': 'corpus', 'set': 'verses', 'vocabulary': 'words(size=1000)', 'segment': 35})
  config.model = ml_collections.ConfigDict(
      {'name': 'awd_lstm', 'hidden': 96, 'layers': 2, 'embedding': 48})
  config.objective = ml_collections.ConfigDict({'name': 'language'})
  config.clip = ml_collections.ConfigDict({'name': 'global_norm', 'norm': 0.25})
  config.optimizer = ml_collections.ConfigDict({'name': 'sgd', 'momentum': 0.0, 'segment': 35.0})
  config.schedule = ml_collections.ConfigDict({'name': 'constant', 'peak': 20.0})
  config.evals = ml_collections.ConfigDict({
      split: {'name': 'perplexity', 'split': split, 'batch': 50}
      for split in ('validation', 'test')})


def _translation(config: ml_collections.ConfigDict, updates: int) -> None:
  config.update({'multiplicity': 1, 'unique': 2048, 'budget': f'{updates} updates'})
  config.data = ml_collections.ConfigDict({
      'name': 'translation', 'set': 'verses_en_es', 'vocabulary': 'bpe(size=1000)', 'longest': 32,
      'buckets': 2})
  config.model = ml_collections.ConfigDict(
      {'name': 'transformer', 'layers': 2, 'width': 64, 'heads': 4, 'inner': 256})
  config.objective = ml_collections.ConfigDict({'name': 'language', 'label_smoothing': 0.1})
  config.optimizer = ml_collections.ConfigDict({'name': 'adam', 'b2': 0.98, 'eps': 1e-9})
  config.schedule = ml_collections.ConfigDict(
      {'name': 'inverse_sqrt', 'peak': 4e-3, 'warmup': 250.0})
  config.evals = ml_collections.ConfigDict({
      'validation': {'name': 'perplexity', 'split': 'validation', 'batch': 50},
      'test': {'name': 'bleu', 'split': 'test', 'batch': 64, 'most': 4, 'extra': 10}})


def _smoke(config: ml_collections.ConfigDict) -> None:
  config.update({'eval_every': '50 percent', 'log_every': '1 updates'})
  if config.data.name == 'corpus':
    config.unique = config.unique // 10
    config.model.update({'hidden': 8, 'embedding': 6})
  else:
    config.unique = 64
    config.data.update({'longest': 16, 'buckets': 1, 'multiple': 4})
    config.model.update({'layers': 1, 'width': 8, 'heads': 2, 'inner': 8})
    config.evals.test.update({'beam': 2, 'extra': 2, 'batch': 4})
  for part in config.evals.values():
    part.most = 1


def get_sweep(scale: str = 'small') -> experiment_file.Sweep:
  """Returns the runs of a scale: translation first, which takes longest, then seed by seed."""
  _check('scale', scale, _SCALES)
  extra = {} if scale == 'small' else {'scale': scale}
  cells = [{'task': 'verses_en_es', 'column': 'fixed_steps', 'seed': 0}]
  cells += [{'task': 'verses', 'column': column, 'seed': seed}
            for seed in range(_SCALES[scale][2]) for column in recipes.COLUMNS]
  return experiment_file.Sweep(
      title='Hoffer et al. 2020 in miniature, on text', cells=tuple(cell | extra for cell in cells),
      metric='test/perplexity', others=('validation/perplexity', 'test/bleu'),
      claims=text_small_claims.CLAIMS)


def _check(key: str, value: str, allowed: Collection[str]) -> None:
  if value not in allowed:
    raise errors.ConfigError(f'{key}={value!r}; allowed: {", ".join(allowed)}')
