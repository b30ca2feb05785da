"""Byte-pair encoding by SentencePiece: pieces of words, learnt once for a folder and kept there."""

from collections.abc import Iterable
from collections.abc import Sequence
import importlib
import io
import itertools
import os
from types import ModuleType

from absl import logging
from etils import epath
import numpy as np

from nfnets_am.config import schema
from nfnets_am.core import errors

# Lines that pieces are learnt from: of more, every second, third or further one.
_LEARN_FROM = 2_000_000
# Lines that are encoded at a time: as lists of numbers they take ten times the memory.
_TOGETHER = 100_000


class Pieces:
  """Pieces of a SentencePiece model; its first three tokens are unknown, BOS and EOS."""

  bos, eos = 1, 2

  def __init__(self, model: bytes):
    self._processor = _import().SentencePieceProcessor(model_proto=model)

  @property
  def size(self) -> int:
    """K."""
    return self._processor.get_piece_size()

  def encode(self, lines: Sequence[str], what: str) -> tuple[np.ndarray, np.ndarray]:
    """Returns the tokens of lines without EOS and where each line ends; see Words.encode."""
    del what  # Bytes stand for what is not in the vocabulary.
    parts, lengths = [], []
    for at in range(0, len(lines), _TOGETHER):
      rows = self._processor.encode(
          list(lines[at:at + _TOGETHER]), out_type=int, num_threads=os.cpu_count() or 1)
      lengths += [len(row) for row in rows]
      parts.append(np.fromiter(itertools.chain.from_iterable(rows), np.int32))
    return np.concatenate(parts), np.cumsum(lengths, dtype=np.int64)

  def text(self, tokens: Iterable[int]) -> str:
    """Returns the text of tokens, as it was before it was cut into pieces and padded."""
    return self._processor.decode([int(token) for token in tokens if token > self.eos])


def bpe(lines: Sequence[str], folder: str, *, size: int = 37000) -> Pieces:
  """Pieces of words by byte-pair encoding; none but those of the training text.

  Args:
    lines: of the training text, of a pair both languages.
    folder: of the text. The file bpe-SIZE.model in it is taken, and written if it is not there.
      Where it cannot be written, and where `folder` is '', the pieces are learnt at each start.
      They are always the same.
    size: K, with the bytes that stand for characters which are too rare for a piece of their own.

  Raises:
    ConfigError: the text does not have as many pieces.
    UserError: sentencepiece is not installed, or the file cannot be read.
  """
  schema.require(size >= 300, 'data.vocabulary: size', size, 'a whole number from 300 up')
  if not folder:
    return Pieces(_learn(lines, size))
  path = epath.Path(folder) / f'bpe-{size}.model'
  try:
    if path.exists():
      return Pieces(path.read_bytes())
  except Exception as e:  # SentencePiece's own errors are RuntimeErrors.
    raise errors.UserError(f'{path} cannot be read as a SentencePiece model: {e}') from e
  model = _learn(lines, size)
  partial = path.with_name(f'.{path.name}.{os.getpid()}.tmp')
  try:
    partial.write_bytes(model)
    partial.rename(path)
  except Exception as e:
    if not errors.is_storage(e):
      raise
    logging.info('%s cannot be written, so pieces are learnt at each start: %s', path, e)
  return Pieces(model)


def _learn(lines: Sequence[str], size: int) -> bytes:
  step = -(-len(lines) // _LEARN_FROM)
  model = io.BytesIO()
  try:
    _import().SentencePieceTrainer.train(
        sentence_iterator=iter(lines[::step]), model_writer=model, vocab_size=size,
        model_type='bpe', character_coverage=0.9999, byte_fallback=True, num_threads=1,
        max_sentence_length=1 << 16, unk_id=0, bos_id=1, eos_id=2, pad_id=-1, minloglevel=2,
        normalization_rule_name='identity')
  except RuntimeError as e:
    raise errors.ConfigError(
        f'data.vocabulary: {size} pieces cannot be learnt from {len(lines)} lines '
        f'({str(e).splitlines()[0][:200]}); allowed: fewer') from e
  return model.getvalue()


def _import() -> ModuleType:
  try:
    return importlib.import_module('sentencepiece')
  except ImportError as e:
    raise errors.UserError(
        f'sentencepiece cannot be imported ({e}), and without it there are no pieces of words; '
        "pip install '.[text]' in the repository's folder brings it, or say "
        "data.vocabulary='words(size=10000)'") from e
