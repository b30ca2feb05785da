"""The bundled verses: which they are, and that they are rebuilt from a module of SWORD."""

import hashlib
import lzma
import struct
import zlib

import pytest

from nfnets_am.data.text import files
from nfnets_am.data.tools import bundle_verses
from nfnets_am.data.tools import sword

_BOOK = '<div canonical="true" {}="x" osisID="{}" type="book"/>'


def _entries(book, chapters):
  """A book of a module: headings, then verses with markup."""
  yield _BOOK.format('sID', book) + ' an introduction'
  for number, verses in enumerate(chapters, 1):
    yield f'<chapter n="{number}" osisID="{book}.{number}" sID="{book}.{number}"/>'
    for verse in verses:
      yield (f'<div sID="a"/><w lemma="strong:G1">{verse}</w>,<note>a note, <hi>so</hi></note>'
             '<w>he</w> said: <q who="x">“<w>Yes</w>.”</q><div eID="a"/> ')
    yield ''
  yield 'more<chapter eID="x"/>' + _BOOK.format('eID', book) + ' a glossary'


def _write(folder, books, testament, damaged=False):
  folder.mkdir(parents=True, exist_ok=True)
  blocks, places = [], b''
  for number, (book, chapters) in enumerate(books.items()):
    block = b''
    for entry in _entries(book, chapters):
      places += struct.pack('<IIH', number, len(block), len(entry.encode()))
      block += entry.encode()
    blocks.append(block)
  starts, packed = b'', b''
  for block in blocks:
    data = zlib.compress(block)
    starts += struct.pack('<III', len(packed), len(data), len(block))
    packed += data
  for kind, content in (('bzs', starts), ('bzv', places), ('bzz', packed[damaged * 9:])):
    (folder / f'{testament}.{kind}').write_bytes(content)


@pytest.fixture
def source(tmp_path, monkeypatch):
  monkeypatch.setattr(bundle_verses, 'FOLDER', tmp_path / 'bundled')
  texts = tmp_path / 'modules' / 'texts' / 'ztext'
  new = [['Doesn’t'] * 3 for _ in range(20)]
  old = {'Gen': [['God']] * 18, 'DanGr': [['Twice']]}
  _write(texts / bundle_verses.ENGLISH, old, 'ot')
  _write(texts / bundle_verses.ENGLISH, {'Matt': new}, 'nt')
  _write(texts / bundle_verses.SPANISH, {'Gen': [['Dios']]}, 'ot')
  # The second chapter is counted in another way.
  _write(texts / bundle_verses.SPANISH, {'Matt': [['No'] * 3, ['No'] * 2, *[['No'] * 3] * 18]},
         'nt')
  return tmp_path


def test_a_module_is_read_verse_by_verse(source):
  found = sword.read(source / 'modules' / 'texts' / 'ztext' / bundle_verses.ENGLISH)
  assert list(found) == [*(f'Gen.{i}' for i in range(1, 19)), 'DanGr.1',
                         *(f'Matt.{i}' for i in range(1, 21))]
  assert found['Matt.20'] == ['Doesn’t, he said: “Yes.”'] * 3 + ['more']
  assert found['Matt.1'] == ['Doesn’t, he said: “Yes.”'] * 3


def test_files_are_rebuilt_and_check_sees_a_change(source, capsys):
  bundle_verses.main([f'--source={source}'])
  read = lambda name: lzma.decompress((bundle_verses.FOLDER / name).read_bytes()).decode()
  verse = "doesn't , he said : “ yes . ”\n"
  # Chapters 1 to 18 and 19 to 38: the tenth is Gen.10, the last of twenty Matt.2, the thirtieth
  # Matt.12. A book that is told twice is not there.
  assert read('verses/test.txt.xz') == 3 * verse
  assert read('verses/valid.txt.xz') == 'god , he said : “ yes . ”\n' + 3 * verse
  # Without the chapter that is counted in another way, and the last, 19 are left: no twentieth.
  assert read('verses_en_es/valid.en.xz') == 3 * 'Doesn’t, he said: “Yes.”\n'
  assert read('verses_en_es/train.es.xz').count('\n') == 3 * 17 + 4 and read(
      'verses_en_es/test.es.xz') == ''
  bundle_verses.main([f'--source={source}', '--check'])
  assert '9 files' in capsys.readouterr().out
  (bundle_verses.FOLDER / 'verses' / 'test.txt.xz').write_bytes(lzma.compress(b'other'))
  with pytest.raises(SystemExit, match='verses/test.txt.xz: SHA-256'):
    bundle_verses.main([f'--source={source}', '--check'])


def test_a_missing_or_damaged_module_is_one_sentence(source):
  with pytest.raises(SystemExit, match='error: .*FileNotFoundError'):
    bundle_verses.main([f'--source={source / "nowhere"}'])
  _write(source / 'modules' / 'texts' / 'ztext' / bundle_verses.SPANISH, {'Matt': [['No']]}, 'nt',
         damaged=True)
  with pytest.raises(SystemExit, match='is not a module of compressed text of SWORD'):
    bundle_verses.main([f'--source={source}'])


def test_bundled_texts_are_small_licensed_and_the_ones_that_results_are_made_with():
  digest = hashlib.sha256()
  size = 0
  for name in files.BUNDLED_SETS:
    folder = files.BUNDLED / name
    size += sum(path.stat().st_size for path in folder.iterdir())
    assert (folder / 'LICENSE').read_text().startswith('Public domain.')
    for path in sorted(folder.glob('*.xz')):
      digest.update(path.name.encode() + lzma.decompress(path.read_bytes()))
  assert size < 2e6
  assert digest.hexdigest() == (
      'ad6e80c1bc1010c7adba793d4254c99f65426f48214d3b0a22e3d85ce81eb621')
