"""Figures 4, 5, 6 and 11: the sentences of section 3 and of appendix C on made-up runs."""

import pytest

from tests import made_up
from tests.experiments.fort2021 import sentences
from tests.experiments.fort2021 import worlds

_MODELS = {'wide_resnet': 'CIFAR-100', 'nf_resnet50': 'ImageNet'}


def _of(model, value):
  """A world of one model's accuracies; the other's are all alike."""
  return worlds.accuracy(lambda c: value(c) if c['model'] == model else 70)


def _gap(model, gap):
  """Every multiplicity above 1 is better by a gap, at every budget and at no more updates."""
  return _of(model, lambda c: worlds.hill(c, 72 + gap * (worlds.n(c) > 1), epochs=64))


def _only_two(model, gap):
  """All multiplicities above 1 are better, but n = 2 by another gap."""
  return _of(model, lambda c: worlds.hill(
      c, 72 + {1: 0, 2: gap}.get(worlds.n(c), 4), epochs=64))


def _peaks(model, one, many, steep=3.0):
  """The best budget of n = 1 and that of the largest n."""
  return _of(model, lambda c: worlds.hill(
      c, 74, epochs=many if worlds.n(c) >= 8 else one, steep=steep))


def _moderate(model, gap, epochs=64):
  """n = 4 is better by a gap at its best budget; 64 epochs are the updates of n = 1's best."""
  return _of(model, lambda c: worlds.hill(
      c, 72 + gap * (worlds.n(c) == 4), epochs=epochs if worlds.n(c) == 4 else 256))


def _over_trained(model, gap):
  """At 512 epochs n = 1 is better than the largest n by a gap; before it is the other way."""
  def value(c):
    sign = 1 if c['epochs'] >= 512 else -1
    return 72 - abs(worlds.rate(c)) - sign * gap * (worlds.n(c) >= 8)
  return _of(model, value)


def _equal_updates(gap):
  """Accuracies at 4x10^5 updates; all else is alike."""
  def value(c):
    last = worlds.n(c) * c['epochs'] == 8192
    return 72 - abs(worlds.rate(c)) + gap * (last and worlds.n(c) == 4) + last
  return _of('wide_resnet', value)


def _by_n(model, values):
  return _of(model, lambda c: worlds.tops(c, values))


def _shared(model, data, far):
  """What figures 4 and 5 both say of a model."""
  return {
      f'Large multiplicities need fewer epochs to reach their best ({data}': (
          _peaks(model, 256, 64), _peaks(model, 64, 256), _peaks(model, 256, 64, steep=0.05)),
      f'Large multiplicities have the lower...{data}, {far} batch).': (
          _over_trained(model, 3), _over_trained(model, -3), _over_trained(model, 0.3))}


FIGURE4, FIGURE5 = {}, {}
for _model, _data in _MODELS.items():
  FIGURE4 |= {
      **_shared(_model, _data, 'large'),
      f'With a fixed, large batch large multiplicities are better ({_data}': (
          _gap(_model, 4), _gap(_model, -4), _gap(_model, 0.3)),
      f'Moderately large multiplicities are better without more updates ({_data}': (
          _moderate(_model, 3),
          # It is better in the end, but only with eight times the updates.
          _moderate(_model, 3, epochs=512 if _model == 'nf_resnet50' else 2048),
          _moderate(_model, 0.3))}
  FIGURE5 |= {
      **_shared(_model, _data, 'small'),
      f'With a fixed, small batch every multiplicity above 1 is better ({_data}': (
          _gap(_model, 4), _only_two(_model, -4), _only_two(_model, 0.3)),
      f'Large multiplicities need more updates to reach their best ({_data}': (
          _peaks(_model, 64, 64), _peaks(_model, 256, 16 if _model == 'wide_resnet' else 32),
          _peaks(_model, 64, 64, steep=0.02))}
FIGURE4['At equal updates'] = tuple(map(_equal_updates, (2, -2, 0.3)))
FIGURE5 |= {
    'On CIFAR-100 the benefit saturates': (
        _by_n('wide_resnet', {1: 70, 2: 73, 4: 75, 8: 75.2, 16: 75.3}),
        _by_n('wide_resnet', {1: 70, 2: 71, 4: 72, 8: 75, 16: 78}),
        _by_n('wide_resnet', {1: 70, 2: 71, 4: 72, 16: 73.5})),
    'On ImageNet the peak rises': (
        _by_n('nf_resnet50', {1: 76, 2: 77, 4: 78, 8: 79}),
        # More up to 4, less beyond.
        _by_n('nf_resnet50', {1: 76, 2: 77, 4: 79, 8: 78}),
        _by_n('nf_resnet50', {1: 76, 2: 76.1, 4: 76.2, 8: 76.3}))}


def _loss(batch, step):
  """A loss that falls with the updates, and rises by `step` for each doubling of n."""
  return worlds.only('train/loss', lambda c: (
      2 - 0.1 * worlds.log2(made_up.derived(c)['updates'])
      + 0.1 * abs(worlds.rate(c)) + step * worlds.log2(worlds.n(c)) * (c['views'] == batch)))


def _at_rates(batch, gap, steps):
  """The largest n is better by a gap, at a best rate so many steps from that of n = 1."""
  def value(c):
    many = worlds.n(c) == 16 and c['views'] == batch
    return worlds.hill(c, 70 + gap * many, steps=steps * many)
  return worlds.accuracy(value)


def _stable(batch, one, many):
  """Beyond so many steps of the rate n = 1 and the largest n do not learn; None always do."""
  def value(c):
    last = many if worlds.n(c) == 16 else one
    diverges = c['views'] == batch and last is not None and worlds.rate(c) > last
    return None if diverges else worlds.hill(c, 74, steep=1.0)
  return worlds.accuracy(value)


def _both(large, small):
  """What n = 16 gains at the large batch and at the small one."""
  return worlds.accuracy(lambda c: worlds.hill(
      c, 70 + (worlds.n(c) == 16) * (large if c['views'] == 1024 else small)))


FIGURE6 = {
    'At large batches': (
        _at_rates(1024, 4, 0), _at_rates(1024, 4, -4), _at_rates(1024, 0.3, 0)),
    'At small batches': (_at_rates(64, 4, -4), _at_rates(64, 4, 3), _at_rates(64, 0.3, -4)),
    'The benefit is larger': (_both(5, 1), _both(1, 5), _both(3, 2.5)),
}
for _batch in (1024, 64):
  FIGURE6 |= {
      f'Small multiplicities have the lower...(B = {_batch}).': (
          _loss(_batch, 0.05), _loss(_batch, -0.05), _loss(_batch, 0.0002)),
      f'Large multiplicities do not enable...(B = {_batch}).': (
          _stable(_batch, 1, 1), _stable(_batch, 1, 3), _stable(_batch, None, None))}


def _schemes(n, neighbouring, within, other=70):
  """Tops of both schemes at one n; n = 1 has 70, all else `other`."""
  def value(c):
    if worlds.n(c) == 1:
      return worlds.hill(c, 70)
    return worlds.hill(
        c, (neighbouring if c['neighbouring'] else within) if worlds.n(c) == n else other)
  return worlds.accuracy(value)


def _neighbours_loss(step):
  return worlds.only('train/loss', lambda c: 2 - 0.1 * worlds.log2(c['epochs']) + 0.1 * abs(
      worlds.rate(c)) - 0.05 * worlds.log2(worlds.n(c)) + step * c['neighbouring'])


FIGURE11 = {
    'Neighbouring also helps': (
        _schemes(4, 73, 74), _schemes(4, 67, 74), _schemes(4, 70.3, 74)),
    'At the largest multiplicity': (
        _schemes(16, 66, 75, 73), _schemes(16, 75, 75, 73), _schemes(16, 66, 66.3, 73)),
    'It achieves slightly lower': tuple(map(_neighbours_loss, (-0.05, 0.05, 0.0002))),
}
_ALL = {'figure4': FIGURE4, 'figure5': FIGURE5, 'figure6': FIGURE6, 'figure11': FIGURE11}


@pytest.mark.parametrize('name, text', [(name, text) for name in _ALL for text in _ALL[name]])
def test_true_false_and_undecidable(name, text):
  assert sentences.verdicts(name, text, _ALL[name][text]) == sentences.OUTCOMES


@pytest.mark.parametrize('name', _ALL)
def test_every_claim_has_its_worlds(name):
  assert sentences.covered(name, _ALL[name])


def test_what_is_said_of_epochs_is_judged_at_the_budgets_of_all():
  # n = 1 goes on to 8,192 epochs, to 4x10^5 updates: what is best there is no budget of n = 16.
  world = worlds.accuracy(lambda c: worlds.hill(c, 74, epochs=128 if c['epochs'] <= 512 else 8192)
                          + 20 * (c['epochs'] > 512))
  results = made_up.results(sentences.sweep_of('figure4'), world)
  (claim,) = [claim for claim in results.sweep.claims
              if claim.text.startswith('Large multiplicities need fewer')
              and 'CIFAR' in claim.text]
  assert '8192' not in claim.check(results).ours and 'epochs 128' in claim.check(results).ours
