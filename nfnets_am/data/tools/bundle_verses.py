"""The bundled texts: which verses, in which split, and how to rebuild their files.

From the Debian packages `sword-text-web` and `sword-text-sparv`, two translations in the public
domain (nfnets_am/data/bundled/verses/README.md):

  apt-get download sword-text-web sword-text-sparv
  for deb in sword-text-*.deb; do dpkg -x $deb verses; done
  python -m nfnets_am.data.tools.bundle_verses --source=verses/usr/share/sword --check

Without --check it writes the files. Of every 20 chapters in order the tenth is for validation and
the last for testing. `verses` is the English text, a verse in a line: lower case, punctuation
apart. `verses_en_es` are pairs of a verse of the New Testament in English and in Spanish, as
printed: of chapters that both translations count alike.
"""

import argparse
import pathlib
import re

from nfnets_am.core import errors
from nfnets_am.data.tools import bundle
from nfnets_am.data.tools import sword

FOLDER = pathlib.Path(__file__).parents[1] / 'bundled'
ENGLISH, SPANISH = 'engWEB2015eb', 'spaRV1909eb'
# Books that tell others once more.
_TWICE = ('DanGr', 'EsthGr')
_GROUP = 20
_SPLIT_OF = {_GROUP // 2 - 1: 'valid', _GROUP - 1: 'test'}
# A word with what an apostrophe joins to it, a number, or one sign.
_TOKEN = re.compile(r"[^\W\d_]+(?:['-][^\W\d_]+)*|\d+(?:,\d{3})*|[^\w\s]")


def tokens(text: str) -> str:
  """Returns a verse in lower case, with spaces between words and punctuation."""
  text = re.sub(r'(?<=\w)’(?=\w)', "'", text.lower())
  return ' '.join(_TOKEN.findall(text))


def split(chapters: list[list]) -> dict[str, list]:
  """Returns split -> the verses of its chapters, in order."""
  found: dict[str, list] = {'train': [], 'valid': [], 'test': []}
  for number, verses in enumerate(chapters):
    found[_SPLIT_OF.get(number % _GROUP, 'train')].extend(verses)
  return found


def pairs(english: dict[str, list[str]], spanish: dict[str, list[str]]
          ) -> list[list[tuple[str, str]]]:
  """Returns the pairs of verses of each chapter that has as many in both."""
  return [list(zip(verses, spanish[chapter], strict=True)) for chapter, verses in english.items()
          if verses and len(verses) == len(spanish.get(chapter, ()))]


def build(source: pathlib.Path) -> dict[str, bytes]:
  """Returns path -> unpacked content of the files, from the folder of SWORD in `source`."""
  texts = source / 'modules' / 'texts' / 'ztext'
  english, spanish = (sword.read(texts / module) for module in (ENGLISH, SPANISH))
  once = [verses for chapter, verses in english.items() if chapter.split('.')[0] not in _TWICE]
  files = {}
  for name, verses in split([list(map(tokens, one)) for one in once]).items():
    files[f'verses/{name}.txt.xz'] = _lines(verses)
  # The New Testament is what both have from here on.
  chapters = list(english)
  new = dict.fromkeys(chapters[chapters.index('Matt.1'):])
  aligned = pairs({chapter: english[chapter] for chapter in new}, spanish)
  for name, verses in split(aligned).items():
    for column, language in enumerate(('en', 'es')):
      files[f'verses_en_es/{name}.{language}.xz'] = _lines([pair[column] for pair in verses])
  return files


def _lines(verses: list[str]) -> bytes:
  return ''.join(verse + '\n' for verse in verses).encode()


def main(argv: list[str] | None = None) -> None:
  """The command; see the top of the file."""
  parser = argparse.ArgumentParser(description=__doc__.partition('\n')[0])
  parser.add_argument('--source', type=pathlib.Path, required=True,
                      help='the unpacked folder usr/share/sword of both packages')
  parser.add_argument('--check', action='store_true',
                      help='compare with the files that are there, write nothing')
  args = parser.parse_args(argv)
  try:
    files = build(args.source)
  except errors.UserError as e:
    raise SystemExit(f'error: {e}') from e
  bundle.check_or_write(files, FOLDER, args.check)


if __name__ == '__main__':
  main()
