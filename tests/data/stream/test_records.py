"""Stored records: TFDS reads what we write, odd formats decode, and a bad record is named."""

import io

import numpy as np
from PIL import Image
import pytest

from nfnets_am.core import errors
from nfnets_am.data import tensorflow
from nfnets_am.data.stream import records
from tests.data import encoded
from tests.data import photographs

tf = tensorflow.import_tensorflow()
LENGTHS = (5, 0, 7, 3)


@pytest.fixture
def folder(tmp_path):
  return encoded.write(tmp_path, LENGTHS)


def test_tfds_reads_the_set_back_as_imagenet2012(tmp_path):
  encoded.write(tmp_path, LENGTHS, name='imagenet2012')
  tfds = tensorflow.import_tfds()
  builder = tfds.builder('imagenet2012', data_dir=tmp_path)
  rows = list(builder.as_dataset(split='train', read_config=tfds.ReadConfig(
      interleave_cycle_length=1)).as_numpy_iterator())
  wanted = encoded.examples(15)
  assert [row['file_name'].decode() for row in rows] == [e.file_name for e in wanted]
  assert [row['label'] for row in rows] == [e.label for e in wanted]
  np.testing.assert_array_equal(rows[3]['image'], records.decode(wanted[3].image))


def test_opens_a_split_and_knows_where_images_are(folder, tmp_path):
  opened = records.open_split('photographs', 'train', str(tmp_path))
  assert opened.lengths == LENGTHS and opened.total == 15 and opened.num_classes == 10
  assert [opened.where(i) for i in (0, 4, 5, 11, 12, 14)] == [
      (0, 0), (0, 4), (2, 0), (2, 6), (3, 0), (3, 2)]
  assert 0.9 < opened.mean_bytes / np.mean([len(e.image) for e in encoded.examples(15)]) < 1.2
  assert records.find_fault(opened, np.arange(15)) is None


def test_decodes_what_imagenet_holds():
  photograph = Image.fromarray(photographs.crop(40, 30))
  for mode, kind, tolerance in (('CMYK', 'JPEG', 12), ('L', 'JPEG', 60), ('RGB', 'PNG', 0)):
    out = io.BytesIO()
    photograph.convert(mode).save(out, kind)
    found = records.decode(out.getvalue()).numpy().astype(int)
    assert found.shape == (40, 30, 3)
    assert np.abs(found - np.asarray(photograph)).mean() <= tolerance, mode
    if mode == 'L':
      assert (found[..., :1] == found).all()


def _spoil(row, **changes):
  rows = encoded.examples(15)
  rows[row] = rows[row]._replace(**changes)
  return rows


@pytest.mark.parametrize('changes, message', [
    ({'image': encoded.examples(15)[6].image[:200]}, 'is bad'),
    ({'image': b'not an image'}, 'is bad'),
    ({'label': 10}, 'its label is 10, allowed 0 to 9')])
def test_a_bad_record_is_named(tmp_path, changes, message):
  encoded.write(tmp_path, LENGTHS, _spoil(6, **changes))
  fault = records.find_fault(
      records.open_split('photographs', 'train', str(tmp_path)), np.arange(15))
  assert fault.startswith('record 1 of shard photographs-train.tfrecord-00002-of-00004 (image 6 ')
  assert message in fault


def test_a_bad_record_of_a_shard_that_is_cached_is_named(tmp_path):
  encoded.write(tmp_path / 'data', LENGTHS, _spoil(6, image=b'not an image'))
  opened = records.open_split(
      'photographs', 'train', str(tmp_path / 'data'), cache=str(tmp_path / 'cache'))
  assert 'record 1 of shard photographs-train.tfrecord-00002' in records.find_fault(
      opened, np.arange(15))
  assert len(list((tmp_path / 'cache').glob('*/*00002*'))) == 1
  assert records.find_bad(opened, 0.1) == (6,)


def test_a_cut_or_short_shard_is_named(folder, tmp_path):
  path = folder / 'photographs-train.tfrecord-00002-of-00004'
  whole = path.read_bytes()
  opened = records.open_split('photographs', 'train', str(tmp_path))
  path.write_bytes(whole[:-10])
  assert 'record 6 of shard photographs-train.tfrecord-00002' in records.find_fault(
      opened, np.arange(15))
  path.write_bytes(b'')
  assert 'is missing: the file ends before it' in records.find_fault(opened, np.arange(15))


def test_all_bad_records_are_found(tmp_path):
  rows = encoded.examples(15)
  rows[1] = rows[1]._replace(image=rows[1].image[:200])
  rows[7] = rows[7]._replace(label=-1)
  folder = encoded.write(tmp_path, LENGTHS, rows)
  path = folder / 'photographs-train.tfrecord-00002-of-00004'
  path.write_bytes(path.read_bytes()[:-10])
  opened = records.open_split('photographs', 'train', str(tmp_path))
  assert records.find_bad(opened, 0.2) == (1, 7, 11)
  with pytest.raises(errors.UserError, match='3 of 15 .*bad_fraction=0.1 .*: record 1 of shard'):
    records.find_bad(opened, 0.1)


def test_a_missing_shard_is_named(folder, tmp_path):
  (folder / 'photographs-train.tfrecord-00002-of-00004').unlink()
  with pytest.raises(errors.UserError, match='tfrecord-00002-of-00004.* is missing'):
    records.open_split('photographs', 'train', str(tmp_path))


@pytest.mark.parametrize('name, split, message', [
    ('photographs', 'tests', "no split 'tests'"), ('photograph', 'train', 'photograph')])
def test_refuses(folder, tmp_path, name, split, message):
  with pytest.raises(errors.UserError, match=message):
    records.open_split(name, split, str(tmp_path))
