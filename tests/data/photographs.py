"""A real photograph for tests, the one that comes with matplotlib, and parts of it."""

import functools

import matplotlib.cbook
import numpy as np
from PIL import Image


@functools.cache
def whole() -> np.ndarray:
  """Grace Hopper in uniform, uint8 [600, 512, 3]."""
  path = matplotlib.cbook.get_sample_data('grace_hopper.jpg', asfileobj=False)
  return np.asarray(Image.open(path))


def crop(height: int, width: int, top: int = 60, left: int = 40, zoom: int = 2) -> np.ndarray:
  """A window of the photograph, shrunk `zoom` times: uint8 [height, width, 3]."""
  image = Image.fromarray(whole()).crop((left, top, left + zoom * width, top + zoom * height))
  return np.asarray(image.resize((width, height), Image.Resampling.LANCZOS))
