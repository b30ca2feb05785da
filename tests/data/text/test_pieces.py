"""Pieces of words: lossless, the same each time, and kept."""

import numpy as np
import pytest

from nfnets_am.core import errors
from nfnets_am.data.text import files
from nfnets_am.data.text import pieces
from nfnets_am.data.text import vocabulary


@pytest.fixture(scope='module')
def lines():
  return [line for language in ('en', 'es') for line in files.read_lines(
      str(files.BUNDLED / 'verses_en_es'), f'valid.{language}', blank=False)]


def test_pieces_are_learnt_once_and_give_the_text_back(lines, tmp_path):
  learn = vocabulary.parse('bpe(800)')
  found = learn(lines, str(tmp_path))
  path = tmp_path / 'bpe-800.model'
  assert found.size == 800 and [path] == list(tmp_path.iterdir())
  kept = path.read_bytes()
  # Without a folder they are learnt anew, and are the same.
  texts = [*lines[:20], 'a character of no line: \u2603']
  for one in (found, learn(lines[:1], str(tmp_path)), learn(lines, '')):
    tokens, ends = one.encode(texts, 'texts')
    assert tokens.min() > one.eos and tokens.max() < 800
    for text, part in zip(texts, np.split(tokens, ends[:-1]), strict=True):
      assert one.text(part) == text
      assert one.text([one.bos, *part, one.eos, 0, 0]) == text
    np.testing.assert_array_equal(tokens, found.encode(texts, 'texts')[0])
  assert path.read_bytes() == kept
  running = vocabulary.running(found, lines[:3], 'lines')
  assert (running == found.eos).sum() == 3 and running[-1] == found.eos


def test_more_pieces_than_there_are_and_a_broken_file_are_one_sentence(lines, tmp_path):
  with pytest.raises(errors.ConfigError, match='90000 pieces cannot be learnt from 9 lines'):
    pieces.bpe(lines[:9], '', size=90000)
  with pytest.raises(errors.ConfigError, match='size=20; allowed: a whole number from 300 up'):
    pieces.bpe(lines, '', size=20)
  (tmp_path / 'bpe-500.model').write_bytes(b'no model')
  with pytest.raises(errors.UserError, match='cannot be read as a SentencePiece model'):
    pieces.bpe(lines, str(tmp_path), size=500)


def test_without_sentencepiece_it_is_said_what_to_do(monkeypatch):
  monkeypatch.setitem(__import__('sys').modules, 'sentencepiece', None)
  with pytest.raises(errors.UserError, match="sentencepiece cannot be imported .*'.\\[text\\]'"):
    pieces.bpe(['a b'], '', size=300)
