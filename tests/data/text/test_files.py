"""Files of text, sets by name, and what is wrong with them in one sentence each."""

import contextlib
import lzma
import pathlib

import numpy as np
import pytest

from nfnets_am.core import errors
from nfnets_am.data import tensorflow
from nfnets_am.data.text import corpora
from nfnets_am.data.text import corpus
from nfnets_am.data.text import files
from nfnets_am.data.text import pair_sets
from nfnets_am.data.text import translation


def _write(folder, **contents):
  for name, content in contents.items():
    path = folder / name.replace('_', '.')
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
  return folder


@pytest.fixture
def ptb(tmp_path):
  return _write(tmp_path, ptb_train_txt=' the cat <unk> N \n the dog \n', ptb_valid_txt=' the N \n',
                ptb_test_txt=' dog cat dog \n')


def test_penn_treebank_ends_every_line_and_has_its_own_words(ptb):
  found = corpora.load('ptb', data_dir=str(ptb), vocabulary='')
  assert found.vocabulary.words == ('<eos>', 'the', 'cat', '<unk>', 'N', 'dog')
  assert {split: tokens.tolist() for split, tokens in found.splits.items()} == {
      'train': [1, 2, 3, 4, 0, 1, 5, 0], 'validation': [1, 4, 0], 'test': [5, 2, 5, 0]}
  assert found.vocabulary.text(found.splits['train']) == 'the cat <unk> N <eos> the dog <eos>'


def test_a_folder_of_text_has_rare_words_as_one_and_may_be_packed(tmp_path):
  _write(tmp_path, train_txt='a b a\r\n\na c b a\u2028d\n', valid_txt='a e\n', test_txt='b\n')
  (tmp_path / 'test.txt.xz').write_bytes(lzma.compress(b'c b'))
  (tmp_path / 'test.txt').unlink()
  found = corpora.load(f'folder:{tmp_path.name}', data_dir=str(tmp_path.parent),
                       vocabulary='words(size=4)')
  assert found.vocabulary.words == ('<eos>', '<unk>', 'a', 'b')
  # An empty line is the end of one, and nothing but a line's end ends a line.
  assert found.splits['train'].tolist() == [2, 3, 2, 0, 0, 2, 1, 3, 2, 1, 0]
  assert found.splits['test'].tolist() == [1, 3, 0]


@pytest.mark.parametrize('change, message', [
    ({'ptb_test_txt': 'the bird\n'}, "the word 'bird' in line 1 of .*ptb.test.txt is not in the "
     'vocabulary of 5 words'),
    ({'ptb_valid_txt': 'the\n\ncat\n'}, 'line 2 of .*ptb.valid.txt is empty'),
    ({'ptb_train_txt': b'the\ncat \xe9\n'}, 'ptb.train.txt is not UTF-8: byte 0xe9 in line 2'),
    ({'ptb_train_txt': ' \n'}, 'ptb.train.txt has no words'),
    ({'ptb_valid_txt': None}, 'the split of .*ptb.valid.txt cannot be read: FileNotFoundError'),
])
def test_what_is_wrong_with_a_text_is_one_sentence(ptb, change, message):
  _write(ptb, ptb_train_txt='the cat N\nthe dog\n')
  for name, content in change.items():
    if content is None:
      (ptb / name.replace('_', '.')).unlink()
    else:
      _write(ptb, **{name: content})
  with pytest.raises(errors.UserError, match=message) as caught:
    corpora.load('ptb', data_dir=str(ptb), vocabulary='')
  assert '\n' not in str(caught.value)


def test_a_damaged_packed_file_is_one_sentence(tmp_path):
  (tmp_path / 'train.txt.xz').write_bytes(lzma.compress(b'some words')[:-9])
  with pytest.raises(errors.UserError, match='train.txt.xz cannot be read: (EOF|LZMA)Error'):
    files.read_lines(str(tmp_path), 'train.txt', blank=True)


@pytest.mark.parametrize('create, name, message', [
    (corpus.create, 'verses_en_es', "unknown text 'verses_en_es' .* allowed: ptb, verses"),
    (corpus.create, 'penn', "unknown text 'penn'"),
    (translation.create, 'verses', 'unknown set of pairs .* allowed: wmt16_en_de, verses_en_es'),
])
def test_unknown_sets_are_refused(create, name, message):
  with pytest.raises(errors.ConfigError, match=message):
    create('float32', set=name)


@pytest.mark.parametrize('changes, message', [
    ({'vocabulary': 'letters()'}, "unknown vocabulary 'letters'"),
    ({'vocabulary': 'words(count=3)'}, 'count'),
    ({'vocabulary': 'words(size=2)'}, 'size=2; allowed: a whole number from 3 up'),
    ({'vocabulary': 'words'}, 'write words()'),
    ({'segment': 3}, 'data.segment=3'),
    ({'layout': 'rows'}, "data.layout='rows'"),
])
def test_wrong_keys_are_refused(changes, message):
  with pytest.raises(errors.ConfigError, match=message):
    corpus.create('float32', **changes)


@pytest.fixture
def both(tmp_path):
  return _write(
      tmp_path, train_xx='a b\nc\n', train_yy='u\nv w\n', valid_xx='a\n', valid_yy='v\n',
      test_xx='c b\n', test_yy='w w\n')


def test_a_folder_of_pairs_shares_its_vocabulary(both):
  found = pair_sets.load(f'folder:{both}', data_dir='', download=False, vocabulary='closed()')
  assert found.vocabulary.words == ('<eos>', 'a', 'b', 'c', 'u', 'v', 'w')
  test = found.splits['test']
  assert test.source.tokens.tolist() == [3, 2] and test.target.tokens.tolist() == [6, 6]
  assert test.references == ('w w',) and found.splits['train'].references == ()
  assert found.splits['train'].lengths.tolist() == [3, 3]


@pytest.mark.parametrize('change, message', [
    ({'valid_yy': 'v\nw\n'}, "the split 'valid' of .* has 1 lines in 'xx' and 2 in 'yy'"),
    ({'train_yy': 'u\n\n'}, 'line 2 of .*train.yy is empty'),
    ({'train_zz': 'u\n'}, r'training sentences in 3 languages \(xx, yy, zz\)'),
])
def test_what_is_wrong_with_pairs_is_one_sentence(both, change, message):
  _write(both, **change)
  with pytest.raises(errors.UserError, match=message):
    pair_sets.load(f'folder:{both}', data_dir='', download=False, vocabulary='closed()')


def test_a_folder_that_is_not_there_is_one_sentence(tmp_path):
  with pytest.raises(errors.UserError, match='the folder .*nowhere cannot be read'):
    pair_sets.load(f'folder:{tmp_path}/nowhere', data_dir='', download=False,
                   vocabulary='closed()')


def _write_tfds(folder: pathlib.Path, splits):
  """Writes German and English pairs as TFDS keeps wmt16_translate."""
  tf, tfds = tensorflow.import_tensorflow(), tensorflow.import_tfds()
  name = 'wmt16_translate'
  path = folder / name / 'de-en' / '1.0.0'
  path.mkdir(parents=True)
  template = tfds.core.ShardedFileTemplate(
      data_dir=str(path), dataset_name=name, filetype_suffix='tfrecord',
      template='{DATASET}-{SPLIT}.{FILEFORMAT}-{SHARD_X_OF_Y}')
  text = lambda value: tf.train.Feature(bytes_list=tf.train.BytesList(value=[value.encode()]))
  infos = []
  for split, rows in splits.items():
    file = path / f'{name}-{split}.tfrecord-00000-of-00001'
    with contextlib.closing(tf.io.TFRecordWriter(str(file))) as writer:
      for german, english in rows:
        writer.write(tf.train.Example(features=tf.train.Features(feature={
            'de': text(german), 'en': text(english)})).SerializeToString())
    infos.append(tfds.core.SplitInfo(
        name=split, shard_lengths=[len(rows)], num_bytes=1,
        filename_template=template.replace(split=split)))
  tfds.folder_dataset.write_metadata(
      data_dir=str(path), features=tfds.features.Translation(languages=('de', 'en')),
      split_infos=infos, filename_template=template, check_data=False,
      supervised_keys=('de', 'en'))


def test_wmt16_is_read_from_english_to_german(tmp_path):
  splits = {'train': [('Hallo  Welt', 'Hello\nworld'), ('', 'x'), ('gut', 'good')],
            'validation': [('gut', 'Hello')], 'test': [('Welt', 'world good')]}
  _write_tfds(tmp_path, splits)
  found = pair_sets.load('wmt16_en_de', data_dir=str(tmp_path), download=False,
                         vocabulary='closed()')
  words = found.vocabulary
  train = found.splits['train']
  assert words.text(train.source.tokens) == 'Hello world good'
  assert words.text(train.target.tokens) == 'Hallo Welt gut'
  np.testing.assert_array_equal(train.source.ends, [2, 3])
  assert found.splits['test'].references == ('Welt',)


def test_wmt16_that_is_not_there_is_one_sentence(tmp_path):
  with pytest.raises(errors.UserError, match='wmt16_translate.* is not prepared in'):
    pair_sets.load('wmt16_en_de', data_dir=str(tmp_path), download=False, vocabulary='closed()')
