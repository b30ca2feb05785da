"""Images of a streamed training split that are held out: never trained on, each evaluated once."""

import numpy as np
import pytest

from nfnets_am.core import errors
from nfnets_am.data import orders
from nfnets_am.data.ops import crops
from nfnets_am.data.stream import records
from nfnets_am.data.stream import visits
from nfnets_am.training import run as run_lib
from nfnets_am.training import sections
from tests import tiny_stream
from tests.data import encoded

# The first shard, of 13, and a part of the third.
HELD_OUT, TOTAL = 20, sum(encoded.LENGTHS)


def _build(folder, held_out=HELD_OUT, **changes):
  config = tiny_stream.get_config()
  config.data.data_dir, config.data.validation = str(folder), held_out
  return run_lib.build(sections.override(config, changes))


def _plan(data, **changes):
  return data.plan(orders.shuffled, **({
      'unique': 8, 'multiplicity': 2, 'neighbouring': False, 'shuffle_seed': 3} | changes))


@pytest.mark.parametrize('hosts', [1, 2, 4])
def test_training_reads_all_other_images_and_none_of_them(stored, hosts):
  data = _build(stored).dataset
  train = data.splits['train']
  plans = [_plan(data, host=host, hosts=hosts) for host in range(hosts)]
  per_pass = plans[0].updates_per_pass
  assert per_pass == (TOTAL - HELD_OUT) // 8
  shown = np.concatenate([
      np.array(encoded.numbers(visits.visits(train, plan, 0, 6 * per_pass))) for plan in plans],
      axis=1)
  for one in np.split(shown, 6):
    assert len(set(one.reshape(-1))) == one.size
  assert set(shown.reshape(-1)) == set(range(HELD_OUT, TOTAL))
  whole = encoded.numbers(visits.visits(train, _plan(data), 0, 6 * per_pass))
  np.testing.assert_array_equal(shown, whole)


def test_rows_and_their_partners_have_the_labels_of_other_images(stored):
  data = _build(stored).dataset
  plan = _plan(data)
  for batch in data.train_batches(plan, 0, 2, 7):
    for label, example in (('label', 'example'), ('partner_label', 'partner_example')):
      # Image i of all has label i % 10.
      np.testing.assert_array_equal(batch[label], (batch[example] + HELD_OUT) % 10)
      assert batch[example].max() < TOTAL - HELD_OUT


@pytest.mark.parametrize('hosts, batch', [(1, 6), (2, 3), (4, 5)])
@pytest.mark.parametrize('split, first, stop', [
    ('validation', 0, HELD_OUT), ('train', HELD_OUT, TOTAL)])
def test_each_part_is_evaluated_once(stored, hosts, batch, split, first, stop):
  data = _build(stored, **{'data.eval_size': 12}).dataset
  batches = [list(data.eval_batches(split, batch, host=host, hosts=hosts)) for host in range(hosts)]
  assert len(set(map(len, batches))) == 1
  found = [image for own in batches for b in own for image in b['image'][b['mask'] == 1]]
  crop = crops.EVALUATION['resize_crop_32']
  wanted = [crop(records.decode(e.image), 12).numpy() for e in encoded.examples(TOTAL)[first:stop]]
  key = lambda x: x.tobytes()
  np.testing.assert_array_equal(sorted(found, key=key), sorted(wanted, key=key))


def test_epochs_and_budgets_are_of_the_remaining_images(stored):
  run = _build(stored, budget='16 epochs')
  assert run.dataset.facts.train_examples == run.derived.train_images == 43
  assert (run.derived.updates_per_epoch, run.derived.updates) == (43 / 8, 86)
  assert run.derived.left_out == run.plan.left_out == 3


def test_no_seed_chooses_them(stored):
  one, other = (_build(stored, seed=seed).dataset for seed in (0, 7))
  assert one.splits == other.splits
  with pytest.raises(errors.ConfigError, match="no key 'data.seed'"):
    _build(stored, **{'data.seed': 4})


def test_a_part_opens_only_its_own_shards(opened):
  first, rest = opened.part(0, HELD_OUT), opened.part(HELD_OUT, TOTAL)
  assert (first.lengths, first.starts) == ((13, 7), (0, 0))
  assert (rest.lengths, rest.starts) == ((22, 1, 20), (7, 0, 0))
  assert first.paths == (opened.paths[0], opened.paths[2])
  inner = rest.part(3, 24)
  assert (inner.lengths, inner.starts, inner.skipped) == ((19, 1, 1), (10, 0, 0), 23)
  for example in range(inner.total):
    assert inner.describe(example) == opened.describe(23 + example)


def test_array_records_are_held_out_too(tmp_path):
  encoded.write(tmp_path, encoded.LENGTHS, validation=11, file_format='array_record')
  data = _build(tmp_path).dataset
  (labels,) = ([b['label'][b['mask'] == 1] for b in data.eval_batches(
      'validation', HELD_OUT, host=0, hosts=1)])
  assert labels.tolist() == [i % 10 for i in range(HELD_OUT)]
  shown = encoded.numbers(visits.visits(data.splits['train'], _plan(data), 0, 5))
  assert len(set(np.ravel(shown))) == 40 and np.min(shown) >= HELD_OUT


def test_bad_records_are_named_as_stored(tmp_path, caplog):
  rows = encoded.examples(TOTAL)
  for i in (15, 25):
    rows[i] = rows[i]._replace(image=b'nothing')
  encoded.write(tmp_path, encoded.LENGTHS, rows, validation=11)
  data = _build(
      tmp_path, **{'data.on_bad_record': 'skip', 'data.bad_fraction': 0.05}).dataset
  assert data.bad == (25 - HELD_OUT,) and data.facts.train_examples == 42
  assert 'left out: record 12 of shard photographs-train.tfrecord-00002' in caplog.text
  assert "(image 25 of the split 'train'" in caplog.text
  # What a number rests on is not left out.
  with pytest.raises(errors.UserError, match='record 2 of shard photographs-train.tfrecord-00002'):
    list(data.eval_batches('validation', 4, host=0, hosts=1))


@pytest.mark.parametrize('held_out', [TOTAL, 10**6])
def test_some_images_must_be_left_to_train_on(stored, held_out):
  with pytest.raises(errors.ConfigError, match=f'data.validation={held_out}; allowed: 0 to 62'):
    _build(stored, held_out)


def test_no_images_are_held_out_unless_asked_for(stored):
  data = _build(stored, 0).dataset
  assert set(data.splits) == {'train', 'test'} and data.facts.train_examples == TOTAL
