"""The arithmetic of docs/coming_from.md: other samplers counted index by index, beside ours."""

import math
import re

import numpy as np
import pytest

from nfnets_am.config import derived as derived_lib
from nfnets_am.config import schema
from nfnets_am.core import errors
from nfnets_am.storage import run_folder
from nfnets_am.training import sections
from tests import commands

_TEXT = (commands.ROOT / 'docs' / 'coming_from.md').read_text()
_IMAGENET = 1_281_167


def _rows():
  """The recipes of the page, by column."""
  lines = [line.strip('|').split('|') for line in _TEXT.splitlines() if line.startswith('| ')]
  header, *rows = ([cell.strip() for cell in line] for line in lines)
  return [dict(zip(header, row, strict=True)) for row in rows]


def _derived(images, budget, **numbers):
  config = sections.override(schema.get_default(), {**numbers, 'budget': budget})
  return derived_lib.derive(sections.complete(config), train_images=images)


def _rate(text):
  """'5e-4 x 1024 / 512' as a number."""
  first, *rest = re.split(' ([x/]) ', text)
  value = float(first)
  for sign, number in zip(rest[::2], rest[1::2], strict=True):
    value = value * float(number) if sign == 'x' else value / float(number)
  return value


def _repeated(images, repeats, ranks, epoch):
  """What each of several GPUs draws in an epoch of the samplers that count rows."""
  order = np.random.default_rng(epoch).permutation(images)
  indices = np.repeat(order, repeats)
  per_rank = math.ceil(images * repeats / ranks)
  indices = np.resize(indices, per_rank * ranks)
  kept = images // 256 * 256 // ranks
  return [indices[rank::ranks][:kept] for rank in range(ranks)]


@pytest.mark.parametrize('row', _rows(), ids=lambda row: row['recipe'].split(',')[0])
def test_each_row_of_the_table_follows_from_the_two_rules(row):
  epochs, batch, n = (int(row[key]) for key in ('epochs', 'batch', 'repeats'))
  unique, views = int(row['unique']), int(row['views'])
  if row['counts'] == 'rows':
    assert unique == batch // n and row['budget'] == f'{epochs // n} epochs' and epochs % n == 0
  else:
    assert unique == batch and row['budget'] == f'{epochs} epochs'
  assert views == n * unique and int(row['multiplicity']) == n
  assert float(row['peak']) == pytest.approx(_rate(row['rate']))
  said = {'views': views} if row['counts'] == 'rows' else {'unique': unique}
  derived = _derived(_IMAGENET, row['budget'], multiplicity=n, **said)
  assert (derived.unique, derived.views) == (unique, views)
  # As many rows in all, less what their loaders leave out of an epoch.
  theirs = epochs * _IMAGENET * (1 if row['counts'] == 'rows' else n)
  assert derived.updates * views == pytest.approx(theirs, rel=1e-3)


def test_300_epochs_of_deit_are_100_passes():
  drawn = _repeated(_IMAGENET, 3, ranks=8, epoch=0)
  images, times = np.unique(np.concatenate(drawn), return_counts=True)
  assert len(images) == 427_008 and f'{len(images):,} of {_IMAGENET:,}' in _TEXT
  assert times.max() == 3 and (times == 3).mean() > 0.999
  assert 300 * len(images) / _IMAGENET == pytest.approx(100, abs=0.02)
  # 128 rows on each of 8 GPUs, what is over is dropped.
  theirs = 300 * (len(drawn[0]) // 128)
  ours = _derived(_IMAGENET, '100 epochs', multiplicity=3, views=1023)
  assert ours.epochs == pytest.approx(100, abs=1e-3)
  assert f'{theirs:,} updates there, {ours.updates:,} here' in _TEXT


def test_in_an_epoch_of_theirs_one_image_in_n_is_seen_and_in_ours_every_one():
  for n, ranks in ((2, 4), (4, 8)):
    drawn = np.concatenate(_repeated(4096, n, ranks, epoch=1))
    images, times = np.unique(drawn, return_counts=True)
    assert len(drawn) == 4096 and len(images) == 4096 // n and set(times) == {n}
    # As many rows as ours in a whole epoch, with n times the images.
    ours = _derived(4096, '1 epochs', multiplicity=n, views=256)
    assert ours.updates * ours.unique == 4096 and ours.updates * 256 == n * len(drawn)


def test_another_n_in_a_run_that_has_begun_is_refused_in_the_sentence_of_the_page(tmp_path):
  def opened(n):
    config = sections.complete(sections.override(
        schema.get_default(), {'multiplicity': n, 'views': 64}))
    folder = run_folder.RunFolder(tmp_path)
    folder.open(config, sections.defaults(config))
    return folder

  for _ in range(2):  # The same n goes on.
    opened(1).close()
  with pytest.raises(errors.UserError) as raised:
    opened(4)
  assert 'error: ' + str(raised.value).replace(str(tmp_path), 'runs/x') in _TEXT
