"""Tests run on the CPU; what needs several devices or processes starts them itself."""

import collections
import gc
import os
import pathlib
import signal
import sys

import pytest

from tests import forks

# Before jax starts. NPROC: jax 0.10.2 deadlocks with several CPU devices on few cores without it.
os.environ['JAX_PLATFORMS'] = 'cpu'
os.environ.setdefault('NPROC', '16')
os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '2')
# Compiling is most of the suite's time: cheap programs, and each compiled once for all processes.
os.environ.setdefault('JAX_DISABLE_MOST_OPTIMIZATIONS', 'true')
# The older of XLA's two ways to compile a fusion for the CPU takes half the time. The second flag
# is part of the option above; TensorFlow's XLA reads it too.
os.environ['XLA_FLAGS'] = (
    f'{os.environ.get("XLA_FLAGS", "")} --xla_cpu_use_fusion_emitters=false '
    '--xla_llvm_disable_expensive_passes=true')
os.environ.setdefault('JAX_COMPILATION_CACHE_DIR', str(
    pathlib.Path(__file__).parent.parent / '.pytest_cache' / 'jax'))
os.environ.setdefault('JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS', '0')

# JAX's tracing makes many objects and drops few: to look for those after every 700 new ones is a
# third of its time.
gc.set_threshold(50_000, 10, 10)

# A suite that is started in the background ignores Ctrl-C, and so does all that it starts: the
# tests of what Ctrl-C does would wait for ever.
signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_configure(config):
  # Else xdist brings the files into an order of its own, by their number of tests.
  config.option.loadscopereorder = False


def pytest_collection_modifyitems(items):
  """Files with the most slow tests come first, or one worker would end with them alone."""
  slow = collections.Counter(item.path for item in items if item.get_closest_marker('slow'))
  items.sort(key=lambda item: -slow[item.path])


def pytest_runtest_setup():
  forks.note_environment()


def pytest_collection_finish():
  """What was imported stays: a look for garbage after each file would go through all of it."""
  gc.collect()
  gc.freeze()


@pytest.fixture(scope='module', autouse=True)
def _free_compiled_programs():
  """The programs of a file are of no use to the next, and would stay in memory to the end."""
  yield
  if 'jax' in sys.modules:
    sys.modules['jax'].clear_caches()
    gc.collect()


@pytest.fixture(scope='session')
def pictures(tmp_path_factory) -> pathlib.Path:
  """Where the smoke scale of the ImageNet experiments finds its set."""
  from nfnets_am.data.tools import stand_in

  folder = tmp_path_factory.mktemp('pictures')
  stand_in.write(str(folder), name='stand_in', train=64, test=16)
  return folder
