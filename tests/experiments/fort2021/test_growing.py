"""Figures 2, 3, 9 and 12: the sentences of section 2 and of appendices A and D on made-up runs."""

import pytest

from tests.experiments.fort2021 import sentences
from tests.experiments.fort2021 import worlds


def _peak_at(by_n, steep=3.0):
  """The best budget of each multiplicity, which are all as good at it."""
  return worlds.accuracy(lambda c: worlds.hill(
      c, 74, epochs=by_n[max(name for name in by_n if name <= worlds.n(c))], steep=steep))


def _loss(step, metric='train/loss', late=0.0):
  """A loss that falls with the budget and by `step` for each doubling of n, at short budgets."""
  def value(c):
    by_n = (step if c['epochs'] <= 128 else late) * worlds.log2(worlds.n(c))
    return 2 - 0.15 * worlds.log2(c['epochs']) + by_n + 0.1 * abs(worlds.rate(c))
  return worlds.only(metric, value)


def _small_rates(step, spread=0.0):
  """At small rates all are alike, but for `step` for each doubling of n or a spread of n = 16."""
  def value(c):
    if worlds.rate(c) > -3:
      return worlds.hill(c, 74)
    return 60 + worlds.rate(c) + step * worlds.log2(worlds.n(c)) + spread * (worlds.n(c) == 16)
  return worlds.accuracy(value)


def _large_rates(of_one, of_many):
  """At rates above the best one accuracies fall by so much for each step; None diverges."""
  def value(c):
    fall = of_many if worlds.n(c) == 16 else of_one
    beyond = max(0, worlds.rate(c))
    return None if beyond and fall is None else 74 - (fall or 0) * beyond - abs(
        min(0, worlds.rate(c))) - abs(worlds.log2(c['epochs'] / 128))
  return worlds.accuracy(value)


def _stable(one, many):
  """Steps of the rate up to which n = 1 and 16 learn; the grid ends before 9."""
  return worlds.accuracy(lambda c: worlds.hill(c, 74, steep=1.0) if worlds.rate(c) <= (
      many if worlds.n(c) == 16 else one) else None)


def _raw(raw):
  return worlds.accuracy(lambda c: worlds.hill(c, 74 if c['multiplicity'] else raw))


def _at_the_end(one, many):
  """Accuracies of n = 1 and 16 after 512 epochs; after fewer n = 16 is better."""
  def value(c):
    if c['epochs'] == 512:
      return (many if worlds.n(c) >= 8 else one) - abs(worlds.rate(c))
    return worlds.hill(c, 75 if worlds.n(c) >= 8 else 74)
  return worlds.accuracy(value)


FIGURE2 = {
    'Test accuracy rises': (
        worlds.accuracy(lambda c: worlds.hill(c, 70 + worlds.log2(worlds.n(c)))),
        worlds.accuracy(lambda c: worlds.hill(c, 74 - worlds.log2(worlds.n(c)))),
        # As printed: 0.2 points, of a test set that tells 1.2.
        worlds.accuracy(lambda c: worlds.hill(c, 74.1 + 0.05 * worlds.log2(worlds.n(c))))),
    'Large multiplicities need fewer epochs': (
        _peak_at({1: 256, 16: 64}), _peak_at({1: 64, 16: 256}),
        _peak_at({1: 256, 16: 64}, steep=0.2)),
    'Large multiplicities converge faster': (
        # At long budgets all losses are small, and which is the least says nothing of speed.
        _loss(-0.05, late=0.01), _loss(0.05), _loss(-0.0002)),
    'Different multiplicities have similar test accuracy': (
        _small_rates(0), _small_rates(1.5), _small_rates(0, spread=1.5)),
    'Large multiplicities are better at large learning rates': (
        _large_rates(None, 1), _large_rates(1, 5), _large_rates(1, 1)),
    'Large multiplicities are stable at larger': (
        _stable(1, 3), _stable(2, 2), _stable(9, 9)),
    'Large multiplicities have the lower test accuracy at a very large budget': (
        _at_the_end(73, 70), _at_the_end(70, 73), _at_the_end(73, 72.5)),
    'Without augmentation': (_raw(61.4), _raw(72), _raw(69)),
}
FIGURE3 = {
    'Large multiplicities achieve higher': (
        worlds.accuracy(lambda c: worlds.hill(c, 76 + worlds.log2(worlds.n(c)))),
        worlds.accuracy(lambda c: worlds.hill(c, 78 - worlds.log2(worlds.n(c)))),
        worlds.accuracy(lambda c: worlds.hill(c, 78 + 0.1 * worlds.log2(worlds.n(c))))),
    'Large multiplicities need fewer epochs': (
        # The best of n = 1 may lie beyond its last budget, which speaks for it all the more.
        _peak_at({1: 512, 8: 128}), _peak_at({1: 64, 8: 256}),
        _peak_at({1: 512, 8: 128}, steep=0.05)),
    'Large multiplicities converge faster': (
        _loss(-0.05, 'minibatch/loss'), _loss(0.05, 'minibatch/loss'),
        # Single runs of one minibatch: faster once, slower twice.
        worlds.only('minibatch/loss', lambda c: 2 - 0.01 * c['epochs'] + 0.1 * abs(
            worlds.rate(c)) + (worlds.n(c) == 8) * (-0.03 if c['epochs'] == 64 else 0.02))),
    'Large multiplicities have the lower test accuracy at a very large budget': (
        _at_the_end(77, 75), _at_the_end(75, 77), _at_the_end(77, 76.8)),
}


def _variance(fixed, growing):
  """Variances that are a power of n, of both readings of the figure."""
  return lambda c, metric: worlds.n(c) ** (fixed if c['scheme'] == 'fixed' else growing)


_RISES, _STAYS = (
    (_variance(1, 0), _variance(-1, 0), _variance(0.005, 0)),
    # 1.5 is 16 to the power of 0.146.
    (_variance(1, 0), _variance(1, 0.5), _variance(1, 0.146)))
FIGURE9 = {
    'With a fixed batch...multiplicity.': _RISES,
    'With a fixed batch...included.': _RISES,
    'With a growing batch...factor of 1.5).': _STAYS,
    'With a growing batch...included.': _STAYS,
}


def _masks(none, one, many, epochs=(128, 128), steep=3.0):
  """Tops without dropout, with a mask and with 16, and the best budgets without and with it."""
  def value(c):
    top = none if not c['masks'] else many if c['masks'] == 16 else one
    return worlds.hill(c, top, epochs=epochs[bool(c['masks'])], steep=steep)
  return worlds.accuracy(value)


def _quick(step):
  return worlds.only('train/loss', lambda c: 2 - 0.15 * worlds.log2(c['epochs']) + 0.1 * abs(
      worlds.rate(c)) + step * worlds.log2(max(1, c['masks'])))


FIGURE12 = {
    'Dropout raises': (_masks(70, 74, 74), _masks(74, 70, 70), _masks(74, 74.3, 74.3)),
    'It needs larger': (
        _masks(74, 74, 74, (64, 256)), _masks(74, 74, 74, (256, 64)),
        _masks(74, 74, 74, (64, 256), steep=0.2)),
    'The test accuracy does not depend strongly': (
        _masks(70, 75, 75.3), _masks(70, 72, 80), _masks(70, 72, 73.5)),
    'Many masks converge faster': (_quick(-0.05), _quick(0.05), _quick(-0.0002)),
}
_ALL = {'figure2': FIGURE2, 'figure3': FIGURE3, 'figure9': FIGURE9, 'figure12': FIGURE12}


@pytest.mark.parametrize('name, text', [(name, text) for name in _ALL for text in _ALL[name]])
def test_true_false_and_undecidable(name, text):
  assert sentences.verdicts(name, text, _ALL[name][text]) == sentences.OUTCOMES


@pytest.mark.parametrize('name', _ALL)
def test_every_claim_has_its_worlds(name):
  assert sentences.covered(name, _ALL[name])
