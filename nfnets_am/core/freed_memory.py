"""What glibc does with freed memory: by its own rules much of it goes back to the system."""

import ctypes
import os

# Of malloc.h: bytes from which an allocation is the system's, free bytes from which memory goes
# back to it, bytes by which to ask it for more, and how many heaps threads have among them.
_M_MMAP_THRESHOLD, _M_TRIM_THRESHOLD, _M_TOP_PAD, _M_ARENA_MAX = -3, -1, -2, -8


def keep() -> None:
  """Lets glibc hand out freed memory again, not give it back to the system after each use.

  Without this the system clears pages again and again that were just given back. In return the
  process stays as large as it once was.
  """
  # -1 is any size, for buffers of a step.
  most = -1 if _steps_are_on_a_cpu() else 1 << 30
  _set({_M_MMAP_THRESHOLD: most, _M_TRIM_THRESHOLD: most, _M_TOP_PAD: 64 << 20})


def keep_buffers_of_steps() -> None:
  """As `keep`, also for XLA's buffers, in a process that JAX_PLATFORMS tells to use the CPU alone.

  XLA's CPU backend asks for the buffers of a step on threads of its own, and a heap of threads
  holds no large ones: a sixth of the CPU time of a step is the system's (docs/performance.md). With
  one heap for all threads they are kept. It must be said before JAX's backend starts. Elsewhere
  steps have no such buffers, and the threads of an input have heaps of their own.
  """
  if _steps_are_on_a_cpu():
    _set({_M_ARENA_MAX: 1})
    keep()


def _steps_are_on_a_cpu():
  return os.environ.get('JAX_PLATFORMS') == 'cpu'


def _set(values: dict[int, int]) -> None:
  try:
    mallopt = ctypes.CDLL(None).mallopt
  except (AttributeError, OSError):
    return  # Another C library.
  for parameter, value in values.items():
    mallopt(parameter, value)
