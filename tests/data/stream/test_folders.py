"""What a folder of class folders holds: sorted, the same for all, and nothing passed over silently.
"""

import unicodedata

import pytest

from nfnets_am.core import errors
from nfnets_am.data.stream import folders
from tests.data import image_folder


def test_finds_classes_and_files_in_one_order(tmp_path):
  found = folders.find(str(image_folder.write(tmp_path)))
  assert list(found.classes) == ['ant', 'bée', 'mixed']
  assert found.classes['bée'] == ('bée/y.jpg', 'bée/z.jpg', 'bée/été.jpg', 'bée/ürn.jpg',
                                  'bée/蜂 1.jpg')
  assert found.classes['mixed'][::5] == ('mixed/1.png', 'mixed/6.webp')
  assert found.others == ()


def test_names_sort_alike_however_their_accents_are_written(tmp_path):
  for form in ('NFC', 'NFD'):
    write = lambda text, form=form: unicodedata.normalize(form, text)
    image_folder.many(tmp_path / form, {write('é'): 1, 'f': 1, write('eè'): 2})
  composed, split_up = (folders.find(str(tmp_path / form)) for form in ('NFC', 'NFD'))
  assert list(composed.classes) == list(split_up.classes) == ['eè', 'f', 'é']
  # The paths are as the file system has them.
  assert all((tmp_path / 'NFD' / file).exists() for files in split_up.classes.values()
             for file in files)
  image_folder.many(tmp_path / 'NFC', {unicodedata.normalize('NFD', 'é'): 1})
  with pytest.raises(errors.UserError, match="two folders of the class 'é'"):
    folders.find(str(tmp_path / 'NFC'))


def test_what_is_no_image_is_counted_and_named_once(tmp_path, caplog):
  image_folder.write(tmp_path)
  (tmp_path / 'readme.txt').write_text('hello')
  (tmp_path / '.cache').mkdir()
  (tmp_path / 'ant' / '.hidden.jpg').touch()
  (tmp_path / 'ant' / 'notes').mkdir()
  (tmp_path / 'ant' / 'Thumbs.db').touch()
  found = folders.find(str(tmp_path))
  assert found.others == (
      '.cache', 'readme.txt', 'ant/.hidden.jpg', 'ant/Thumbs.db', 'ant/notes')
  assert len(found.classes['ant']) == 5
  folders.warn([found])
  (message,) = caplog.messages
  assert message.startswith('5 files or folders') and message.endswith(f'{tmp_path}/.cache')


def test_an_empty_class_is_refused_by_name_or_left_out(tmp_path):
  image_folder.many(tmp_path, {'ant': 3, 'none': 0, 'only text': 0})
  (tmp_path / 'only text' / 'a.txt').touch()
  with pytest.raises(errors.UserError, match='none holds no images; allowed: .*data.leave_out'):
    folders.find(str(tmp_path))
  with pytest.raises(errors.UserError, match='only text holds no images'):
    folders.find(str(tmp_path), ('none',))
  found = folders.find(str(tmp_path), ('only text', 'none'))
  assert list(found.classes) == ['ant'] and found.others == ()


@pytest.mark.parametrize('leave_out, known, message', [
    (('257.cluter',), (), "data.leave_out names '257.cluter'.*did you mean '257.clutter'"),
    (('ant', '257.clutter'), (), 'holds no class folders'),
    ((), ('ant', 'bee'), '257.clutter is of a class that train/ does not have; allowed: 2 class')])
def test_refuses(tmp_path, leave_out, known, message):
  image_folder.many(tmp_path, {'ant': 1, '257.clutter': 1})
  with pytest.raises(errors.UserError, match=message):
    folders.find(str(tmp_path), leave_out, known)


def test_a_missing_folder_is_refused_by_name(tmp_path):
  with pytest.raises(errors.UserError, match='the folder .*/nowhere cannot be listed: NotFound'):
    folders.find(str(tmp_path / 'nowhere'))
