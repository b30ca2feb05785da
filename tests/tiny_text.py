"""An experiment for the tests that reads running text; needs data.set=folder:PATH."""

import ml_collections

from nfnets_am.config import cells as cells_lib
from nfnets_am.config import schema


def get_config(cell: str = '') -> ml_collections.ConfigDict:
  cells_lib.parse_cell(cell, {})
  config = schema.get_default()
  config.update({'multiplicity': 2, 'unique': 4, 'budget': '90 updates', 'log_every': '3 updates',
                 'eval_every': '60 updates'})
  config.data = ml_collections.ConfigDict(
      {'name': 'corpus', 'set': '', 'vocabulary': 'words(size=20)', 'segment': 10,
       'deviation': 2.0})
  config.model = ml_collections.ConfigDict(
      {'name': 'awd_lstm', 'hidden': 4, 'layers': 1, 'embedding': 4})
  config.objective = ml_collections.ConfigDict({'name': 'language'})
  config.clip = ml_collections.ConfigDict({'name': 'global_norm', 'norm': 0.25})
  config.optimizer = ml_collections.ConfigDict(
      {'name': 'nt_asgd', 'watch': 'test/loss', 'nonmono': 1, 'segment': 10.0})
  config.schedule = ml_collections.ConfigDict({'name': 'constant', 'peak': 10.0})
  config.evals = ml_collections.ConfigDict({'test': {'name': 'perplexity', 'batch': 2}})
  config.checkpoint.every = '4 updates'
  return config
