"""The recipes of section 4.3 of Hoffer et al. 2020: n views of a text are n dropout masks.

The columns are those of recipes.py, and all of them make as many updates: `fixed_samples` has M B
streams, or M B tokens, in an update and M times the passes.

What the paper leaves open is decided here. [R] is the public code of the language model
(salesforce/awd-lstm-lm), whose README prints the paper's baseline of 58.8; [V] Vaswani et al. 2017;
[C] a choice.

Penn Treebank:
  - Regime [R]: 500 epochs of SGD at 30, clipped to a norm of 0.25, L2 1.2e-6; averaged once the
    validation loss stalls for 5 epochs; segments of about 70 words, to whose length the rate goes.
  - Rates of dropout [R]: words 0.1, output 0.4, recurrent weights 0.5, beside those that are
    printed; activations weighed by 2, their differences by 1.
  - Evaluated after as many updates as the baseline has in an epoch, in all columns, so that the
    trigger of the average is asked as often [C]. The perplexity is the test set's where that of the
    validation set is least [R], read in 1 stream and in 10 [R].
  - The rate is the same in all columns, as everywhere in the paper.
WMT16 English to German:
  - "The original hyperparameters" [V]: Adam with b2 0.98 and eps 1e-9, 4,000 updates of rise, label
    smoothing 0.1, dropout 0.1, 37,000 pieces of words for both languages.
  - 4,096 tokens of each language, padding counted; sentences of up to 128 tokens [C].
  - BLEU by sacrebleu, of newstest2016 and a beam of 4 with length penalty 0.6 [V]; what the paper
    scored with is not said.
Seeds: the paper prints one number for each column; 3 runs here [C], as without them neither a
  perplexity nor a BLEU has an error.
"""

import ml_collections

from experiments.hoffer2020 import recipes
from nfnets_am.config import schema

_PIECES = {'full': '', 'smoke': 'bpe(size=400)'}


def lstm(column: str, seed: int, scale: str) -> ml_collections.ConfigDict:
  """Returns the config of a column on Penn Treebank, M = 10.

  Raises:
    ConfigError: an unknown column or scale.
  """
  config, longer = _config(column, 10, 20, 500, seed, scale)
  config.data = ml_collections.ConfigDict({'name': 'corpus', 'set': 'ptb'})
  config.model = ml_collections.ConfigDict({'name': 'awd_lstm'})
  config.objective = ml_collections.ConfigDict(
      {'name': 'language', 'activation': 2.0, 'temporal': 1.0})
  config.clip = ml_collections.ConfigDict({'name': 'global_norm', 'norm': 0.25})
  config.optimizer = ml_collections.ConfigDict({
      'name': 'nt_asgd', 'watch': 'validation/loss', 'segment': 70.0, 'weight_decay': 1.2e-6})
  config.schedule = ml_collections.ConfigDict({'name': 'constant', 'peak': 30.0})
  config.evals = ml_collections.ConfigDict({
      'validation': {'name': 'perplexity', 'split': 'validation', 'batch': 10},
      'test': {'name': 'perplexity', 'split': 'test', 'batch': 1}})
  config.update({'eval_every': f'{longer} epochs', 'log_every': '200 updates'})
  config.checkpoint.update({'every': f'{10 * longer} epochs', 'best': 'validation/ema_perplexity'})
  if scale == 'smoke':
    config.data.update({'set': 'verses', 'vocabulary': 'words(size=300)', 'segment': 10})
    config.model.update({'hidden': 8, 'embedding': 6})
    config.optimizer.segment = 10.0
    config.evals.test.batch = 40
    config.evals.validation.batch = 40
    for part in config.evals.values():
      part.most = 4
    _smoke(config, 2 * min(longer, 2))
  return config


def transformer(column: str, seed: int, scale: str) -> ml_collections.ConfigDict:
  """Returns the config of a column on WMT16 English to German, M = 4.

  Raises:
    ConfigError: an unknown column or scale.
  """
  config, longer = _config(column, 4, 4096, 0, seed, scale)
  config.budget = '100000 updates'
  config.data = ml_collections.ConfigDict(
      {'name': 'translation', 'set': 'wmt16_en_de', 'vocabulary': _PIECES[scale]})
  config.model = ml_collections.ConfigDict({'name': 'transformer'})
  config.objective = ml_collections.ConfigDict({'name': 'language', 'label_smoothing': 0.1})
  config.optimizer = ml_collections.ConfigDict({'name': 'adam', 'b2': 0.98, 'eps': 1e-9})
  # Width^-0.5 * warmup^-0.5.
  config.schedule = ml_collections.ConfigDict(
      {'name': 'inverse_sqrt', 'peak': (512 * 4000) ** -0.5, 'warmup': 4000.0})
  config.evals = ml_collections.ConfigDict({
      'validation': {'name': 'perplexity', 'split': 'validation', 'batch': 64},
      'test': {'name': 'bleu', 'split': 'test', 'batch': 64}})
  config.update({'eval_every': '10 percent', 'log_every': '500 updates'})
  config.checkpoint.every = '2 percent'
  if scale == 'smoke':
    config.data.update({'set': 'verses_en_es', 'longest': 16, 'buckets': 1, 'multiple': 4})
    config.model.update({'layers': 1, 'width': 8, 'heads': 2, 'inner': 8})
    config.schedule.warmup = 2.0
    config.evals.test.update({'beam': 2, 'extra': 2, 'batch': 4, 'most': 1})
    config.evals.validation.update({'batch': 8, 'most': 1})
    # Four sentences.
    _smoke(config, 64 * min(longer, 2))
  return config


def _config(column: str, many: int, unique: int, epochs: int, seed: int, scale: str
            ) -> tuple[ml_collections.ConfigDict, int]:
  """Returns what the columns differ in, and how many times the baseline's samples a pass has."""
  recipes.check(column, scale)
  longer = many if column == 'fixed_samples' else 1
  config = schema.get_default()
  config.update({
      'multiplicity': many if column == 'ba' else 1, 'unique': unique * longer, 'seed': seed})
  if epochs:
    config.budget = f'{epochs * longer} epochs'
  return config, longer


def _smoke(config: ml_collections.ConfigDict, unique: int) -> None:
  """Eight updates; two views instead of M."""
  config.update({
      'multiplicity': min(config.multiplicity, 2), 'unique': unique, 'budget': '8 updates',
      'eval_every': '50 percent', 'log_every': '2 updates'})
  config.checkpoint.every = '50 percent'
