"""Which kernels XLA takes on a GPU: those that give the same bits every time, or all.

A sum by atomic additions, or a choice by timing, may differ from run to run: cuDNN as a source of
nondeterminism (Summers 2021, table 5.1). XLA reads its flags once, when its backend starts, so that
a process has one answer. CPUs and TPUs have no such kernels.
"""

import os

import jax

from nfnets_am.core import errors

# Leaves it to XLA_FLAGS; 0 is deterministic kernels alone, from 1 up all kernels.
AS_SAID = -1
_DETERMINISTIC, _ALL = 0, 1
# The first also turns off the choice by timing, which the second alone leaves on.
FLAGS = ('--xla_gpu_deterministic_ops', '--xla_gpu_exclude_nondeterministic_ops')
# What the runs of this process have, once one has said it.
_chosen: list[int] = []


def choose(number: int) -> None:
  """Says to XLA what it may take; before anything else of JAX, for every run of a process.

  Args:
    number: of the config's key `kernels`.

  Raises:
    ConfigError: an earlier run of this process has said something else, and it has a GPU.
  """
  kind = min(number, _ALL)
  if not _chosen:
    _chosen.append(kind)
    if kind != AS_SAID:
      value = 'true' if kind == _DETERMINISTIC else 'false'
      # Of a flag that is there twice the last one counts.
      os.environ['XLA_FLAGS'] = ' '.join(
          [*os.environ.get('XLA_FLAGS', '').split(), *(f'{flag}={value}' for flag in FLAGS)])
  elif kind != _chosen[0] and jax.default_backend() == 'gpu':
    raise errors.ConfigError(
        f'kernels={number} in a process whose GPU has started with kernels={_chosen[0]}; allowed: '
        'the same, or a process of its own')


def check(number: int) -> None:
  """Refuses kernels that differ from run to run where there are none; starts the backend.

  Raises:
    ConfigError: the devices are no GPUs.
  """
  if number >= _ALL and jax.default_backend() != 'gpu':
    raise errors.ConfigError(
        f'kernels={number} on {jax.default_backend()}, whose kernels never differ; '
        'allowed: -1 or 0, or a GPU')
