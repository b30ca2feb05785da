"""The one place where the package imports TensorFlow and TFDS."""

from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Sequence
import functools
import importlib
import os
from types import ModuleType
from typing import Any

from nfnets_am.core import errors
from nfnets_am.core import freed_memory

_THREADS_A_CORE = 2


@functools.cache
def import_tensorflow() -> ModuleType:
  """Returns `tensorflow`, which from then on sees no accelerator.

  TensorFlow grabs the memory of every GPU it sees, and some of its ops land there silently; the
  accelerators belong to JAX.

  Raises:
    errors.UserError: TensorFlow is not installed.
  """
  # A view passes through arrays of a megabyte. With glibc's defaults, which no library changes,
  # half of the CPU time of an input at n = 16 is the system's (docs/input.md).
  freed_memory.keep()
  # Else importing it prints a page about its CPU build; nothing here uses oneDNN.
  os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '2')
  os.environ.setdefault('TF_ENABLE_ONEDNN_OPTS', '0')
  # Else it imports all of Keras too, a third of its CPU time: told to look for the old one, which
  # is a package of its own, it goes on without.
  os.environ.setdefault('TF_USE_LEGACY_KERAS', '1')
  tf = _import('tensorflow')
  for kind in ('GPU', 'TPU'):
    tf.config.set_visible_devices([], kind)
  return tf


def as_written(fn: Callable[..., Any]) -> Callable[..., Any]:
  """Returns a function for a graph that takes it as it is written.

  Else TensorFlow first looks for Python's ifs and loops over tensors, in it and in all that it
  calls, which are none here: 3 s of CPU time of a start whose graph has mixing and RandAugment.
  """
  return import_tensorflow().autograph.experimental.do_not_convert(fn)


@functools.cache
def compiled(fn: Callable[..., Any]) -> Callable[..., Any]:
  """Returns a function of a module, compiled by XLA once for each set of shapes that it meets.

  Always the same for the same `fn`, so that graphs share what is compiled; and kept, so that it is
  not for functions that are made within others.
  """
  return import_tensorflow().function(fn, jit_compile=True, autograph=False)


def from_generator(generator: Callable[..., Iterable[Any]], signature: Any,
                   args: Sequence[Any] = ()) -> Any:
  """Returns the Dataset of what generator(*args) yields, a tree of tensors like `signature`.

  Where Python is 3.11, TensorFlow's own function for this has glibc give memory back again for the
  rest of the process: an update of 1,024 small images then waited 1 to 6 ms for cleared pages.
  """
  def kept(*args: Any) -> Iterator[Any]:
    # By now TensorFlow has made the op that does so.
    freed_memory.keep()
    yield from generator(*args)

  return import_tensorflow().data.Dataset.from_generator(
      kept, args=tuple(args), output_signature=signature)


def options() -> Any:
  """Returns the options of a Dataset whose functions call compiled ones: in order, on many threads.

  XLA shares out the parts of a compiled function to other threads, for which the one that called it
  waits. With TensorFlow's number of threads, one for each core, cores then wait, too: with two a
  core an input at n = 16 makes a fifth more views (docs/input.md).
  """
  chosen = import_tensorflow().data.Options()
  chosen.deterministic = True
  chosen.threading.private_threadpool_size = _THREADS_A_CORE * _cores()
  return chosen


def import_tfds() -> ModuleType:
  """Returns `tensorflow_datasets`; errors as `import_tensorflow`."""
  import_tensorflow()
  return _import('tensorflow_datasets')


def import_xla() -> ModuleType:
  """Returns TensorFlow's names for ops of XLA, which only compiled functions may use."""
  import_tensorflow()
  return _import('tensorflow.compiler.tf2xla.python.xla')


def _cores() -> int:
  """Those that this process may use, where the system tells."""
  if hasattr(os, 'sched_getaffinity'):
    return len(os.sched_getaffinity(0))
  return os.cpu_count() or 1


def _import(name: str) -> ModuleType:
  try:
    return importlib.import_module(name)
  except ImportError as e:
    raise errors.UserError(
        f'{name} cannot be imported ({e}), and without it only the bundled set '
        "'fashion_mnist_small' with data.apply='device' trains; "
        "pip install '.[data]' in the repository's folder brings it") from e
