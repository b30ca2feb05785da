"""The cache of compiled programs: the same bits with and without, and never in a run's way."""

import os
import subprocess
import sys

import pytest

from nfnets_am.core import compilation_cache
from nfnets_am.core import errors
from tests import commands

# Compiles two programs and prints what one of them computes.
_COMPILE = """
import resource
import signal
import sys
from absl import flags
from nfnets_am.core import compilation_cache
import jax
flags.FLAGS(sys.argv[:1])
compilation_cache.enable(sys.argv[1])
if sys.argv[2:]:
  signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
  resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]),) * 2)
jax.jit(lambda x: x - 1)(2.0)
print(jax.jit(lambda x: x + 1)(2.0))
"""


@pytest.fixture
def own_folder(monkeypatch, tmp_path):
  """A folder for a test alone, not that of the suite."""
  for name in ('JAX_COMPILATION_CACHE_DIR', 'JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS'):
    monkeypatch.delenv(name, raising=False)
  return tmp_path / 'xla'


def _compile(folder, *limit: str) -> subprocess.CompletedProcess:
  done = subprocess.run([sys.executable, '-c', _COMPILE, str(folder), *limit], cwd=commands.ROOT,
                        env=commands.environment(), capture_output=True, text=True)
  assert (done.returncode, done.stdout) == (0, '3.0\n'), done.stderr
  assert 'Traceback' not in done.stderr
  return done


def _entries(folder) -> dict[str, tuple[int, bytes]]:
  return {path.name: (path.stat().st_mtime_ns, path.read_bytes()) for path in folder.iterdir()}


@pytest.mark.slow
def test_bits_are_equal_cold_warm_and_with_damaged_entries(own_folder, tmp_path):
  def train(name):
    done = commands.train(tmp_path / name, '--config.budget=6 updates',
                          f'--compilation_cache={own_folder}')
    return done.stderr, (tmp_path / name / 'metrics.jsonl').read_bytes(), commands.final_state(
        tmp_path / name)

  _, metrics, state = train('cold')
  cold = _entries(own_folder)
  # The first state, the step, the evaluation.
  assert len(cold) >= 3
  said, warm_metrics, warm_state = train('warm')
  # Nothing was compiled, or there would be a new entry.
  assert _entries(own_folder) == cold
  assert 'compiled again' not in said
  assert warm_metrics == metrics
  commands.assert_same(state, warm_state)

  # A killed process leaves entries that were cut off.
  for path in own_folder.iterdir():
    path.write_bytes(path.read_bytes()[:1000])
  said, damaged_metrics, damaged_state = train('damaged')
  assert said.count('cannot be read and are compiled again') == 1
  assert 'Traceback' not in said
  assert damaged_metrics == metrics
  commands.assert_same(state, damaged_state)
  # The next start finds them whole again.
  healed = _entries(own_folder)
  assert healed.keys() == cold.keys()
  assert all(len(entry) > 1000 for _, entry in healed.values())


def test_a_file_in_the_place_of_the_folder(own_folder):
  own_folder.write_text('a file')
  done = _compile(own_folder)
  assert done.stderr.count('compiled programs are not kept') == 1
  assert own_folder.read_text() == 'a file'


def test_a_file_in_the_place_of_the_environments_folder(own_folder, monkeypatch, tmp_path):
  own_folder.write_text('a file')
  monkeypatch.setenv('JAX_COMPILATION_CACHE_DIR', str(own_folder))
  done = _compile(tmp_path / 'unused')
  assert done.stderr.count('compiled again') == 1
  assert not (tmp_path / 'unused').exists()


def test_a_disk_that_fills_up(own_folder):
  done = _compile(own_folder, '100')
  assert done.stderr.count('cannot be written and are compiled again') == 1
  # What was cut off is gone, and a disk with space again takes the entries.
  assert not _entries(own_folder)
  assert not _compile(own_folder).stderr.count('compiled again')
  assert len(_entries(own_folder)) == 2


def test_the_environment_goes_before_the_flag(own_folder, monkeypatch, tmp_path):
  monkeypatch.setenv('JAX_COMPILATION_CACHE_DIR', str(tmp_path / 'mine'))
  _compile(own_folder)
  assert not own_folder.exists()
  assert len(_entries(tmp_path / 'mine')) == 2


def test_nothing_is_kept_if_asked(own_folder, monkeypatch, tmp_path):
  monkeypatch.setenv('HOME', str(tmp_path / 'home'))
  _compile('')
  assert not (tmp_path / 'home').exists()


def test_processes_share_a_folder(own_folder):
  processes = [subprocess.Popen([sys.executable, '-c', _COMPILE, str(own_folder)],
                                cwd=commands.ROOT, env=commands.environment(),
                                stdout=subprocess.PIPE, text=True) for _ in range(3)]
  assert [process.communicate()[0] for process in processes] == ['3.0\n'] * 3
  before = _entries(own_folder)
  assert len(before) == 2
  _compile(own_folder)
  assert _entries(own_folder) == before


def test_the_least_recently_used_go_first(tmp_path):
  for name, age, size in (('old', 30, 10), ('read', 40, 10), ('new', 10, 10), ('newest', 5, 10)):
    path = tmp_path / f'jit_{name}-cache'
    path.write_bytes(bytes(size))
    # Read just now, though written before all others.
    os.utime(path, (1000 if name == 'read' else 1000 - age, 1000 - age))
  (tmp_path / 'notes.txt').write_bytes(bytes(100))
  compilation_cache._bound(tmp_path, 40)
  assert len(list(tmp_path.iterdir())) == 5
  compilation_cache._bound(tmp_path, 25)
  assert {path.name for path in tmp_path.iterdir()} == {
      'jit_read-cache', 'jit_newest-cache', 'notes.txt'}


def test_a_bucket_is_refused(own_folder):
  with pytest.raises(errors.UserError, match="compilation_cache='gs://b/xla'; allowed: a folder"):
    compilation_cache.enable('gs://b/xla')
