"""What the runs of one process hand on: all that their seeds and their start say nothing of."""

import pytest

from nfnets_am.core import programs
from nfnets_am.training import run as run_lib
from nfnets_am.training import warm as warm_lib
from tests import tiny


def _build(warm, **changes):
  config = tiny.get_config()
  config.update_from_flattened_dict(changes)
  return run_lib.build(config, warm=warm)


def test_other_seeds_take_the_programs_and_the_data_over():
  warm = warm_lib.Warm()
  first = _build(warm)
  second = _build(warm, **{'seed': 7, 'seeds.init': 3, 'start.bit_change': 2})
  assert second.experiment.programs is first.experiment.programs
  assert second.dataset is first.dataset
  # Only what they share: the seeds are their own.
  assert (first.experiment.seeds.noise, second.experiment.seeds.noise) == (0, 7)
  assert second.experiment.seeds.init == 3


@pytest.mark.parametrize('key, value', [
    ('multiplicity', 4), ('data.train_images', 120), ('model.dropout', 0.2), ('penalty', ''),
    ('budget', '16 updates'), ('evals.test.batch', 64)])
def test_what_may_be_in_a_program_is_not_shared(key, value):
  warm = warm_lib.Warm()
  first, second = _build(warm), _build(warm, **{key: value})
  assert second.experiment.programs is not first.experiment.programs
  assert second.dataset is not first.dataset


def test_a_program_is_made_once_for_what_it_depends_on():
  kept, made = programs.Programs(), []
  make = lambda: made.append(0) or len(made)
  found = [kept.get(name, make, of=of) for name, of in (
      ('step', 1), ('step', 1), ('numbers', 1), ('step', 2), ('step', 2), ('numbers', 1))]
  assert found == [1, 1, 2, 3, 3, 2]
