"""The one place where the package imports TensorFlow and TFDS."""

import functools
import importlib
import os
from types import ModuleType

from nfnets_am import errors


@functools.cache
def import_tensorflow() -> ModuleType:
  """Returns `tensorflow`, which from then on sees no accelerator.

  TensorFlow grabs the memory of every GPU it sees, and some of its ops land there silently; the
  accelerators belong to JAX.

  Raises:
    errors.UserError: TensorFlow is not installed.
  """
  # Else importing it prints a page about its CPU build; nothing here uses oneDNN.
  os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '2')
  os.environ.setdefault('TF_ENABLE_ONEDNN_OPTS', '0')
  tf = _import('tensorflow')
  for kind in ('GPU', 'TPU'):
    tf.config.set_visible_devices([], kind)
  return tf


def import_tfds() -> ModuleType:
  """Returns `tensorflow_datasets`; errors as `import_tensorflow`."""
  import_tensorflow()
  return _import('tensorflow_datasets')


def _import(name: str) -> ModuleType:
  try:
    return importlib.import_module(name)
  except ImportError as e:
    raise errors.UserError(
        f'{name} cannot be imported ({e}), and without it only the bundled set '
        "'fashion_mnist_small' with data.apply='device' trains; "
        "pip install 'nfnets_am[data]' brings it") from e
