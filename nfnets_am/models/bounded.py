"""A file that is never asked for more than it has."""

import os
from typing import BinaryIO


class Bounded:
  """The part of a file's interface that pickletools and zipfile take.

  `read` of Python's own files allocates what it is asked for, whatever there is to read.
  """

  def __init__(self, f: BinaryIO):
    self.size = os.fstat(f.fileno()).st_size
    self._f = f
    self.readline, self.tell, self.seek, self.seekable = f.readline, f.tell, f.seek, f.seekable

  def read(self, count: int = -1) -> bytes:
    left = max(self.size - self._f.tell(), 0)
    return self._f.read(left if count < 0 else min(count, left))
