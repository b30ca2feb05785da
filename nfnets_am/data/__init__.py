"""From a stored data set to batches of views; the only part of the package that uses TensorFlow."""
