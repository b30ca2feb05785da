"""Parses commands as they are printed, each by its own parser, and runs none.

    python -m tests.parsed MODULE JSON    JSON: a list of argument lists; for each a line, what is
                                          wrong with it or ''
"""

import argparse
import dataclasses
import json
import pathlib
import runpy
import sys
from typing import Any

from absl import app
from absl import flags

from launch import chips
from launch import places
from nfnets_am import analysis
from nfnets_am import models
from nfnets_am import objectives
from nfnets_am.core import calls
from nfnets_am.core import cli
from nfnets_am.core import errors
from nfnets_am.sweeps import config_flag
from nfnets_am.sweeps import experiment_file

_OBJECTIVE = calls.Language('objective', 'an objective', "adversarial(attack='pgd()')")
# What a flag names, beside what its type allows.
_NAMED = {
    'model': lambda text: models.MODELS[models.parse(text)[0]],
    'models': lambda names: [models.MODELS[name] for name in names],
    'predict': lambda names: [models.MODELS[name] for name in names],
    'tpu': chips.parse,
    'on': lambda text: places.PLACES[text],
    'objective': lambda text: objectives.OBJECTIVES[calls.one(text, _OBJECTIVE)[0]],
}


def _changes(values: dict[str, Any]) -> dict[str, Any]:
  said = values['set'] if isinstance(values.get('set'), list) else []
  return experiment_file.parse_overrides([one for one in said if one != 'KEY=VALUE'])


def _look(module: str, words: list[str], take: Any) -> None:
  """Refuses values that no parser of flags looks at."""
  values = flags.FLAGS.flag_values_dict()
  for name, look in _NAMED.items():
    if values.get(name) and module != 'nfnets_am.list_models':  # Which takes a part of a name.
      look(values[name])
  if isinstance(values.get('experiment'), str) and values['experiment']:
    if values.get('scale') or module == 'launch.sweep':
      sweep = experiment_file.get_sweep(values['experiment'], values.get('scale') or '')
      first = dataclasses.replace(sweep, cells=sweep.cells[:1])
      experiment_file.get_runs(values['experiment'], first, _changes(values))
    elif not pathlib.Path(values['experiment']).is_file():
      raise errors.UserError(f'there is no {values["experiment"]}')
  if module == 'nfnets_am.measure' and words and words[0][0] != '-':
    ((name, keys),) = calls.calls(words[0] if '(' in words[0] else f'{words[0]}()')
    analysis.MEASURES.make(name, **keys, runs=())
  config = getattr(take, '__self__', None) or getattr(take, '__globals__', {}).get('_CONFIG')
  if isinstance(config, config_flag.ConfigFlag) and values.get('config'):
    config.value  # noqa: B018  Raises.


def _parse_all(module: str, commands: list[list[str]], take: Any, named: Any) -> None:
  for words in commands:
    for name in flags.FLAGS:
      flags.FLAGS[name].unparse()
    try:
      left = flags.FLAGS(take(['command', *words]))[1:]
      if left and named is None:
        raise errors.UserError(f'unknown argument {left[0]!r}')
      _look(module, words, take)
      print()
    except (errors.UserError, flags.Error) as e:
      print(' '.join(str(e).split()))


def main() -> None:
  module, commands = sys.argv[1], json.loads(sys.argv[2])

  def run(main, take=lambda argv: argv, named=None):
    del main
    _parse_all(module, commands, take, named)
    sys.exit()

  def parse_args(parser, *_):
    parser.exit_on_error = False
    for words in commands:
      try:
        _, left = parser.parse_known_args(words)
        print(f'unknown argument {left[0]!r}' if left else '')
      except (argparse.ArgumentError, SystemExit) as e:
        print(' '.join(str(e).split()) or 'refused')
    sys.exit()

  cli.run = app.run = run
  argparse.ArgumentParser.parse_args = parse_args
  sys.argv = [module]
  runpy.run_module(module, run_name='__main__', alter_sys=True)


if __name__ == '__main__':
  main()
