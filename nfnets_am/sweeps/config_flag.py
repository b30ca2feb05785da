"""The flag --config of the commands: FILE:CELL, and --config.KEY=VALUE for any key."""

import pathlib

from absl import flags
import ml_collections

from nfnets_am.core import errors
from nfnets_am.sweeps import experiment_file

_PREFIX = '--config.'


class ConfigFlag:
  """An experiment's config with the command line's changes.

  Every key of every section can be changed, also those that the experiment does not say.
  """

  def __init__(self):
    self._path = flags.DEFINE_string(
        'config', None, 'Experiment file, with a cell behind a colon if it has several; '
        '--config.KEY=VALUE changes a key.')
    self._changes: dict[str, str] = {}

  def take(self, argv: list[str]) -> list[str]:
    """Takes the changes out of a command's arguments; see cli.run.

    Raises:
      UserError: one has no value, unless it is True that is meant: --config.gradient_norm.
    """
    self._changes.clear()
    left = []
    for argument in argv:
      if not argument.startswith(_PREFIX):
        left.append(argument)
        continue
      key, equals, value = argument[len(_PREFIX):].partition('=')
      self._changes[key] = value if equals else 'True'
    return left

  @property
  def experiment(self) -> str:
    """What the file is called, with the folder that it is in under `experiments`.

    'fort2021-figure2' of 'experiments/fort2021/figure2.py:seed=1'.
    """
    parts = pathlib.PurePath(self._path.value.partition(':')[0]).with_suffix('').parts
    below = parts[len(parts) - parts[::-1].index('experiments'):] if 'experiments' in parts else ()
    return '-'.join(below or parts[-1:])

  @property
  def value(self) -> ml_collections.ConfigDict:
    """The complete config.

    Raises:
      ConfigError: no such file, cell or key, or a value that does not fit.
      UserError: the flag is missing.
    """
    if self._path.value is None:
      raise errors.UserError('--config=FILE is missing; allowed: an experiment file')
    return experiment_file.get_config(self._path.value, self._changes)
