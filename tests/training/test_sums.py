"""Sums of metrics go on where a checkpoint left them."""

from nfnets_am.training import sums


def test_what_was_saved_stays_while_updates_go_on():
  whole = sums.Sums()
  whole.add({'loss': 1.0, 'learning_rate': 0.5})
  saved = whole.state()
  whole.add({'loss': 3.0, 'learning_rate': 0.25})
  assert saved == {'updates': 1, 'loss': 1.0, 'learning_rate': 0.5}
  resumed = sums.Sums(saved)
  resumed.add({'loss': 3.0, 'learning_rate': 0.25})
  assert resumed.means() == whole.means() == {'loss': 2.0, 'learning_rate': 0.25}
  assert saved['updates'] == 1
