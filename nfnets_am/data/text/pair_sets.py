"""Pairs of sentences by name: three splits of a source and a target language, as tokens."""

from collections.abc import Mapping
import dataclasses
import functools
import os
from typing import Any
from typing import NamedTuple

from absl import logging
import numpy as np

from nfnets_am.core import errors
from nfnets_am.core import registry
from nfnets_am.data import tensorflow
from nfnets_am.data.memory import tfds_images
from nfnets_am.data.text import files
from nfnets_am.data.text import vocabulary as vocabulary_lib

# Split -> lines of both languages, a pair at a place.
Lines = dict[str, tuple[list[str], list[str]]]
_BATCH = 10_000


@dataclasses.dataclass(frozen=True)
class Sentences:
  """Sentences of one language, one behind the other.

  Attributes:
    tokens: int32 or uint16 [sum of lengths].
    ends: of each, int64 [N].
  """

  tokens: np.ndarray
  ends: np.ndarray

  @functools.cached_property
  def starts(self) -> np.ndarray:
    """Where each begins, int64 [N]."""
    return np.concatenate([[0], self.ends[:-1]])

  @property
  def lengths(self) -> np.ndarray:
    """Tokens of each, int64 [N]."""
    return self.ends - self.starts


class Pairs(NamedTuple):
  """A split: N sentences and their translations, and the latter as they were."""
  source: Sentences
  target: Sentences
  references: tuple[str, ...]  # () for training pairs.

  @property
  def lengths(self) -> np.ndarray:
    """Tokens of the longer one of each pair, with what ends it: int64 [N]."""
    return np.maximum(self.source.lengths, self.target.lengths) + 1


@dataclasses.dataclass(frozen=True)
class PairSet:
  """A set of pairs.

  Attributes:
    name: as the config spells it.
    vocabulary: of both languages, see vocabulary.py.
    splits: 'train', 'validation', 'test' -> pairs.
  """

  name: str
  vocabulary: Any
  splits: Mapping[str, Pairs]


def _wmt16(source: str, target: str, config: str):
  def lines_of(data_dir: str, download: bool) -> tuple[Lines, str]:
    name = f'wmt16_translate/{config}'
    builder = tfds_images.open_builder(name, data_dir, download)
    tfds_images.prepare(builder, download)
    found = {split: _read_tfds(builder, split, source, target) for split in files.SPLITS}
    return found, os.fspath(builder.data_path)
  return lines_of


# A line reads a set of TFDS: (data_dir, download) -> (lines, folder of the prepared set).
PAIR_SETS = registry.Registry('set of pairs', {
    'wmt16_en_de': _wmt16('en', 'de', 'de-en'),
})


def load(name: str, *, data_dir: str, download: bool, vocabulary: str) -> PairSet:
  """Reads pairs of sentences.

  Args:
    name: 'wmt16_en_de', a bundled set, or 'folder:PATH' with files such as train.en and train.es,
      valid.en and valid.es, test.en and test.es: the languages are the two that train has, in the
      order of the alphabet. Each may be packed by xz.
    data_dir: folder of prepared sets of TFDS, or where a PATH that is not absolute begins.
    download: whether TFDS is to fetch what is not there.
    vocabulary: see vocabulary.parse; of the training sentences of both languages.

  Raises:
    ConfigError: an unknown name, or a vocabulary that cannot be read or made.
    UserError: a split is missing or unreadable, has an empty line or not as many lines in both
      languages, or a word that the vocabulary lacks.
  """
  make = vocabulary_lib.parse(vocabulary)
  folder = None if name == 'verses' else files.folder_of(name, data_dir)
  if folder is None and name not in PAIR_SETS:
    raise errors.ConfigError(
        f'unknown set of pairs {name!r} in data.set; allowed: {", ".join(PAIR_SETS)}, '
        f'verses_en_es, or {files.FOLDER}PATH for a folder with train.XX, train.YY and so on')
  lines, folder = (PAIR_SETS[name](data_dir, download) if folder is None
                   else (_read_folder(folder), folder))
  made = make([*lines['train'][0], *lines['train'][1]],
              '' if name in files.BUNDLED_SETS else folder)
  return PairSet(name, made, {
      split: Pairs(*(_encode(made, part, f'the split {split!r} of {name}') for part in both),
                   () if split == 'train' else tuple(both[1]))
      for split, both in lines.items()})


def _encode(vocabulary: Any, lines: list[str], what: str) -> Sentences:
  tokens, ends = vocabulary.encode(lines, what)
  # Millions of sentences: half the memory where it suffices.
  return Sentences(tokens.astype(np.uint16) if vocabulary.size <= 1 << 16 else tokens, ends)


def _read_folder(folder: str) -> Lines:
  languages = files.suffixes(folder, 'train.')
  if len(languages) != 2:
    raise errors.UserError(
        f'{folder} has training sentences in {len(languages)} languages '
        f'({", ".join(languages) or "none"}); allowed: two files, such as train.en and train.es')
  found = {}
  for split, file in files.SPLITS.items():
    source, target = (files.read_lines(folder, f'{file}.{one}', blank=False) for one in languages)
    if len(source) != len(target):
      raise errors.UserError(
          f'the split {file!r} of {folder} has {len(source)} lines in {languages[0]!r} and '
          f'{len(target)} in {languages[1]!r}; allowed: a translation in the same line')
    found[split] = source, target
  return found


def _read_tfds(builder: Any, split: str, source: str, target: str) -> tuple[list[str], list[str]]:
  """Returns the sentences of a split, in stored order, without pairs of which one is empty."""
  tfds_images.check_split(builder, split)
  tfds = tensorflow.import_tfds()
  both: tuple[list[str], list[str]] = [], []
  empty = 0
  try:
    dataset = builder.as_dataset(
        split=split, shuffle_files=False,
        read_config=tfds.ReadConfig(try_autocache=False, interleave_cycle_length=1))
    for batch in tfds.as_numpy(dataset.batch(_BATCH)):
      for pair in zip(batch[source], batch[target], strict=True):
        # A line break within a sentence is no end of it.
        texts = [' '.join(one.decode().split()) for one in pair]
        if all(texts):
          both[0].append(texts[0])
          both[1].append(texts[1])
        else:
          empty += 1
  except Exception as e:  # Truncated or vanished files: errors of TensorFlow, TFDS and the system.
    raise errors.UserError(
        f'the split {split!r} in {builder.data_path} cannot be read: '
        f'{tfds_images.first_line(e)}') from e
  if empty and split != 'train':
    raise errors.UserError(
        f'the split {split!r} in {builder.data_path} has {empty} pairs of which a sentence is '
        'empty; allowed: none')
  if empty:
    logging.info('left out: %d training pairs of which a sentence is empty', empty)
  return both
