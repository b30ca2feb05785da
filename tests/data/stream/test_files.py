"""Files of their own, read as records are: the pixels of Pillow, bad ones by name, orders exact."""

import io

import numpy as np
from PIL import Image
import pytest

from nfnets_am.core import errors
from nfnets_am.data import views
from nfnets_am.data.ops import crops
from nfnets_am.data.stream import batches as stream_batches
from nfnets_am.data.stream import evaluation as stream_evaluation
from nfnets_am.data.stream import files
from nfnets_am.data.stream import folders
from nfnets_am.data.stream import input as stream_input
from nfnets_am.data.stream import order as stream_order
from nfnets_am.data.stream import records
from tests.data import image_folder
from tests.data.ops import helpers

SIZE = 16
TOTAL = sum(map(len, image_folder.FILES.values()))


def _open(folder, split='train') -> files.FileRecords:
  found = folders.find(str(folder))
  return files.of_classes('mine', split, str(folder), found.classes, tuple(found.classes))


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
  return image_folder.write(tmp_path_factory.mktemp('images'))


def _record(opened, example):
  (serialized,) = opened.read(*opened.where(example), 1)
  return opened.parse(serialized)


def test_pixels_and_labels_are_those_of_the_files(folder):
  opened = _open(folder)
  assert opened.total == TOTAL and opened.num_classes == 3
  for example, file in enumerate(opened.files):
    encoded, label = _record(opened, example)
    assert opened.classes[int(label)] == file.split('/')[0]
    found = records.decode(encoded).numpy()
    wanted = np.asarray(Image.open(folder / file).convert('RGB'))
    if file.lower().endswith(('.png', '.webp')):
      np.testing.assert_array_equal(found, wanted, file)
    else:
      assert np.abs(found.astype(int) - wanted).max() <= 6, file


@pytest.mark.parametrize('mode', ['L', 'P', 'RGBA', 'LA', '1', 'I;16'])
def test_other_pngs_and_webps_decode_to_three_channels(tmp_path, mode):
  grey = Image.fromarray(image_folder.picture(3)).convert('L')
  if mode == 'I;16':
    image = Image.fromarray(np.asarray(grey).astype(np.uint16) * 257)
  else:
    image = grey.convert('RGB').convert(mode)
  (tmp_path / 'a').mkdir()
  image.save(tmp_path / 'a' / '0.png')
  if mode in ('L', 'RGBA'):
    image.save(tmp_path / 'a' / '1.webp', lossless=True)
  opened = _open(tmp_path)
  wanted = grey if mode == 'I;16' else image
  wanted = np.asarray(wanted.convert('RGB'))
  for example in range(opened.total):
    found = records.decode(_record(opened, example)[0]).numpy()
    np.testing.assert_array_equal(found, wanted, str(example))


def test_training_images_are_a_sample_from_the_first_on_and_others_are_sorted(tmp_path):
  image_folder.many(tmp_path, {name: 200 for name in 'abcde'})
  assert _open(tmp_path, 'test').files == tuple(
      f'{name}/{i:03}.jpg' for name in 'abcde' for i in range(200))
  train = _open(tmp_path)
  first = np.bincount(train.labels[:200], minlength=5)
  # 40 of each are expected, with a standard deviation of 5.
  assert train.total == 1000 and first.min() > 20
  assert train.lengths == (64,) * 15 + (40,)
  part = train.part(130, 900)
  assert (part.total, part.lengths) == (770, (64,) * 12 + (2,))
  for example in (0, 63, 64, 769):
    assert part.files[example] == train.files[130 + example]
    (found,) = part.read(*part.where(example), 1)
    assert found.numpy().decode()[8:] == part.files[example]
  assert part.describe(7).endswith("(image 137 of the split 'train')")


def _plan(opened, **changes):
  return stream_order.StreamPlan(**({
      'examples': opened.total - len(changes.get('bad', ())), 'unique': 4, 'multiplicity': 2,
      'neighbouring': False, 'shuffle_seed': 3, 'layout': 'image_major', 'lanes': 2, 'window': 64,
      'lengths': opened.lengths} | changes))


def _batches(opened, plan, start, stop, mix=''):
  way = stream_input.make_augmentation(f'crop({SIZE}) | flip() {mix} | normalise()')
  return list(stream_batches.host_batches(opened, plan, way, way.at, 5, start, stop))


@pytest.mark.parametrize('n', [1, 4])
def test_views_are_those_of_a_naive_loop_from_any_update_on(folder, n):
  opened = _open(folder)
  plan = _plan(opened, multiplicity=n)
  whole = _batches(opened, plan, 0, 6)
  seen = []
  for k, batch in enumerate(whole):
    rows = plan.update(k)
    np.testing.assert_array_equal(batch['example'], rows.example)
    np.testing.assert_array_equal(batch['label'], np.array(opened.labels)[rows.example])
    seen.append(rows.example[::n])
    for image, row in zip(batch['image'], zip(*rows, strict=True), strict=True):
      one = views.Rows(*(np.array([x]) for x in row))
      pixels = records.decode(_record(opened, row[0])[0])
      wanted = crops.views_of(pixels, helpers.crop_draws(5, one), SIZE)[0].numpy()
      assert np.abs(image.astype(int) - wanted).mean() < (1 if n == 1 else 0.01)
  # A pass is 4 updates and shows every image once, less the last.
  assert len(set(np.concatenate(seen[:4]))) == 16
  for start in (1, 4):
    for found, wanted in zip(
        _batches(opened, plan, start, 6), whole[start:], strict=True):
      np.testing.assert_array_equal(found['image'], wanted['image'])


def test_rows_are_mixed_with_other_images_on_any_number_of_hosts(folder):
  opened = _open(folder)
  mix = "| mix('mixup(alpha=0.2) | cutmix()', partners='fresh')"
  (whole,) = _batches(opened, _plan(opened), 5, 6, mix)
  assert (whole['partner_example'] != whole['example']).all()
  np.testing.assert_array_equal(
      whole['partner_label'], np.array(opened.labels)[whole['partner_example']])
  parts = [_batches(opened, _plan(opened, host=host, hosts=2), 5, 6, mix)[0]
           for host in range(2)]
  for key in ('image', 'label', 'partner_example', 'weight'):
    np.testing.assert_array_equal(np.concatenate([part[key] for part in parts]), whole[key])


@pytest.mark.parametrize('hosts, batch', [(1, 5), (2, 3)])
def test_each_image_is_evaluated_once(folder, hosts, batch):
  opened = _open(folder, 'test')
  found = [list(stream_evaluation.eval_batches(
      opened, batch, method='crop_resize', size=SIZE, host=host, hosts=hosts))
           for host in range(hosts)]
  rows = [(image, label) for step in zip(*found, strict=True) for b in step
          for image, label, counts in zip(b['image'], b['label'], b['mask'], strict=True) if counts]
  assert [label for _, label in rows] == list(opened.labels)
  for example, (image, _) in enumerate(rows):
    pixels = records.decode(_record(opened, example)[0])
    np.testing.assert_array_equal(image, crops.crop_resize(pixels, SIZE).numpy())


def _cut(suffix, share=0.6):
  whole = image_folder.encode(image_folder.picture(1), suffix)
  return whole[:int(share * len(whole))]


BAD = {
    'cut.jpg': _cut('.jpg'), 'tail.jpg': _cut('.jpg', 1)[:-2], 'cut.png': _cut('.png'),
    'cut.webp': _cut('.webp'), 'text.jpg': b'not an image', 'nothing.png': b'',
    'head.webp': _cut('.webp')[:20]}


@pytest.mark.parametrize('name', BAD)
@pytest.mark.parametrize('n', [1, 2])
def test_a_bad_file_ends_the_run_by_name(tmp_path, name, n):
  image_folder.write(tmp_path)
  (tmp_path / 'bée' / name).write_bytes(BAD[name])
  opened = _open(tmp_path)
  # One image an update: that without the bad one comes first or last.
  plan = _plan(opened, unique=1, lanes=1, multiplicity=n)
  with pytest.raises(errors.UserError, match=f'/bée/{name} .image [0-9]+ of .* is bad: ') as caught:
    _batches(opened, plan, 0, opened.total)
  assert '\n' not in str(caught.value) and 'object at' not in str(caught.value)


def test_all_bad_files_are_found_and_left_out(tmp_path):
  image_folder.write(tmp_path)
  for name, content in BAD.items():
    (tmp_path / 'ant' / name).write_bytes(content)
  opened = _open(tmp_path)
  (tmp_path / 'ant' / 'a3.jpg').unlink()
  bad = records.find_bad(opened, 0.5)
  assert {opened.files[i] for i in bad} == {f'ant/{name}' for name in (*BAD, 'a3.jpg')}
  assert 'a3.jpg' in records.find_fault(opened, np.array([opened.files.index('ant/a3.jpg')]))
  plan = _plan(opened, unique=3, lanes=1, multiplicity=1, bad=bad)
  shown = np.concatenate(
      [b['example'] for b in _batches(opened, plan, 0, 5)])
  assert set(shown) == set(range(opened.total)) - set(bad)


def test_what_a_file_is_called_does_not_matter(tmp_path):
  image_folder.write(tmp_path, {'a': ('0.jpg',)})
  Image.fromarray(image_folder.picture(5)).save(tmp_path / 'a' / '0.jpg', 'WEBP', lossless=True)
  (encoded, _) = _record(_open(tmp_path), 0)
  np.testing.assert_array_equal(records.decode(encoded).numpy(), image_folder.picture(5))
  assert Image.open(io.BytesIO(encoded.numpy())).format == 'PNG'
