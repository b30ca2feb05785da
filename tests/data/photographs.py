"""Real photographs for tests, and parts of them."""

import functools

import numpy as np
from PIL import Image

from nfnets_am.data.tools import photographs

COUNT = len(photographs.packaged())


@functools.cache
def whole(number: int = 0) -> np.ndarray:
  """One of the packaged photographs, uint8 [H, W, 3]; 0 is Grace Hopper in uniform, 600x512."""
  return np.asarray(Image.open(photographs.packaged()[number]))


def crop(height: int, width: int, top: int = 60, left: int = 40, zoom: int = 2, number: int = 0
         ) -> np.ndarray:
  """A window of a photograph, shrunk `zoom` times: uint8 [height, width, 3]."""
  image = Image.fromarray(whole(number))
  image = image.crop((left, top, left + zoom * width, top + zoom * height))
  return np.asarray(image.resize((width, height), Image.Resampling.LANCZOS))
