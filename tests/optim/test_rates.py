"""Rates of their own for some parameters, under every optimiser."""

import numpy as np
import pytest

from nfnets_am.core import errors
from nfnets_am.optim import optimizers
from tests.optim import weights
from tests.optim.weights import falling
from tests.optim.weights import run

_WITH_RATES = [name for name in optimizers.OPTIMIZERS
               if 'rates' in optimizers.OPTIMIZERS.keys_of(name)]


@pytest.mark.parametrize('name', _WITH_RATES)
def test_a_rate_of_its_own_is_a_learning_rate_of_its_own(name):
  """Decay included: what is slow moves as in a run whose schedule is a tenth."""
  decay = {'weight_decay': 0.1}
  make = lambda schedule, **kwargs: optimizers.OPTIMIZERS.make(name, schedule, **decay, **kwargs)
  fast, slow = run(make(falling)), run(make(lambda t: 0.1 * falling(t)))
  # Gradients are fixed, so that no parameter sees another.
  mixed = run(make(falling, rates='bias(times=0.1) | norm_scale(times=0.1)'))
  for m, n in weights.NAMES:
    expected = slow if n in ('b', 'bias', 'scale') else fast
    np.testing.assert_allclose(mixed[m][n], expected[m][n], rtol=2e-6, atol=1e-7)
    assert not np.allclose(fast[m][n], slow[m][n])


@pytest.mark.parametrize('name', _WITH_RATES)
def test_a_rate_of_zero_keeps_what_it_names(name):
  start = weights.draw(0)
  end = run(optimizers.OPTIMIZERS.make(name, falling, rates='kernels(times=0)'))
  for m, n in weights.NAMES:
    assert np.array_equal(start[m][n], end[m][n]) == (n == 'w')


@pytest.mark.parametrize('text, sentence', [
    ('bias', r"rates 'bias' cannot be read: 'bias' is not the call of a mask; write bias\(\)"),
    ('baise(times=0.1)', "unknown mask 'baise'.*did you mean 'bias'"),
    ('bias()', "rate of 'bias' needs the key 'times'"),
    ('bias(time=1)', "rate of 'bias' has no key 'time'"),
    ('bias(times=-1)', r'bias\(times=-1\); allowed: a number of at least 0'),
    ("bias(times='x')", r"bias\(times='x'\); allowed: a number"),
    ('bias(times=1e999)', r'bias\(times=inf\)'),
    ('bias(times=0.1) | bias(times=0.1)', "name 'bias' twice"),
])
def test_rates_that_cannot_be_read(text, sentence):
  with pytest.raises(errors.ConfigError, match=sentence):
    optimizers.OPTIMIZERS.make('sgd', falling, rates=text)


@pytest.mark.parametrize('text, sentence', [
    ('bias(times=0.1) | all(times=0.1)', "name 'b' of 'net/~/block/~/conv0' 2 times"),
    ('norm_scale(times=0.1) | norm_scale_not_shortcut(times=1.0)', "'scale' of 'net/~/batch_norm'"),
])
def test_rates_that_name_a_parameter_twice(text, sentence):
  opt = optimizers.OPTIMIZERS.make('sgd', falling, rates=text)
  with pytest.raises(errors.ConfigError, match=sentence):
    opt.init(weights.draw(0))
