"""Texts by name: three splits of running text, as tokens."""

from collections.abc import Mapping
import dataclasses
import os
from typing import Any

import numpy as np

from nfnets_am.core import errors
from nfnets_am.data.text import files
from nfnets_am.data.text import vocabulary as vocabulary_lib

# Of a set that says nothing else.
_VOCABULARY = {'ptb': 'closed()'}
_WORDS = 'words(size=10000)'


@dataclasses.dataclass(frozen=True)
class Corpus:
  """A text.

  Attributes:
    name: as the config spells it.
    vocabulary: see vocabulary.py.
    splits: 'train', 'validation', 'test' -> int32 [tokens], EOS behind each line.
  """

  name: str
  vocabulary: Any
  splits: Mapping[str, np.ndarray]


def load(name: str, *, data_dir: str, vocabulary: str) -> Corpus:
  """Reads a text.

  Args:
    name: 'ptb', a bundled set, or 'folder:PATH' with train.txt, valid.txt and test.txt, each packed
      by xz or not.
    data_dir: folder with ptb.train.txt, ptb.valid.txt and ptb.test.txt, or where a PATH that is not
      absolute begins.
    vocabulary: see vocabulary.parse; '' is 'closed()' for ptb and words(size=10000) for others.

  Raises:
    ConfigError: an unknown name, or a vocabulary that cannot be read or made.
    UserError: a split is missing or unreadable, or has a word that the vocabulary lacks.
  """
  make = vocabulary_lib.parse(vocabulary or _VOCABULARY.get(name, _WORDS))
  if name == 'ptb':
    folder, prefix = data_dir or os.curdir, 'ptb.'
  else:
    folder, prefix = files.folder_of(name, data_dir), ''
  if folder is None or name == 'verses_en_es':
    raise errors.ConfigError(
        f'unknown text {name!r} in data.set; allowed: ptb, verses, or {files.FOLDER}PATH for a '
        'folder with train.txt, valid.txt and test.txt')
  lines = {split: files.read_lines(folder, f'{prefix}{file}.txt', blank=name != 'ptb')
           for split, file in files.SPLITS.items()}
  # Nothing is written among the bundled files.
  keep = '' if name in files.BUNDLED_SETS else folder
  made = make(lines['train'], keep)
  return Corpus(name, made, {
      split: vocabulary_lib.running(
          made, part, os.path.join(folder, f'{prefix}{files.SPLITS[split]}.txt'))
      for split, part in lines.items()})
