"""Lengths of records are held against their file; a damaged one is named and never allocated."""

import struct
import subprocess
import sys

import numpy as np
import pytest

from nfnets_am.core import errors
from nfnets_am.data import tensorflow
from nfnets_am.data import tfrecords
from nfnets_am.data.memory import tfds_images
from nfnets_am.data.stream import order as stream_order
from nfnets_am.data.stream import records
from nfnets_am.data.stream import shards
from nfnets_am.data.stream import visits
from tests import commands
from tests.data import encoded

tf = tensorflow.import_tensorflow()
# As many that TensorFlow's allocation of it ends the process; its checksum is right.
_ABSURD = 100 * 10**12


def _write(path, sizes):
  with tf.io.TFRecordWriter(str(path)) as writer:
    for size in sizes:
      writer.write(bytes(size))
  return np.cumsum([0, *(16 + size for size in sizes)])


def _crc(data):
  """CRC-32C bit by bit, masked as the format asks."""
  crc = 0xffffffff
  for byte in data:
    crc ^= byte
    for _ in range(8):
      crc = (crc >> 1) ^ (0x82f63b78 * (crc & 1))
  crc ^= 0xffffffff
  return (((crc >> 15) | (crc << 17)) + 0xa282ead8) % 2**32


def _set_length(path, offset, length):
  data = bytearray(path.read_bytes())
  stated = struct.pack('<Q', length)
  data[offset:offset + 12] = stated + struct.pack('<I', _crc(stated))
  path.write_bytes(data)


def test_sound_files_are_sound(tmp_path):
  path = tmp_path / 'x.tfrecord'
  _write(path, [0, 5, 300, 70000])
  assert [tfrecords.sound(str(path), stop) for stop in (0, 2, 3, 9, 1)] == [
      (0, False), (2, False), (3, False), (4, False), (1, False)]
  assert tfrecords.check(str(path)) is None
  (tmp_path / 'empty').write_bytes(b'')
  assert tfrecords.sound(str(tmp_path / 'empty'), 3) == (0, False)
  for unknown in ('gs://bucket/x.tfrecord', str(tmp_path / 'missing')):
    assert tfrecords.sound(unknown, 7) == (7, False)


@pytest.mark.parametrize('length', [6, 287, _ABSURD, 2**63, 2**64 - 1])
def test_an_absurd_length_is_named_where_it_stands(tmp_path, length):
  path = tmp_path / 'x.tfrecord'
  offsets = _write(path, [5, 5, 250])
  _set_length(path, offsets[1], length)
  if length == 6:  # Within the file: what follows it is no header then.
    assert tfrecords.check(str(path)).startswith(f'{path}: the record at byte {offsets[1] + 22} ')
    return
  assert tfrecords.check(str(path)) == (
      f'{path}: the record at byte 21 has {length} bytes by its header; allowed: at most 271, to '
      f'the end of the file of {offsets[-1]}')
  # What comes before is not affected, nor does a reader who stops there notice.
  assert [tfrecords.sound(str(path), stop) for stop in (1, 2, 3)] == [
      (1, False), (1, True), (1, True)]
  # A file that was mended is looked at again.
  _write(path, [5])
  assert tfrecords.check(str(path)) is None


def test_a_checksum_or_a_cut_header_is_named(tmp_path):
  path = tmp_path / 'x.tfrecord'
  offsets = _write(path, [5, 5])
  data = path.read_bytes()
  path.write_bytes(data[:offsets[1]] + b'\x07' + data[offsets[1] + 1:])
  assert 'byte 21 has a length, 7 bytes, that does not fit its checksum' in tfrecords.check(
      str(path))
  path.write_bytes(data[:offsets[1] + 3])
  assert 'byte 21 ends within its header, after 3 of 12 bytes' in tfrecords.check(str(path))


def test_plain_tensorflow_dies_of_it(tmp_path):
  path = tmp_path / 'x.tfrecord'
  offsets = _write(path, [5, 5, 5])
  _set_length(path, offsets[1], _ABSURD)
  code = ('from nfnets_am.data import tensorflow; tf = tensorflow.import_tensorflow(); '
          f'list(tf.data.TFRecordDataset({str(path)!r}))')
  done = subprocess.run([sys.executable, '-c', code], cwd=commands.ROOT, check=False,
                        capture_output=True)
  assert done.returncode < 0
  # Ours reads what is before it, as a graph and outside of one, and raises there.
  for read in (lambda: shards.FORMATS['tfrecord'](str(path), 0, 3),
               lambda: tf.data.Dataset.from_tensors(str(path)).flat_map(
                   lambda path: shards.FORMATS['tfrecord'](path, 0, 3))):
    found = iter(read())
    assert len(next(found).numpy()) == 5
    with pytest.raises(tf.errors.OpError, match='byte 21'):
      next(found)
    assert len(list(read().take(1))) == 1
    assert len(list(read().ignore_errors())) == 1


@pytest.fixture
def damaged(tmp_path):
  """A set whose third shard, images 5 to 11, has an absurd length at its record 4."""
  lengths = (5, 0, 7, 3)
  folder = encoded.write(tmp_path, lengths)
  path = folder / 'photographs-train.tfrecord-00002-of-00004'
  offset = 0
  for _ in range(4):
    offset += 16 + struct.unpack('<Q', path.read_bytes()[offset:offset + 8])[0]
  _set_length(path, offset, _ABSURD)
  opened = records.open_split('photographs', 'train', str(tmp_path))
  return opened, f'{path}: the record at byte {offset} has {_ABSURD} bytes by its header'


def test_a_streamed_set_names_file_and_place(damaged):
  opened, sentence = damaged
  fault = records.find_fault(opened, np.arange(15))
  assert fault.startswith('record 4 of shard photographs-train.tfrecord-00002-of-00004 (image 9 ')
  assert sentence in fault
  plan = stream_order.StreamPlan(
      examples=15, unique=5, multiplicity=2, neighbouring=False, shuffle_seed=0,
      layout='image_major', lengths=opened.lengths, lanes=1, window=15)
  with pytest.raises(tf.errors.OpError):
    list(visits.visits(opened, plan, 0, 3))
  assert sentence in visits.fault(opened, plan, 0)
  # Whoever skips bad records loses what the length hides, and the reason is said.
  assert records.find_bad(opened, 0.2) == (9, 10, 11)
  with pytest.raises(errors.UserError, match='3 of 15 .*has 100000000000000 bytes'):
    records.find_bad(opened, 0.1)


def test_the_copy_in_a_cache_is_the_file_that_is_named(damaged, tmp_path):
  opened, _ = damaged
  cached = records.open_split('photographs', 'train', str(tmp_path), cache=str(tmp_path / 'cache'))
  fault = records.find_fault(cached, np.arange(15))
  assert str(tmp_path / 'cache') in fault and f'{_ABSURD} bytes by its header' in fault


def test_a_set_in_memory_is_refused(damaged, tmp_path):
  _, sentence = damaged
  builder = tfds_images.open_builder('photographs', str(tmp_path), False)
  with pytest.raises(errors.UserError) as e:
    tfds_images._read(tensorflow.import_tfds(), builder, 'train', 'image', 'label')
  assert sentence in str(e.value)
