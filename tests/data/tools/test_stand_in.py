"""The stand-in is a set that TFDS takes for imagenet2012, of varied pictures."""

import importlib.util

import numpy as np
from PIL import Image
import pytest

from nfnets_am.data import tensorflow
from nfnets_am.data.stream import records
from nfnets_am.data.tools import stand_in
from tests.data import photographs

tf = tensorflow.import_tensorflow()


def test_tfds_reads_it_as_imagenet2012(tmp_path):
  stand_in.main([f'--data_dir={tmp_path}', '--train=20', '--test=3', '--shards=4'])
  tfds = tensorflow.import_tfds()
  builder = tfds.builder('imagenet2012', data_dir=tmp_path)
  rows = list(builder.as_dataset(split='train').as_numpy_iterator())
  assert len(rows) == 20 and builder.info.splits['validation'].num_examples == 3
  shapes = {row['image'].shape for row in rows}
  assert len(shapes) == 20 and all(250 <= side <= 600 for s in shapes for side in s[:2])
  assert len({row['label'] for row in rows}) > 3
  opened = records.open_split('imagenet2012', 'train', str(tmp_path))
  assert opened.lengths == (5, 5, 5, 5) and opened.num_classes == 1000
  assert records.find_fault(opened, np.arange(20)) is None
  with pytest.raises(SystemExit, match='is there already'):
    stand_in.main([f'--data_dir={tmp_path}'])


def test_windows_of_photographs_are_seeded(tmp_path):
  Image.fromarray(photographs.whole()).save(tmp_path / 'a.png')
  Image.fromarray(photographs.whole()[:, ::-1]).save(tmp_path / 'b.JPG', format='JPEG')
  first, again, other = (
      list(stand_in.pictures(str(tmp_path), 4, seed)) for seed in (0, 0, 1))
  assert [label for _, label in first] == [0, 1, 0, 1]
  for (a, _), (b, _), (c, _) in zip(first, again, other, strict=True):
    np.testing.assert_array_equal(a, b)
    assert a.shape != c.shape
  (tmp_path / 'c.png').write_bytes(b'nothing')
  with pytest.raises(SystemExit, match='error: .*c.png is no photograph: InvalidArgumentError'):
    stand_in.main([f'--data_dir={tmp_path / "out"}', f'--photographs={tmp_path}'])
  with pytest.raises(SystemExit, match='holds no photographs'):
    stand_in.main([f'--data_dir={tmp_path / "out"}', f'--photographs={tmp_path / "none"}'])


def test_photographs_of_installed_packages(tmp_path, monkeypatch):
  found = list(stand_in.pictures('packages', 8, 0))
  assert [label for _, label in found] == [*range(7), 0]
  for picture, _ in found:
    assert len(np.unique(picture)) > 200 and picture.std((0, 1)).min() > 20
  find = importlib.util.find_spec
  monkeypatch.setattr(importlib.util, 'find_spec', lambda n: None if n == 'skimage' else find(n))
  with pytest.raises(SystemExit, match='astronaut.png of the package scikit-image is not there'):
    stand_in.main([f'--data_dir={tmp_path}', '--photographs=packages'])
