"""Reads the verses of a SWORD module of compressed text, chapter by chapter.

Each testament is three files: `.bzz` holds blocks packed by zlib, `.bzs` says where each block
begins, and `.bzv` where each entry lies in its block. Entries are headings and verses in the order
of the module's own counting, with OSIS markup.
"""

import pathlib
import re
import struct
import zlib

from nfnets_am.core import errors

# What is said beside the text, with all that is in it.
_BESIDE = re.compile(r'<(note|title|speaker|rdg)\b[^>]*>.*?</\1>', re.DOTALL)
# What stands within a line; other tags part words.
_INLINE = re.compile(r'</?(w|q|transChange|seg|name)\b[^>]*>')
_CHAPTER = re.compile(r'<chapter\b[^>]*\bsID="([^"]+)"[^>]*/>')
# In front of a book there may be an introduction, behind it a glossary.
_BOOK = re.compile(r'<div\b(?=[^>]*\b[es]ID=)(?=[^>]*type="book")[^>]*>')


def read(folder: str | pathlib.Path) -> dict[str, list[str]]:
  """Returns the verses of each chapter of both testaments, plain text without markup.

  Args:
    folder: with the files of the module.

  Returns:
    'Matt.1' -> its verses that are not empty, chapters in the order of the module.

  Raises:
    UserError: a file is missing or damaged.
  """
  chapters: dict[str, list[str]] = {}
  chapter = None
  for testament in ('ot', 'nt'):
    for entry in _entries(pathlib.Path(folder), testament):
      begins = _CHAPTER.search(entry)
      if begins:
        chapter = begins.group(1)
        entry = entry[begins.end():]
        # The module may name a chapter twice, around its heading.
        chapters.setdefault(chapter, [])
      entry, *beyond = _BOOK.split(entry)
      text = plain(entry)
      if text and chapter:
        chapters[chapter].append(text)
      if beyond:
        chapter = None
  return chapters


def plain(entry: str) -> str:
  """Returns an entry without its notes, headings and tags, in one line."""
  entry = _INLINE.sub('', _BESIDE.sub(' ', entry))
  text = ' '.join(re.sub(r'<[^>]*>', ' ', entry).split())
  return re.sub(r' (?=[,.;:!?’”)])|(?<=[“‘(¿¡]) ', '', text)


def _entries(folder: pathlib.Path, testament: str) -> list[str]:
  try:
    starts, places, packed = (
        (folder / f'{testament}.{kind}').read_bytes() for kind in ('bzs', 'bzv', 'bzz'))
    blocks = [zlib.decompress(packed[at:at + size]) if size else b''
              for at, size, _ in struct.iter_unpack('<III', starts)]
    return [blocks[block][at:at + size].decode() if size else ''
            for block, at, size in struct.iter_unpack('<IIH', places)]
  except (OSError, struct.error, zlib.error, IndexError, UnicodeDecodeError) as e:
    raise errors.UserError(
        f'{folder} is not a module of compressed text of SWORD: {type(e).__name__}: {e}') from e
