"""Weights files that ask for more than they hold: refused in memory and time like their size."""

import io
import pickle
import time
import tracemalloc
import zipfile

import numpy as np
import pytest

from nfnets_am.core import errors
from nfnets_am.models import pretrained
from nfnets_am.models import unpickling

_MEGABYTE = 1 << 20


def _text(text):
  return b'X' + len(text).to_bytes(4, 'little') + text.encode()


def _file(value):
  """A file whose only weight is made by these instructions."""
  return b'\x80\x04}' + _text('m') + b'}' + _text('w') + value + b'ss.'


def _doubled(times):
  """A tuple of itself twice, in a tuple of that twice, and so on: 2^times in print or to hash."""
  return b')' + b''.join(b'\x94h%ch%c\x86' % (i, i) for i in range(times))


_DTYPE = b'cnumpy\ndtype\n' + _text('f4') + b'\x85R'
_ARRAY = b'cnumpy.core.multiarray\n_reconstruct\n)R'


def _array(shape, dtype, data=b'C\x00'):
  return _ARRAY + b'(K\x01' + shape + dtype + b'\x89' + data + b'tb'


_HOSTILE = {
    'bytes of a number': _file(b'c_codecs\nencode\nJ\x00\x00\x00\x40\x85R'),
    'more bytes of a number': _file(b'c__builtin__\nbytes\nJ\x00\x00\x00\x40\x85R'),
    'a codec that swells': _file(
        b'c_codecs\nencode\n' + _text('a' * 50) + _text('utf_32') + b'\x86R'),
    'an absurd place of the memo': _file(b'Nr\xff\xff\xff\x3f'),
    'an absurd place of protocol 0': _file(b'Np1073741823\n'),
    'a length of bytes': _file(b'B\xff\xff\xff\x7f'),
    'a length of 8 bytes': _file(b'\x8e' + (1 << 40).to_bytes(8, 'little')),
    'a length of a string': _file(b'X\xff\xff\xff\x7f'),
    'a length of a number': _file(b'\x8b\xff\xff\xff\x7f'),
    'a frame': b'\x80\x04\x95' + (1 << 40).to_bytes(8, 'little') + _file(b'N')[2:],
    'a key that takes long to hash': b'\x80\x04}' + _doubled(60) + b'Ns.',
    'a name that takes long to print': _file(
        b'cdill._dill\n_import_module\n' + _doubled(60) + b'\x85R'),
    'a function by such a name': _file(
        b'cdill._dill\n_get_attr\n' + _doubled(60) + _text('x') + b'\x86R'),
    'such a dtype': _file(_array(b'K\x02\x85', b'cnumpy\ndtype\n' + _doubled(60) + b'\x85R')),
    'such a byte order': _file(
        _array(b'K\x02\x85', _DTYPE + b'(K\x03' + _doubled(60) + b'NNNtb')),
    'such a shape': _file(_array(_doubled(60), _DTYPE)),
    'such a shape of its first place': _file(_array(_doubled(60) + b'\x85', _DTYPE)),
    'an absurd shape': _file(_array(b'J\xff\xff\xff\x7f' * 2 + b'\x86', _DTYPE)),
    'a dict of a dict': _file(b'ccollections\nOrderedDict\n}\x85R'),
    'twice itself': _file(b'K\x01' + b'2' * 60),
    'an absurd array of another buffer': _file(b'\x97'),
    'an instance': _file(b'(inumpy\nndarray\n'),
    'state of a class': _file(b'cnumpy\nndarray\n}b'),
    'itself': _file(b'}\x94h\x00' + _text('x') + b'h\x00s0'),
    'nothing on the stack': b'\x80\x04s.',
    'no mark': b'\x80\x04t.',
}


def _refuse(path, data):
  """Returns the sentence, the memory at most in bytes and the seconds it took."""
  path.write_bytes(data)
  tracemalloc.start()
  began = time.monotonic()
  try:
    with pytest.raises(errors.UserError) as e:
      pretrained.load(path)
    return str(e.value), tracemalloc.get_traced_memory()[1], time.monotonic() - began
  finally:
    tracemalloc.stop()


@pytest.mark.parametrize('what', _HOSTILE)
def test_a_small_pickle_takes_little(tmp_path, what):
  data = _HOSTILE[what]
  assert len(data) < 800
  sentence, memory, seconds = _refuse(tmp_path / 'weights', data)
  assert memory < _MEGABYTE and seconds < 5
  assert str(tmp_path / 'weights') in sentence and len(sentence) < 500 and '\n' not in sentence


def test_one_array_under_many_names_is_one_array(tmp_path):
  """And one dict under many names is refused: a name of ten bytes may not cost a megabyte."""
  path, array = tmp_path / 'weights', np.ones(1 << 16, np.float32)
  path.write_bytes(pickle.dumps({'m': {f'w{i}': array for i in range(1000)}}, 4))
  tracemalloc.start()
  params, _ = pretrained.load(path)
  memory = tracemalloc.get_traced_memory()[1]
  tracemalloc.stop()
  assert memory < 4 * array.nbytes and len(params['m']) == 1000
  np.testing.assert_array_equal(params['m']['w999'], array)
  shared = {f'w{i}': np.ones(2) for i in range(100)}
  sentence, memory, _ = _refuse(path, pickle.dumps({f'm{i}': shared for i in range(3000)}, 4))
  assert 'does not hold modules' in sentence and memory < 4 * _MEGABYTE


_STATE = b'(K\x01K\xfa\x85' + _DTYPE + b'\x89'


@pytest.mark.parametrize('again', [
    # Text of latin1 into bytes; a list of them grows.
    b'c_codecs\nencode\n\x94' + _text('a' * 100_000) + b'\x94)\x94]\x94('
    + b'h\x00h\x01\x85R' * 20_000 + b'e',
    # The state of an array, which holds its bytes, to one new array after the other.
    _ARRAY[:-2] + b'\x94)\x94' + _STATE + b'B' + (100_000).to_bytes(4, 'little')
    + bytes(100_000) + b't\x94]\x94(' + b'h\x00h\x01Rh\x02b' * 20_000 + b'e',
])
def test_what_is_made_again_and_again_is_counted(tmp_path, again):
  data = _file(again)
  sentence, memory, _ = _refuse(tmp_path / 'weights', data)
  assert f'arrays of more than its {len(data)} bytes' in sentence and memory < 8 * len(data)


def test_instructions_are_counted(tmp_path, monkeypatch):
  monkeypatch.setattr(unpickling, '_MOST_INSTRUCTIONS', 10_000)
  sentence, memory, _ = _refuse(tmp_path / 'weights', b'\x80\x04' + b'N' * 1_500_000)
  assert 'over 10000 instructions' in sentence and memory < 4 * _MEGABYTE


def _zip(**members):
  out = io.BytesIO()
  with zipfile.ZipFile(out, 'w', zipfile.ZIP_DEFLATED) as archive:
    for name, data in members.items():
      archive.writestr(name, data)
  return out.getvalue()


def _npy(shape='(2,)', descr="'<f4'", data=bytes(8), version=b'\x01\x00'):
  header = f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}\n".encode()
  return b'\x93NUMPY' + version + len(header).to_bytes(2, 'little') + header + data


@pytest.mark.parametrize('name', ['weights.npz', 'weights.pt', 'weights'])
@pytest.mark.parametrize('write', [np.savez, np.savez_compressed])
def test_an_npz_is_read_as_what_it_is(tmp_path, name, write):
  params = {'a/~/linear': {'w': np.arange(6.0).reshape(2, 3), 'b': np.float16([1, 2, 3])},
            'a': {'gain': np.asfortranarray(np.arange(6, dtype='>f4').reshape(2, 3))}}
  averages = {'a/norm': {'mean': np.float32([1, 2]), 'updates': np.int32(7)}}
  out = io.BytesIO()
  write(out, **{f'{module}/{key}': x for module, held in params.items() for key, x in held.items()},
        **{f'averages:{module}/{key}': x for module, held in averages.items()
           for key, x in held.items()})
  (tmp_path / name).write_bytes(out.getvalue())
  found = pretrained.load(tmp_path / name)
  for kind, wanted in zip(found, (params, averages), strict=True):
    assert {m: set(w) for m, w in kind.items()} == {m: set(w) for m, w in wanted.items()}
    for module, held in wanted.items():
      for key, x in held.items():
        np.testing.assert_array_equal(kind[module][key], x)
        assert kind[module][key].dtype == (np.int32 if key == 'updates' else np.float32)


@pytest.mark.parametrize('data, words', [
    (_zip(**{'archive/data.pkl': b'x', 'archive/data/0': b'y'}), 'PyTorch'),
    (_zip(**{'word/document.xml': b'x'}), "a zip that holds 'word/document.xml', and no npz"),
    (_zip(**{'w.npy': _npy()}), "the array 'w', which names no module"),
    (_zip(), 'does not hold modules'),
    (_npy(), 'a single array of numpy'),
    (b'\x89HDF\r\n\x1a\n' + bytes(50), 'an HDF5 file'),
    (b'\x1f\x8b' + bytes(50), 'packed by gzip'),
    ((30).to_bytes(8, 'little') + b'{"a":{"dtype":"F32"}}' + bytes(50), 'a safetensors file'),
    (_zip(**{'m/w.npy': _npy('(10**9,)')}), 'cannot be read'),
    (_zip(**{'m/w.npy': _npy('(1000000000,)')}), '8 bytes for an array of shape (1000000000,)'),
    (_zip(**{'m/w.npy': _npy('(-1, -2)')}), 'of shape (-1, -2)'),
    (_zip(**{'m/w.npy': _npy('(1,)', "'|O'")}), "m/w an array of dtype 'O'"),
    (_zip(**{'m/w.npy': _npy('(1,)', "'<i8'")}), "m/w an array of dtype 'i8'"),
    (_zip(**{'m/w.npy': b'text'}), 'cannot be read'),
    (_zip(**{'m/w.npy': _npy('(5000000,)', data=bytes(20_000_000))}),
     'bytes that unpacks to 200000'),
])
def test_another_file_says_what_it_is_and_a_zip_is_held_against_its_size(tmp_path, data, words):
  sentence, memory, _ = _refuse(tmp_path / 'weights.npz', data)
  assert words in sentence and memory < _MEGABYTE and '\n' not in sentence


def test_a_zip_whose_members_lie_on_each_other_is_refused(tmp_path):
  """Each name of the directory leads to the same bytes."""
  one = _zip(**{'m/w00.npy': _npy('(250000,)', data=np.random.default_rng(0).bytes(1_000_000))})
  start = one.index(b'PK\x01\x02')
  entry, end = one[start:one.index(b'PK\x05\x06')], bytearray(one[one.index(b'PK\x05\x06'):])
  entries = b''.join(entry.replace(b'w00', b'w%02d' % i) for i in range(90))
  end[8:12] = (90).to_bytes(2, 'little') * 2
  end[12:16] = len(entries).to_bytes(4, 'little')
  sentence, memory, _ = _refuse(tmp_path / 'weights.npz', one[:start] + entries + bytes(end))
  assert 'whose members have' in sentence and memory < _MEGABYTE


def test_a_damaged_npz_is_one_sentence(tmp_path):
  out, path = io.BytesIO(), tmp_path / 'weights.npz'
  np.savez(out, **{'m/w': np.ones((2, 2), np.float32)})
  draw = np.random.default_rng(0)
  for position in range(len(out.getvalue())):
    data = bytearray(out.getvalue())
    data[position] = draw.integers(256)
    path.write_bytes(data)
    try:
      found, _ = pretrained.load(path)
    except errors.UserError as e:
      assert '\n' not in str(e)
      continue
    assert all(x.dtype == np.float32 for held in found.values() for x in held.values())
