"""Writes the weights of a run's newest checkpoint to a file of the released layout.

    python -m nfnets_am.export --workdir=runs/mine --out=mine.npz --weights=ema
"""

from absl import flags

from nfnets_am.core import cli
from nfnets_am.core import errors
from nfnets_am.core import terminal
from nfnets_am.evaluation import evaluator
from nfnets_am.models import pretrained
from nfnets_am.training import saved

_WORKDIR = flags.DEFINE_string('workdir', None, "The run's folder.")
_OUT = flags.DEFINE_string('out', None, 'The file.')
_WEIGHTS = flags.DEFINE_enum('weights', 'raw', ['raw', 'ema'], 'As trained, or their average.')
_DATA_DIR = flags.DEFINE_string('data_dir', None, 'Where the data set is now, if it moved.')


def main() -> None:
  run = saved.build(_WORKDIR.value, data_dir=_DATA_DIR.value)
  if _WEIGHTS.value == 'ema' and not run.experiment.averages_weights:
    raise errors.UserError(
        f'--weights=ema, but the run in {_WORKDIR.value} keeps no average; allowed: raw')
  update, train_state = saved.newest(_WORKDIR.value, run)
  weights = evaluator.weights_of(train_state)['ema_' if _WEIGHTS.value == 'ema' else '']
  pretrained.export(weights.params, weights.averages, _OUT.value)
  terminal.say(f'weights {_OUT.value}, {_WEIGHTS.value} of update {update}')


if __name__ == '__main__':
  flags.mark_flags_as_required(['workdir', 'out'])
  cli.run(main)
