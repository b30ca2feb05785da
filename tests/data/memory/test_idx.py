"""The IDX format: what is written is read, and damage is one sentence."""

import gzip
import lzma

import numpy as np
import pytest

from nfnets_am.core import errors
from nfnets_am.data.memory import idx


@pytest.mark.parametrize('shape', [(5,), (2, 3, 4), (0, 3)])
def test_decodes_what_it_encodes(shape):
  array = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
  np.testing.assert_array_equal(idx.decode(idx.encode(array)), array)


def test_bytes_are_those_of_the_published_format():
  assert idx.encode(np.array([[7, 8, 9]], np.uint8)) == bytes(
      [0, 0, 8, 2, 0, 0, 0, 1, 0, 0, 0, 3, 7, 8, 9])


@pytest.mark.parametrize('suffix, compress', [('.gz', gzip.compress), ('.xz', lzma.compress)])
def test_damaged_files_are_one_sentence(tmp_path, suffix, compress):
  path = tmp_path / f'images{suffix}'
  content = idx.encode(np.arange(200, dtype=np.uint8))
  path.write_bytes(compress(content))
  assert idx.read(path).tolist() == list(range(200))
  for damaged in (compress(content)[:-20], compress(content[:-1]), compress(b'\1' + content[1:]),
                  compress(b''), b'not packed'):
    path.write_bytes(damaged)
    with pytest.raises(errors.UserError, match='cannot be read as a packed IDX file') as caught:
      idx.read(path)
    assert '\n' not in str(caught.value)
  path.unlink()
  with pytest.raises(errors.UserError, match='No such file'):
    idx.read(path)
