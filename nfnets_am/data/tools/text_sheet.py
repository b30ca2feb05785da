"""The text of an update in words, as a contact sheet shows images: what is read, what is said."""

from collections.abc import Mapping
import pathlib
from typing import Any

import numpy as np

from nfnets_am.data.text import corpus
from nfnets_am.data.text import translation


def draw(data: corpus.CorpusInput | translation.TranslationInput, batch: Mapping[str, Any],
         path: pathlib.Path, *, images: int = 8) -> None:
  """Writes `sheet` into a text file."""
  path.write_text(sheet(data, batch, images=images))


def sheet(data: corpus.CorpusInput | translation.TranslationInput, batch: Mapping[str, Any], *,
          images: int = 8) -> str:
  """Returns the first unique examples of a training batch, two lines each.

  Args:
    data: the input.
    batch: one of its training batches, in any layout.
    images: how many unique examples.

  Returns:
    'segment of stream 3, 71 tokens, 4 views' and the words that are said, or 'pair 17, ...' and the
    words that are read and those that are said.
  """
  lines = [f'{data.name}: rows of {batch["tokens"].shape[1]} tokens, {data.vocabulary.size} words']
  examples = [example for example in dict.fromkeys(batch['example'].tolist()) if example >= 0]
  for example in examples[:images]:
    rows = np.flatnonzero(batch['example'] == example)
    row, text = rows[0], data.vocabulary.text
    said = text(batch['targets'][row][batch['mask'][row]])
    what = 'pair' if 'source' in batch else 'segment of stream'
    lines.append(f'{what} {example}, {int(batch["mask"][row].sum())} tokens, {len(rows)} views')
    if 'source' in batch:
      said = f'{text(batch["source"][row][batch["source_mask"][row]])} -> {said}'
    lines.append(f'  {said}')
  return '\n'.join(lines) + '\n'
