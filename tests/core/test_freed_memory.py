"""Whether memory that a thread has freed is handed out again."""

import os
import subprocess
import sys

import pytest

# Pages that the system clears for 64 MiB, which a thread has had before.
_AGAIN = """
import ctypes, resource, sys, threading
from nfnets_am.core import freed_memory
getattr(freed_memory, sys.argv[1])()
libc = ctypes.CDLL(None)
libc.malloc.restype = ctypes.c_void_p

def use():
  buffer = ctypes.c_void_p(libc.malloc(64 << 20))
  libc.memset(buffer, 1, ctypes.c_size_t(64 << 20))
  libc.free(buffer)

def in_a_thread():
  for _ in range(2):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    use()
  print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)

work = {'main': in_a_thread, 'other': lambda: None}[sys.argv[2]]
work()
if sys.argv[2] == 'other':
  thread = threading.Thread(target=in_a_thread)
  thread.start()
  thread.join()
"""
_PAGES = (64 << 20) // os.sysconf('SC_PAGE_SIZE')


@pytest.mark.skipif(not hasattr(os, 'confstr') or not os.confstr('CS_GNU_LIBC_VERSION'),
                    reason='another C library')
@pytest.mark.parametrize('function, thread, platforms, kept', [
    ('keep', 'main', '', True), ('keep', 'other', '', False),
    ('keep_buffers_of_steps', 'other', 'cpu', True),
    ('keep_buffers_of_steps', 'other', 'tpu,cpu', False)])
def test_freed_memory_is_handed_out_again(function, thread, platforms, kept):
  done = subprocess.run(
      [sys.executable, '-c', _AGAIN, function, thread], capture_output=True, text=True, check=True,
      env={**os.environ, 'JAX_PLATFORMS': platforms, 'MALLOC_ARENA_MAX': '8'})
  # A system of huge pages clears fewer of them, and larger ones.
  assert (int(done.stdout) < _PAGES / 1000) == kept
