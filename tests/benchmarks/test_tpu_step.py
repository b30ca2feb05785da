"""The step compiles for a TPU that is not here, or the command says why not."""

import importlib.util

import pytest

from tests import commands

HAS_LIBTPU = importlib.util.find_spec('libtpu') is not None


@pytest.mark.skipif(HAS_LIBTPU, reason='libtpu is installed')
def test_without_libtpu_it_says_what_to_install():
  done = commands.run('benchmarks.tpu_step', '--models=wide_resnet_tiny')
  assert done.returncode == 1
  assert done.stderr.splitlines()[-1] == (
      "error: wide_resnet_tiny on v3:2x2x1: libtpu is not installed; pip install '.[plan]'")


@pytest.mark.slow
@pytest.mark.skipif(not HAS_LIBTPU, reason='needs libtpu, the extra "plan"')
def test_sam_doubles_the_work_of_a_step():
  flops = {}
  for rho in (0.0, 0.05):
    done = commands.run('benchmarks.tpu_step', '--models=wide_resnet_tiny', f'--sam={rho}')
    assert done.returncode == 0, done.stderr
    row = next(line for line in done.stdout.splitlines() if ' s ' in line and 'wide_' in line)
    flops[rho] = float(row.split('│')[3])
  assert 1.7 < flops[0.05] / flops[0.0] < 2.1


def test_a_topology_of_no_generation_is_refused_before_anything_is_compiled():
  done = commands.run('benchmarks.tpu_step', '--topologies=v3:2x2x1,v9:2x2x1')
  assert done.returncode == 1
  assert done.stderr.splitlines()[-1].startswith(
      "error: no such topology, 'v9:2x2x1'; allowed: v2, v3, v4, v5e, v5p, v6e, ")


@pytest.mark.skipif(not HAS_LIBTPU, reason='needs libtpu, the extra "plan"')
@pytest.mark.parametrize('flags, sentence', [
    (['--remat'], "has no key 'remat'"),
])
def test_refusals(flags, sentence):
  done = commands.run('benchmarks.tpu_step', '--models=wide_resnet_tiny', *flags)
  assert done.returncode == 1
  assert sentence in done.stderr.splitlines()[-1]
