"""TensorFlow keeps off the accelerators, brings no Keras, and leaves glibc's memory alone."""

import ctypes
import os
import subprocess
import sys
import threading

import pytest

from nfnets_am.data import tensorflow
from tests import commands

_IMPORT = """
import sys
from nfnets_am.data import tensorflow
tensorflow.import_tfds()
print(sorted({'keras', 'tensorflow', 'tensorflow_datasets'} & sys.modules.keys()))
"""

# An allocation from the kernel, and not from what glibc keeps, is one of its `hblks`, the fourth
# number. None so large has been freed before.
_ALLOCATE = """
import ctypes
from nfnets_am.data import tensorflow
libc = ctypes.CDLL(None)
libc.malloc.restype = ctypes.c_void_p
class Info(ctypes.Structure):
  _fields_ = [('numbers', ctypes.c_size_t * 10)]
libc.mallinfo2.restype = Info
tf = tensorflow.import_tensorflow()
list(tensorflow.from_generator(lambda upto: range(upto), tf.TensorSpec([], tf.int32), (3,)))
before = libc.mallinfo2().numbers[3]
libc.malloc(ctypes.c_size_t(500 << 20))
print(libc.mallinfo2().numbers[3] - before)
"""


def test_tensorflow_sees_no_accelerator():
  tf = tensorflow.import_tensorflow()
  assert [d.device_type for d in tf.config.get_visible_devices()] == ['CPU']


def test_tensorflow_is_imported_without_keras():
  done = subprocess.run([sys.executable, '-c', _IMPORT], cwd=commands.ROOT, text=True,
                        env=commands.environment(), capture_output=True)
  assert done.stdout == "['tensorflow', 'tensorflow_datasets']\n", done.stderr


def test_a_core_has_two_threads_so_that_one_may_wait(monkeypatch):
  tf = tensorflow.import_tensorflow()
  monkeypatch.setattr(os, 'sched_getaffinity', lambda _: {0}, raising=False)
  both = threading.Barrier(2)

  def wait(x):
    both.wait(timeout=30)
    return x

  dataset = tf.data.Dataset.range(4).map(
      lambda x: tf.numpy_function(wait, [x], tf.int64), num_parallel_calls=2)
  found = list(dataset.with_options(tensorflow.options()).as_numpy_iterator())
  assert found == [0, 1, 2, 3]


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), 'mallinfo2'), reason='glibc is older, or none')
def test_a_generator_leaves_freed_memory_with_the_process():
  done = subprocess.run([sys.executable, '-c', _ALLOCATE], cwd=commands.ROOT, text=True,
                        env=commands.environment(), capture_output=True)
  assert done.stdout == '0\n', done.stderr
