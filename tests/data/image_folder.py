"""Small folders of class folders with files of known pixels."""

from collections.abc import Mapping
import io
import pathlib

import numpy as np
from PIL import Image

from tests.data import photographs

# Of `some`: class -> files. The third has one of each kind of file.
FILES = {
    'ant': ('a0.jpg', 'a1.JPG', 'a2.jpeg', 'a3.jpg', 'a4.jpg'),
    'bée': ('été.jpg', 'ürn.jpg', '蜂 1.jpg', 'z.jpg', 'y.jpg'),
    'mixed': ('1.png', '2.webp', '3.jpg', '4.PNG', '5.jpeg', '6.webp'),
}
_KINDS = {'.jpg': 'JPEG', '.jpeg': 'JPEG', '.png': 'PNG', '.webp': 'WEBP'}


def picture(number: int) -> np.ndarray:
  """A window of a photograph, about 40 pixels wide: uint8 [H, W, 3]."""
  return photographs.crop(40 + number % 3, 42 - number % 5, 10 + 5 * number, 20, 2,
                          number % photographs.COUNT)


def encode(image: np.ndarray, suffix: str, **kwargs) -> bytes:
  out = io.BytesIO()
  Image.fromarray(image).save(out, _KINDS[suffix.lower()], **kwargs)
  return out.getvalue()


def write(folder: pathlib.Path, classes: Mapping[str, tuple[str, ...]] = FILES,
          first: int = 0) -> pathlib.Path:
  """Writes pictures first, first + 1, ... under these names; returns the folder."""
  for name, files in classes.items():
    (folder / name).mkdir(parents=True, exist_ok=True)
    for file in files:
      path = folder / name / file
      path.write_bytes(encode(picture(first), path.suffix))
      first += 1
  return folder


def many(folder: pathlib.Path, counts: Mapping[str, int]) -> pathlib.Path:
  """Writes so many empty files for each class, whose names end like images'."""
  for name, count in counts.items():
    (folder / name).mkdir(parents=True)
    for i in range(count):
      (folder / name / f'{i:03}.jpg').touch()
  return folder
