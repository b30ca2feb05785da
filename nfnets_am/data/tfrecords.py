"""The lengths of a TFRecord file's records, held against the file before they are read.

A record is its length (uint64), a checksum of that, its bytes, and a checksum of those
(https://www.tensorflow.org/tutorials/load_data/tfrecord). TensorFlow allocates a length before it
reads as much: one that is absurd ends the process. A header costs 7 us, and is looked at once.
"""

import functools
import os
import struct
import threading

_HEADER = struct.Struct('<QI')
# Behind the record, its own checksum.
_FOOTER = 4


def sound(path: str, stop: int) -> tuple[int, bool]:
  """Looks at the headers of the first records of a file, in so far as none did before.

  Args:
    path: of the file; one in a bucket is not looked at, since each header would be a request.
    stop: how many records.

  Returns:
    How many of them are whole by their headers, `stop` where that cannot be known; and whether the
    next one is not. Otherwise the file ends there, or all are.
  """
  if '://' in path:
    return stop, False
  with _lock(path):
    try:
      walk = _walk(path)
      return walk.go(stop), walk.fault is not None and walk.records < stop
    except OSError:
      return stop, False  # TensorFlow says why it cannot be read.


def fault(path: str) -> str | None:
  """Returns the sentence on the first header that `sound` found damaged, or None."""
  with _lock(path):
    walk = _WALKS.get(path)
    return walk.fault if walk else None


def check(path: str) -> str | None:
  """Looks at all headers of a file and returns the sentence on the first that is damaged, or None.
  """
  sound(path, 1 << 62)
  return fault(path)


class _Walk:
  """How far a file's headers are known; `stamp` tells its content from another one's."""

  def __init__(self, path: str, stamp: tuple[int, int]):
    self.path, self.stamp, self.size = path, stamp, stamp[0]
    self.records = self.offset = 0
    self.fault: str | None = None

  def go(self, stop: int) -> int:
    """Walks on to the record `stop`; returns how many before it are whole."""
    if self.records < stop and self.fault is None and self.offset < self.size:
      with open(self.path, 'rb', buffering=0) as f:
        while self.records < stop and self.fault is None and self.offset < self.size:
          self._step(os.pread(f.fileno(), _HEADER.size, self.offset))
    return min(stop, self.records)

  def _step(self, header: bytes) -> None:
    where = f'{self.path}: the record at byte {self.offset}'
    if len(header) < _HEADER.size:
      self.fault = f'{where} ends within its header, after {len(header)} of {_HEADER.size} bytes'
      return
    length, checksum = _HEADER.unpack(header)
    most = max(self.size - self.offset - _HEADER.size - _FOOTER, 0)
    if checksum != _masked_crc(header[:8]):
      self.fault = f'{where} has a length, {length} bytes, that does not fit its checksum'
    elif length > most:
      self.fault = (f'{where} has {length} bytes by its header; allowed: at most {most}, to the '
                    f'end of the file of {self.size}')
    else:
      self.records += 1
      self.offset += _HEADER.size + length + _FOOTER


_WALKS: dict[str, _Walk] = {}


def _walk(path: str) -> _Walk:
  found = os.stat(path)
  stamp = found.st_size, found.st_mtime_ns
  if path not in _WALKS or _WALKS[path].stamp != stamp:
    _WALKS[path] = _Walk(path, stamp)
  return _WALKS[path]


@functools.cache
def _lock(path: str) -> threading.Lock:
  return threading.Lock()


def _table() -> list[int]:
  table = []
  for value in range(256):
    for _ in range(8):
      value = (value >> 1) ^ (0x82f63b78 if value & 1 else 0)
    table.append(value)
  return table


_TABLE = _table()


def _masked_crc(data: bytes) -> int:
  """CRC-32C, turned by 15 bits and moved, so that a checksum of checksums is none of zero."""
  crc = 0xffffffff
  for byte in data:
    crc = _TABLE[(crc ^ byte) & 0xff] ^ (crc >> 8)
  crc ^= 0xffffffff
  return ((crc >> 15 | crc << 17) + 0xa282ead8) & 0xffffffff
