"""TensorFlow keeps off the accelerators, and brings no Keras."""

import subprocess
import sys

from nfnets_am.data import tensorflow
from tests import commands

_IMPORT = """
import sys
from nfnets_am.data import tensorflow
tensorflow.import_tfds()
print(sorted({'keras', 'tensorflow', 'tensorflow_datasets'} & sys.modules.keys()))
"""


def test_tensorflow_sees_no_accelerator():
  tf = tensorflow.import_tensorflow()
  assert [d.device_type for d in tf.config.get_visible_devices()] == ['CPU']


def test_tensorflow_is_imported_without_keras():
  done = subprocess.run([sys.executable, '-c', _IMPORT], cwd=commands.ROOT, text=True,
                        env=commands.environment(), capture_output=True)
  assert done.stdout == "['tensorflow', 'tensorflow_datasets']\n", done.stderr
