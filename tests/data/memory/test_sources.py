"""Data sets by name, from real TFDS folders; validation splits; what is refused."""

import gzip
import pathlib

import numpy as np
import pytest

from nfnets_am.core import errors
from nfnets_am.data import tensorflow
from nfnets_am.data.memory import idx
from nfnets_am.data.memory import sources


def store(folder, name, splits, *, shape=(32, 32, 3), classes=100, version='3.0.2', shards=1):
  """Writes a prepared TFDS data set: split -> [(image, label)]."""
  tfds = tensorflow.import_tfds()
  tfds.dataset_builders.store_as_tfds_dataset(
      name=name, version=version, data_dir=folder,
      download_config=tfds.download.DownloadConfig(num_shards=shards),
      features=tfds.features.FeaturesDict({
          'image': tfds.features.Image(shape=shape),
          'label': tfds.features.ClassLabel(num_classes=classes)}),
      split_datasets={split: [(i, {'image': image, 'label': int(label)})
                              for i, (image, label) in enumerate(rows)]
                      for split, rows in splits.items()})


def some_rows(count, seed, shape=(32, 32, 3), classes=100):
  rng = np.random.default_rng(seed)
  return list(zip(rng.integers(0, 256, (count, *shape), np.uint8), rng.integers(0, classes, count),
                  strict=True))


def same_rows(split, rows):
  """Whether a split holds these images with their labels; TFDS stores in an order of its own."""
  have = sorted((image.tobytes(), int(label)) for image, label in zip(*split, strict=True))
  return have == sorted((image.tobytes(), int(label)) for image, label in rows)


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
  path = tmp_path_factory.mktemp('tfds')
  store(path, 'cifar100', {'train': some_rows(30, 0), 'test': some_rows(7, 1)})
  store(path, 'svhn_cropped', {
      'train': some_rows(6, 2, classes=10), 'extra': some_rows(9, 3, classes=10),
      'test': some_rows(5, 4, classes=10)}, classes=10, version='3.1.0')
  store(path, 'my_grey_set', {
      'train': some_rows(12, 5, (9, 7, 1), 3), 'test': some_rows(4, 6, (9, 7, 1), 3)},
      shape=(9, 7, 1), classes=3, version='1.0.0')
  return str(path)


def test_cifar100_is_read_as_stored_with_published_constants(folder):
  data = sources.load('cifar100', data_dir=folder)
  assert data.num_classes == 100 and list(data.splits) == ['train', 'test']
  assert same_rows(data.splits['train'], some_rows(30, 0))
  assert same_rows(data.splits['test'], some_rows(7, 1))
  image, label = data.splits['train']
  assert image.shape == (30, 32, 32, 3) and image.dtype == np.uint8 and label.dtype == np.int32
  assert data.mean == (0.49139968, 0.48215841, 0.44653091)
  assert data.std == (0.24703223, 0.24348513, 0.26158784)
  again = sources.load('cifar100', data_dir=folder)
  np.testing.assert_array_equal(again.splits['train'].image, image)


def test_several_files_are_read_one_after_the_other(tmp_path):
  store(tmp_path, 'many_files', {'train': some_rows(160, 0), 'test': some_rows(4, 1)},
        version='1.0.0', shards=4)
  tfds = tensorflow.import_tfds()
  files = [tfds.load('many_files', data_dir=tmp_path, split=f'train[{i}shard:{i + 1}shard]')
           for i in range(4)]
  stored = [row['image'].numpy() for file in files for row in file]
  data = sources.load('tfds:many_files', data_dir=str(tmp_path))
  np.testing.assert_array_equal(data.splits['train'].image, stored)


def test_svhn_adds_the_extra_images_and_svhn_cropped_does_not(folder):
  train, extra = some_rows(6, 2, classes=10), some_rows(9, 3, classes=10)
  svhn, cropped = (sources.load(n, data_dir=folder) for n in ('svhn', 'svhn_cropped'))
  assert same_rows(svhn.splits['train'], train + extra)
  assert same_rows(cropped.splits['train'], train)
  assert same_rows(svhn.splits['test'], some_rows(5, 4, classes=10))


def test_any_other_set_is_normalised_by_its_own_training_images(folder):
  data = sources.load('tfds:my_grey_set', data_dir=folder)
  image = np.stack([image for image, _ in some_rows(12, 5, (9, 7, 1), 3)]) / 255
  assert data.num_classes == 3 and data.splits['train'].image.shape == (12, 9, 7, 1)
  assert data.mean == pytest.approx((image.mean(),), abs=1e-12)
  assert data.std == pytest.approx((image.std(),), abs=1e-12)


def test_mean_and_std_are_per_channel():
  images = np.random.default_rng(0).integers(0, 256, (5, 4, 3, 2), np.uint8)
  images[..., 1] //= 2
  mean, std = sources.mean_and_std(images)
  assert mean == pytest.approx((images / 255).mean((0, 1, 2)), abs=1e-12)
  assert std == pytest.approx((images / 255).std((0, 1, 2)), abs=1e-12)


def test_validation_is_carved_from_the_training_images_with_a_seed(folder):
  whole = sources.load('cifar100', data_dir=folder)
  load = lambda seed: sources.load(
      'cifar100', data_dir=folder, validation=8, seed=seed).splits
  splits, again, other = load(0), load(0), load(1)
  keys = lambda split: [image.tobytes() for image in split.image]
  train, validation = keys(splits['train']), keys(splits['validation'])
  assert (len(train), len(validation)) == (22, 8)
  assert not set(train) & set(validation)
  assert set(train) | set(validation) == set(keys(whole.splits['train']))
  assert keys(splits['test']) == keys(whole.splits['test'])
  assert validation == keys(again['validation']) != keys(other['validation'])
  assert same_rows(splits['train'], [
      row for row in zip(*whole.splits['train'], strict=True) if row[0].tobytes() in set(train)])


def test_only_as_many_images_as_there_are_can_be_carved(folder):
  with pytest.raises(errors.ConfigError, match='30 validation images; allowed: 0 to 29'):
    sources.load('cifar100', data_dir=folder, validation=30)


@pytest.mark.parametrize('name, kind, sentence', [
    ('cifra10', errors.ConfigError, "unknown data set 'cifra10' .did you mean 'cifar10.*tfds:NAME"),
    ('cifar10', errors.UserError, "'cifar10' is not prepared in .*; set data.download=True"),
    ('tfds:no_such_set', errors.UserError, "TFDS cannot open the data set 'no_such_set'"),
    ('tfds:oxford_flowers102', errors.UserError, r'shape \(None, None, 3\).*one fixed shape'),
    ('tfds:imdb_reviews', errors.UserError, r'not one of images .*text \(Text\), label \(Class'),
])
def test_what_cannot_be_loaded_is_one_sentence(folder, name, kind, sentence):
  with pytest.raises(kind, match=sentence) as caught:
    sources.load(name, data_dir=folder)
  assert '\n' not in str(caught.value)


def test_a_missing_folder_is_one_sentence(tmp_path):
  with pytest.raises(errors.UserError, match="data_dir '.*nowhere' is not a folder"):
    sources.load('cifar100', data_dir=str(tmp_path / 'nowhere'))


def test_a_set_without_a_test_split_is_refused(tmp_path):
  store(tmp_path, 'untested', {'train': some_rows(3, 0)}, version='1.0.0')
  with pytest.raises(errors.UserError, match="no split 'test'; it has train"):
    sources.load('tfds:untested', data_dir=str(tmp_path))


@pytest.mark.parametrize('damage', ['truncated', 'gone', 'bad info'])
def test_damaged_files_are_one_sentence(tmp_path, damage):
  store(tmp_path, 'cifar100', {'train': some_rows(3, 0), 'test': some_rows(3, 1)})
  (path,) = pathlib.Path(tmp_path).rglob('*train.tfrecord*')
  if damage == 'truncated':
    path.write_bytes(path.read_bytes()[:-100])
  elif damage == 'gone':
    path.unlink()
  else:
    (path.parent / 'dataset_info.json').write_text('{')
  with pytest.raises(errors.UserError, match='cannot be read|cannot open') as caught:
    sources.load('cifar100', data_dir=str(tmp_path))
  assert '\n' not in str(caught.value)


def test_labels_outside_the_classes_are_refused(monkeypatch):
  split = (np.zeros((2, 4, 4, 1), np.uint8), np.array([0, -1]))
  source = lambda *, data_dir, download: ({'train': split, 'test': split}, 3)
  monkeypatch.setitem(sources.SOURCES._entries, 'unlabelled', source)
  with pytest.raises(errors.UserError, match="split 'train' .* labels from -1 to 0; allowed: 0 to"):
    sources.load('unlabelled')


def test_a_part_of_the_training_images_is_seeded_and_leaves_validation_alone(folder):
  load = lambda seed=0, train_images=5: sources.load(
      'cifar100', data_dir=folder, validation=8, train_images=train_images, seed=seed).splits
  keys = lambda split: [image.tobytes() for image in split.image]
  part, whole = load(), load(train_images=0)
  assert len(part['train'].label) == 5 and len(whole['train'].label) == 22
  assert set(keys(part['train'])) < set(keys(whole['train']))
  assert keys(part['validation']) == keys(whole['validation'])
  assert keys(part['train']) == keys(load()['train']) != keys(load(1)['train'])


def _idx_files(folder, counts, shape=(28, 28), labels=None):
  rng = np.random.default_rng(0)
  rows = {}
  for name, count in counts.items():
    image = rng.integers(0, 256, (count, *shape), np.uint8)
    label = rng.integers(0, 10, count if labels is None else labels, np.uint8)
    for kind, array in (('images-idx3', image), ('labels-idx1', label)):
      with gzip.open(folder / f'{name}-{kind}-ubyte.gz', 'wb') as f:
        f.write(idx.encode(array))
    rows[name] = image, label
  return rows


def test_the_four_files_of_fashion_mnist_are_read_in_their_order(tmp_path):
  rows = _idx_files(tmp_path, {'train': 40, 't10k': 7})
  data = sources.load('fashion_mnist_idx', data_dir=str(tmp_path), validation=10)
  whole = sources.load('fashion_mnist_idx', data_dir=str(tmp_path))
  for split, name in (('train', 'train'), ('test', 't10k')):
    image, label = rows[name]
    np.testing.assert_array_equal(whole.splits[split].image, image[..., None])
    np.testing.assert_array_equal(whole.splits[split].label, label)
  assert whole.splits['train'].label.dtype == np.int32 and whole.num_classes == 10
  assert {name: len(split.label) for name, split in data.splits.items()} == {
      'train': 30, 'validation': 10, 'test': 7}
  assert data.mean == whole.mean == pytest.approx((rows['train'][0].mean() / 255,))


@pytest.mark.parametrize('settings, sentence', [
    ({'labels': 3}, r'train images have shape \(4, 28, 28\) and their labels \(3,\)'),
    ({'shape': (28, 28, 3)}, r'images have shape \(4, 28, 28, 3\)')])
def test_idx_files_that_do_not_fit_are_refused(settings, sentence, tmp_path):
  _idx_files(tmp_path, {'train': 4, 't10k': 4}, **settings)
  with pytest.raises(errors.UserError, match=sentence):
    sources.load('fashion_mnist_idx', data_dir=str(tmp_path))


def test_without_idx_files_it_is_said_where_they_come_from(tmp_path):
  with pytest.raises(errors.UserError, match='no folder .*nowhere.*package dataset-fashion-mnist'):
    sources.load('fashion_mnist_idx', data_dir=str(tmp_path / 'nowhere'))
  with pytest.raises(errors.UserError, match='train-images-idx3-ubyte.gz cannot be read'):
    sources.load('fashion_mnist_idx', data_dir=str(tmp_path))
