"""Which kernels XLA may take: what it is told, when, and what is refused."""

import os

import jax
import pytest

from nfnets_am.config import identity
from nfnets_am.config import schema
from nfnets_am.core import errors
from nfnets_am.core import kernels
from nfnets_am.training import sections


@pytest.fixture(autouse=True)
def _process(monkeypatch):
  """A process that has said nothing yet."""
  monkeypatch.setattr(kernels, '_chosen', [])
  monkeypatch.setenv('XLA_FLAGS', '--xla_dump_to=/nowhere --xla_gpu_deterministic_ops=true')


@pytest.mark.parametrize('number, value', [(0, 'true'), (1, 'false'), (7, 'false'), (-1, '')])
def test_xla_is_told_once_and_last(number, value):
  kernels.choose(number)
  said = os.environ['XLA_FLAGS'].split()
  assert said[:2] == ['--xla_dump_to=/nowhere', '--xla_gpu_deterministic_ops=true']
  assert said[2:] == [f'{flag}={value}' for flag in kernels.FLAGS if value]
  kernels.choose(number)
  assert os.environ['XLA_FLAGS'].split() == said


@pytest.mark.parametrize('first, then', [(0, 1), (1, 0), (-1, 0), (3, -1)])
def test_a_gpu_that_has_started_keeps_its_kernels(monkeypatch, first, then):
  kernels.choose(first)
  monkeypatch.setattr(jax, 'default_backend', lambda: 'gpu')
  kernels.choose(first + 4 if first > 0 else first)
  with pytest.raises(errors.ConfigError, match=f'kernels={then} in a process whose GPU'):
    kernels.choose(then)
  # Elsewhere it makes no difference.
  monkeypatch.setattr(jax, 'default_backend', lambda: 'tpu')
  kernels.choose(then)


def test_kernels_that_differ_are_refused_where_there_are_none(monkeypatch):
  for backend in ('cpu', 'tpu'):
    monkeypatch.setattr(jax, 'default_backend', lambda backend=backend: backend)
    for number in (-1, 0):
      kernels.check(number)
    with pytest.raises(errors.ConfigError, match=f'kernels=3 on {backend}.*allowed: -1 or 0'):
      kernels.check(3)
  monkeypatch.setattr(jax, 'default_backend', lambda: 'gpu')
  kernels.check(3)


def test_repeats_are_runs_of_their_own_and_old_runs_keep_their_names():
  def name(**keys):
    config = schema.get_default()
    config.views = 64
    config.update(keys)
    config = sections.complete(config)
    flat = identity.to_json(config)
    if not keys:
      # As before there was such a key.
      assert identity.run_name({key: value for key, value in flat.items() if key != 'kernels'},
                               sections.defaults(config)) == sections.run_name(config)
    return sections.run_name(config)

  assert len({name(), name(kernels=0), name(kernels=1), name(kernels=2)}) == 4
  config = schema.get_default()
  config.update({'views': 64, 'kernels': -2})
  with pytest.raises(errors.ConfigError, match='kernels=-2; allowed: -1'):
    schema.validate(config)
