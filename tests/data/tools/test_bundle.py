"""The bundled images: which they are, and that the rebuild command sees any change."""

import gzip
import hashlib
import lzma
import pathlib

import numpy as np
import pytest

from nfnets_am.data.memory import idx
from nfnets_am.data.memory import sources
from nfnets_am.data.tools import bundle

DEBIAN = pathlib.Path('/usr/share/datasets/fashion-mnist')


def test_bundled_files_are_small_balanced_and_licensed():
  assert sum(path.stat().st_size for path in bundle.FOLDER.iterdir()) < 6e6
  assert 'Permission is hereby granted' in (bundle.FOLDER / 'LICENSE').read_text()
  data = sources.load('fashion_mnist_small')
  assert data.num_classes == 10
  for split, per_class in (('train', 1200), ('test', 200)):
    image, label = data.splits[split]
    assert image.shape == (10 * per_class, 28, 28, 1) and image.dtype == np.uint8
    assert label.dtype == np.int32
    np.testing.assert_array_equal(label, np.tile(np.arange(10), per_class))
    assert len({i.tobytes() for i in image}) == len(image)
  # The published statistics of all of Fashion-MNIST are .2860 and .3530.
  assert data.mean == pytest.approx((.2860,), abs=.002)
  assert data.std == pytest.approx((.3530,), abs=.002)


@pytest.mark.parametrize('split, digest', [
    ('train', '6c81cb83c6153d735a60964e190f96ed334999eb380cc18130946096ea6f365d'),
    ('test', '1b5ab27cdde4b3477a318841b0fed9314e09759e17a3927f7b4ce3a13fab4f09'),
])
def test_bundled_images_are_the_ones_that_results_were_made_with(split, digest):
  content = lzma.decompress((bundle.FOLDER / f'{split}-images-idx3-ubyte.xz').read_bytes())
  assert hashlib.sha256(content).hexdigest() == digest


def _write_originals(folder, seed=0):
  """A small set in the original format: 30 images of each class in a random order."""
  rng = np.random.default_rng(seed)
  for name in ('train', 't10k'):
    labels = rng.permutation(np.repeat(np.arange(10, dtype=np.uint8), 30))
    images = rng.integers(0, 256, (300, 4, 4), np.uint8)
    (folder / f'{name}-images-idx3-ubyte.gz').write_bytes(gzip.compress(idx.encode(images)))
    (folder / f'{name}-labels-idx1-ubyte.gz').write_bytes(gzip.compress(idx.encode(labels)))


@pytest.fixture
def small(tmp_path, monkeypatch):
  monkeypatch.setattr(bundle, 'FOLDER', tmp_path / 'bundled')
  monkeypatch.setattr(bundle, 'SPLITS', {'train': ('train', 5), 'test': ('t10k', 3)})
  _write_originals(tmp_path)
  return tmp_path


def test_rebuilding_is_repeatable_and_check_names_what_differs(small, capsys):
  bundle.main([f'--source={small}'])
  packed = {path.name: path.read_bytes() for path in bundle.FOLDER.iterdir()}
  bundle.main([f'--source={small}'])
  assert packed == {path.name: path.read_bytes() for path in bundle.FOLDER.iterdir()}
  bundle.main([f'--source={small}', '--check'])
  assert '4 files' in capsys.readouterr().out

  path = bundle.FOLDER / 'test-labels-idx1-ubyte.xz'
  labels = idx.read(path).copy()
  labels[7] ^= 1
  path.write_bytes(bundle.pack(idx.encode(labels)))
  (bundle.FOLDER / 'train-images-idx3-ubyte.xz').unlink()
  with pytest.raises(SystemExit) as caught:
    bundle.main([f'--source={small}', '--check'])
  named = [line.partition(':')[0] for line in str(caught.value).splitlines()[1:]]
  assert named == ['train-images-idx3-ubyte.xz', 'test-labels-idx1-ubyte.xz']


def test_a_missing_source_is_one_sentence(small):
  with pytest.raises(SystemExit, match='error: .*cannot be read as a packed IDX file'):
    bundle.main([f'--source={small / "nowhere"}'])


def test_chosen_images_keep_their_labels(small):
  files = bundle.build(small)
  original = idx.read(small / 'train-images-idx3-ubyte.gz')
  labels = idx.read(small / 'train-labels-idx1-ubyte.gz')
  label_of = {image.tobytes(): label for image, label in zip(original, labels, strict=True)}
  images = idx.decode(files['train-images-idx3-ubyte.xz'])
  chosen = idx.decode(files['train-labels-idx1-ubyte.xz'])
  assert len(images) == 50
  assert [label_of[image.tobytes()] for image in images] == chosen.tolist()


@pytest.mark.skipif(not DEBIAN.is_dir(), reason='Debian package dataset-fashion-mnist missing')
def test_bundled_files_are_what_the_debian_package_gives():
  bundle.main([f'--source={DEBIAN}', '--check'])
