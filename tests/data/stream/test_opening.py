"""A user's folder of images as the data of a run: its splits, what is refused, both commands."""

import json

import numpy as np
import pytest

from experiments import own_images
from nfnets_am.core import errors
from nfnets_am.data.stream import opening
from nfnets_am.training import run as run_lib
from nfnets_am.training import sections
from tests import commands
from tests.data import image_folder


def _open(path, **changes):
  return opening.open_set(f'folder:{path}', **({
      'data_dir': '', 'download': False, 'cache': '', 'test_split': 'validation', 'split': '',
      'leave_out': ()} | changes))


def _files(records):
  return {f'{records.folder}/{file}' for file in records.files}


def test_a_folder_of_classes_is_split(tmp_path):
  image_folder.many(tmp_path, {'ant': 10, 'bee': 25})
  splits = _open(tmp_path)
  assert {part: x.total for part, x in splits.items()} == {'train': 28, 'test': 7}
  assert not _files(splits['train']) & _files(splits['test'])
  assert splits['test'].classes == splits['train'].classes == ('ant', 'bee')
  splits = _open(tmp_path, split='per_class(train=5, validation=2, test=3)')
  for part, count in (('train', 5), ('validation', 2), ('test', 3)):
    np.testing.assert_array_equal(np.bincount(splits[part].labels), [count, count])
  splits = _open(tmp_path, leave_out=('ant',))
  assert splits['train'].classes == ('bee',) and splits['test'].total == 5


@pytest.mark.parametrize('folders, test_split, found', [
    (('train', 'test'), 'validation', {'train': 'train', 'test': 'test'}),
    (('train', 'val'), 'validation', {'train': 'train', 'test': 'val'}),
    (('train', 'validation'), 'validation', {'train': 'train', 'test': 'validation'}),
    (('train', 'unseen'), 'unseen', {'train': 'train', 'test': 'unseen'}),
    (('train', 'test', 'val'), 'validation',
     {'train': 'train', 'test': 'test', 'validation': 'val'})])
def test_folders_of_splits_are_taken_as_they_are(tmp_path, folders, test_split, found):
  for i, folder in enumerate(folders):
    image_folder.many(tmp_path / folder, {'ant': 2 + i, 'bee': 1})
  splits = _open(tmp_path, test_split=test_split)
  assert splits.keys() == found.keys()
  for part, folder in found.items():
    assert splits[part].folder == str(tmp_path / folder)
    assert splits[part].total == 3 + folders.index(folder)


def test_labels_of_a_test_split_without_some_classes_are_those_of_training(tmp_path):
  image_folder.many(tmp_path / 'train', {'ant': 2, 'bee': 2, 'cat': 2})
  image_folder.many(tmp_path / 'test', {'cat': 3})
  assert _open(tmp_path)['test'].labels == (2, 2, 2)
  image_folder.many(tmp_path / 'test', {'dog': 1})
  with pytest.raises(errors.UserError, match='test/dog is of a class that train/ does not have'):
    _open(tmp_path)


def test_a_relative_path_begins_in_data_dir(tmp_path):
  image_folder.many(tmp_path / 'mine', {'ant': 10})
  assert _open('mine', data_dir=str(tmp_path))['train'].total == 8


def _run(path, **changes):
  changes = {f'data.{key}': value for key, value in changes.items()}
  return run_lib.build(sections.override(
      own_images.get_config('scale=smoke'), {'data.set': f'folder:{path}', **changes}))


@pytest.mark.parametrize('changes, message', [
    ({'data.set': 'folder:'}, 'names no folder'),
    ({'data.set': 'files:x'}, "unknown kind of set 'files'; allowed: folder, tfds"),
    ({'data.set': 'stand_in', 'data.split': 'share(train=0.8, test=0.2)'}, 'is stored in splits'),
    ({'data.set': 'stand_in', 'data.leave_out': ('a',)}, "allowed: with data.set='folder:PATH'"),
    ({'data.cache': '/tmp'}, 'data.cache=.*keeps shards'),
    ({'data.split': 'share(train=0.8, test=0.2)'}, 'has a folder train'),
    ({'data.validation': 2}, 'data.validation=2; allowed: 0, since')])
def test_refuses(tmp_path, changes, message):
  for folder in ('train', 'test', 'validation'):
    image_folder.many(tmp_path / folder, {'ant': 3})
  with pytest.raises(errors.UserError, match=message):
    run_lib.build(sections.override(own_images.get_config('scale=smoke'), {
        'data.set': f'folder:{tmp_path}', **changes}))


def test_a_folder_to_train_on_alone_is_refused(tmp_path):
  image_folder.many(tmp_path / 'train', {'ant': 3})
  with pytest.raises(errors.UserError, match='has a folder train and none to test on'):
    _open(tmp_path)


def test_bad_files_are_left_out_by_name(tmp_path, caplog):
  image_folder.write(tmp_path)
  image_folder.write(tmp_path, {'bad': ('ok.jpg',)})
  (tmp_path / 'bad' / 'text.jpg').write_text('not an image')
  run = _run(tmp_path, bad_fraction=0.2)
  assert run.derived.train_images == run.dataset.splits['train'].total - 1
  assert any(message.startswith('left out: ') and '/bad/text.jpg (image' in message
             for message in caplog.messages)


def test_images_are_held_out_by_number_too(tmp_path):
  image_folder.write(tmp_path)
  data = _run(tmp_path, validation=3).dataset
  parts = [_files(data.splits[part]) for part in ('train', 'validation', 'test')]
  assert list(map(len, parts)) == [10, 3, 3] and len(set.union(*parts)) == 16


@pytest.mark.slow
def test_two_commands_need_no_code(tmp_path):
  image_folder.write(tmp_path / 'mine')
  (tmp_path / 'mine' / 'notes.txt').write_text('hello')
  flags = ('--config=experiments/own_images.py:scale=smoke,multiplicity=4',
           f'--config.data.set=folder:{tmp_path}/mine', '--config.model.name=wide_resnet_tiny')
  for until in (('--until=2 updates',), ()):
    done = commands.run('nfnets_am.train', *flags, f'--workdir={tmp_path}/run', *until)
    assert done.returncode == (75 if until else 0), done.stderr
    assert done.stderr.count('1 files or folders that are no images') == 1
  commands.train(tmp_path / 'whole', *flags[1:], config=flags[0].partition('=')[2])
  assert (tmp_path / 'run' / 'metrics.jsonl').read_bytes() == (
      tmp_path / 'whole' / 'metrics.jsonl').read_bytes()
  lines = [json.loads(line) for line in (tmp_path / 'run/metrics.jsonl').read_text().splitlines()]
  assert [x['images'] for x in lines if x['split'] == 'test'][-1] == 3
  done = commands.run('nfnets_am.doctor', *flags, '--updates=2', f'--out={tmp_path}/views.png')
  assert done.returncode == 0, done.stderr
  assert 'views/s' in done.stdout and (tmp_path / 'views.png').exists()
