"""Commands of tests run in forks; that they still do is most of the suite's time."""

import os

import pytest

from tests import commands
from tests import forks


@pytest.fixture
def imported():
  """A library that is imported before the test sets a variable, as TensorFlow does."""
  os.environ['OF_A_LIBRARY'] = '1'
  forks.note_environment()
  yield
  del os.environ['OF_A_LIBRARY']


@pytest.mark.slow
@pytest.mark.usefixtures('imported')
def test_a_command_is_a_fork_whatever_was_imported_before():
  with commands.start('nfnets_am.list_models', '--model=none') as process:
    _, err = process.communicate(timeout=300)
  assert isinstance(process, forks.Process)
  assert process.returncode == 1 and "--model='none'" in err


@pytest.mark.slow
def test_what_imports_would_read_is_a_process_of_its_own():
  env = commands.environment()
  for changed in ({'JAX_ENABLE_X64': 'true'}, {'PATH': f'/none{os.pathsep}{os.environ["PATH"]}'}):
    assert forks.start('nfnets_am.list_models', (), env | changed, seconds=60) is None, changed
  del env['HOME']
  assert forks.start('nfnets_am.list_models', (), env, seconds=60) is None
