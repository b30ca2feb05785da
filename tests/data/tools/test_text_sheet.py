"""The text of an update in words."""

from nfnets_am.data.tools import text_sheet
from tests.data.text import helpers


def test_segments_and_pairs_are_said_in_words(tmp_path):
  data = helpers.running()
  plan = data.plan(helpers.SHUFFLED, unique=4, multiplicity=3, neighbouring=False, shuffle_seed=5)
  batch = next(data.train_batches(plan, 0, 0, 1))
  text_sheet.draw(data, batch, tmp_path / 'views.txt', images=2)
  length = int(batch['length'])
  assert (tmp_path / 'views.txt').read_text().splitlines() == [
      'numbers: rows of 16 tokens, 1001 words',
      f'segment of stream 0, {length} tokens, 3 views',
      '  ' + ' '.join(f'w{i}' for i in range(length)),
      f'segment of stream 1, {length} tokens, 3 views',
      '  ' + ' '.join(f'w{i}' for i in range(250, 250 + length))]

  data = helpers.pairs()
  plan = data.plan(helpers.SHUFFLED, unique=256, multiplicity=2, neighbouring=False,
                   shuffle_seed=5)
  batch = next(data.train_batches(plan, 0, 0, 1))
  lines = text_sheet.sheet(data, batch, images=1).splitlines()
  pair = batch['example'][0]
  words = [data.vocabulary.text([*helpers.sentence(side, pair), 0])
           for side in (data.splits['train'].source, data.splits['train'].target)]
  assert lines[1] == f'pair {pair}, {len(words[1].split())} tokens, 2 views'
  assert lines[2] == f'  {words[0]} -> {words[1]}' and len(lines) == 3
