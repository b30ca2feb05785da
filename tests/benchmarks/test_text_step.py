"""The benchmark of text times what it says: the words of the paper, and rows with their views."""

import pytest

from benchmarks import text_step
from nfnets_am.core import errors
from nfnets_am.training import run as run_lib


def test_the_rows_and_words_are_those_that_are_asked_for():
  run = run_lib.build(text_step.configure('awd_lstm', 20, 4, 10, hidden=8, embedding=6))
  assert run.experiment.model.num_classes == 10_000 and run.derived.views_per_device == 20
  batch = next(iter(run.dataset.train_batches(run.plan, 0, 0, 1)))
  # Five streams, each four times.
  assert batch['tokens'].shape[0] == 20 and len(set(batch['example'].tolist())) == 5


def test_what_cannot_be_timed_is_one_sentence():
  with pytest.raises(errors.UserError, match='--batch=20 with --multiplicity=3'):
    text_step.configure('awd_lstm', 20, 3, 10)
  with pytest.raises(errors.UserError, match="'qrnn' has no peer"):
    text_step.compare('qrnn', 20, 1)
