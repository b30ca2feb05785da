"""TensorFlow keeps off the accelerators."""

from nfnets_am.data import tensorflow


def test_tensorflow_sees_no_accelerator():
  tf = tensorflow.import_tensorflow()
  assert [d.device_type for d in tf.config.get_visible_devices()] == ['CPU']
