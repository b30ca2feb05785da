"""Streamed sets in a run: evaluation counts once, refusals, training and resuming."""

import json
import time

import numpy as np
import pytest

from nfnets_am.config import schema
from nfnets_am.core import errors
from nfnets_am.data import views
from nfnets_am.data.ops import crops
from nfnets_am.data.stream import evaluation as stream_evaluation
from nfnets_am.data.stream import records
from nfnets_am.training import run as run_lib
from nfnets_am.training import sections
from tests import commands
from tests import tiny_stream
from tests.data import encoded


def _build(stored, **changes):
  changes = {f'data.{key}': value for key, value in {'data_dir': stored, **changes}.items()}
  return run_lib.build(sections.override(tiny_stream.get_config(), changes))


@pytest.mark.parametrize('hosts, batch', [(1, 4), (2, 4), (4, 5)])
@pytest.mark.parametrize('method', crops.EVALUATION)
def test_evaluation_counts_every_image_once(stored, hosts, batch, method):
  opened = records.open_split('photographs', 'validation', stored)
  images, labels, lengths = [], [], []
  for host in range(hosts):
    batches = list(stream_evaluation.eval_batches(
        opened, batch, method=method, size=24, host=host, hosts=hosts))
    lengths.append(len(batches))
    for b in batches:
      assert b['image'].shape == (batch, 24, 24, 3)
      images.extend(b['image'][b['mask'] == 1])
      labels.extend(b['label'][b['mask'] == 1].tolist())
      assert not b['image'][b['mask'] == 0].any()
  assert len(set(lengths)) == 1
  assert sorted(labels) == sorted(i % 10 for i in range(11))
  wanted = [crops.EVALUATION[method](records.decode(e.image), 24).numpy()
            for e in encoded.examples(11)]
  key = lambda x: x.tobytes()
  np.testing.assert_array_equal(sorted(images, key=key), sorted(wanted, key=key))


@pytest.mark.parametrize('hosts, batch, way', [
    (1, 4, 'crop(16) | flip() | normalise()'), (2, 3, 'crop(16) | flip() | normalise()'),
    (1, 11, 'crop(size=16, shorter=20) | normalise()')])
def test_views_of_an_evaluation_are_cut_as_in_training(stored, hosts, batch, way):
  dataset = _build(stored, augment=way).dataset
  found = {}
  for host in range(hosts):
    batches = list(dataset.eval_crops('test', batch, count=3, seed=5, host=host, hosts=hosts))
    first = host * batch
    for b in batches:
      assert b['image'].shape == (batch, 3, 16, 16, 3)
      for place in np.flatnonzero(b['mask']):
        found[first + int(place)] = b['image'][place], int(b['label'][place])
      first += batch * hosts
  assert sorted(found) == list(range(11))
  for i, (image, label) in found.items():
    assert label == i % 10
    whole = records.decode(encoded.examples(11)[i].image)
    for view in range(3):
      drawn = dataset.augmentation.draws(5, views.Rows(*(
          np.array([x], np.int32) for x in (i, 0, view))), 16, 16, 2)
      flip = drawn.get('flip', {'flip': np.zeros(1, np.int32)})
      np.testing.assert_array_equal(
          image[view], crops.views_of(whole, {**drawn['crop'], **flip}, 16, 3)[0])
  assert (found[0][0][0] != found[0][0][1]).any()


def test_evaluation_names_a_bad_record(tmp_path):
  rows = encoded.examples(20)
  rows[6] = rows[6]._replace(image=b'')
  encoded.write(tmp_path, (20,), rows, validation=11)
  opened = records.open_split('photographs', 'validation', str(tmp_path))
  with pytest.raises(errors.UserError, match='record 6 of shard photographs-validation'):
    list(stream_evaluation.eval_batches(opened, 4, method='crop_resize', size=24))


def test_a_run_is_built_from_the_config(stored):
  run = _build(stored)
  facts = run.dataset.facts
  assert facts == run.experiment.facts
  assert (facts.train_examples, facts.outputs, facts.row_shape) == (63, 10, (16, 16, 3))
  assert run.derived.left_out == run.plan.left_out == 7
  batch = next(run.dataset.train_batches(run.plan, 0, 3, 4))
  np.testing.assert_array_equal(batch['example'], run.plan.update(3).example)
  assert {'partner_label', 'weight'} <= batch.keys()


@pytest.mark.parametrize('changes, message', [
    ({'augment': 'flip() | normalise()'}, 'allowed: a way that begins with a crop'),
    ({'augment': "crop(16) | mix('mixup()', partners='pairs') | normalise()"},
     "partners='pairs', which a streamed set lacks; allowed: 'batch', 'fresh'"),
    ({'augment': "crop(16) | mix('mixup()') | normalise()", 'lanes': 8}, 'over 8 groups'),
    ({'augment': 'crop(16) | randaugment(magnitude=5) | normalise()'}, "needs the key 'contrast'"),
    ({'augment': 'crop(0) | normalise()'}, 'crop has size=0'),
    ({'augment': 'crop(16) | normalise() | cutout(18)'}, 'images of 16x16'),
    ({'apply': 'gpu'}, "data.apply='gpu'"), ({'lanes': 3}, 'data.lanes=3'),
    ({'eval_crop': 'crop'}, "unknown evaluation crop 'crop'"),
    ({'test_split': 'test'}, "no split 'test'"),
    ({'crop': 16}, "no key 'data.crop'"),
    ({'train_images': 10}, "no key 'data.train_images': the input 'stream'")])
def test_refuses(stored, changes, message):
  with pytest.raises((errors.ConfigError, errors.UserError), match=message):
    _build(stored, **changes)


@pytest.mark.parametrize('augment, message', [
    ('crop(16) | normalise()', r'has crop\(\), which a set in memory lacks; allowed: cutout, flip'),
    ("mix('cutmix()', partners='fresh') | normalise()", "allowed: order.name='shuffled'")])
def test_what_a_set_in_memory_lacks_is_refused_by_name(augment, message):
  config = sections.override(schema.get_default(), {
      'unique': 8, 'data.augment': augment, 'order.name': 'class_batches'})
  with pytest.raises(errors.ConfigError, match=message):
    run_lib.build(config)


def test_a_streamed_set_has_no_other_order(stored):
  config = sections.override(tiny_stream.get_config(), {
      'data.data_dir': stored, 'order.name': 'class_batches'})
  with pytest.raises(errors.ConfigError, match="allowed: order.name='shuffled'"):
    run_lib.build(config)


def test_bad_records_are_left_out_by_name(tmp_path, caplog):
  rows = encoded.examples(sum(encoded.LENGTHS))
  rows[20] = rows[20]._replace(image=b'nothing')
  encoded.write(tmp_path, encoded.LENGTHS, rows, validation=11)
  run = _build(str(tmp_path), on_bad_record='skip', bad_fraction=0.05)
  assert run.dataset.bad == (20,) and run.derived.train_images == 62
  assert 'left out: record 7 of shard photographs-train.tfrecord-00002' in caplog.text
  shown = [b['example'] for b in run.dataset.train_batches(run.plan, 0, 0, 7)]
  assert len(set(np.concatenate(shown))) == 56 and 20 not in np.concatenate(shown)


@pytest.mark.slow
def test_bad_records_are_counted_in_the_metrics(tmp_path):
  rows = encoded.examples(sum(encoded.LENGTHS))
  rows[20] = rows[20]._replace(image=b'nothing')
  encoded.write(tmp_path / 'data', encoded.LENGTHS, rows, validation=11)
  flags = (f'--config.data.data_dir={tmp_path / "data"}', '--config.data.on_bad_record=skip',
           '--config.data.bad_fraction=0.05', '--config.budget=2 updates')
  commands.train(tmp_path / 'run', *flags, config='tests/tiny_stream.py')
  lines = [json.loads(x) for x in (tmp_path / 'run/metrics.jsonl').read_text().splitlines()]
  assert [x['bad_records'] for x in lines if x['split'] == 'train_views'] == [1]
  done = commands.run('nfnets_am.train', '--config=tests/tiny_stream.py',
                      f'--workdir={tmp_path / "few"}', *flags, '--config.data.bad_fraction=0.01')
  assert done.returncode == 1 and '1 of 63 records' in done.stderr
  assert 'more than data.bad_fraction=0.01 allows' in done.stderr


@pytest.mark.slow
def test_trains_and_resumes_bit_identically(stored, tmp_path):
  flags = (f'--config.data.data_dir={stored}',)
  config = 'tests/tiny_stream.py'
  commands.train(tmp_path / 'whole', *flags, config=config)
  lines = [json.loads(x) for x in (tmp_path / 'whole/metrics.jsonl').read_text().splitlines()]
  assert [x['images'] for x in lines if x['split'] == 'test'][-1] == 7 + 4
  with commands.start('nfnets_am.train', f'--config={config}', f'--workdir={tmp_path / "parts"}',
                      *flags) as process:
    while process.poll() is None and not list((tmp_path / 'parts').glob('checkpoints/*')):
      time.sleep(0.05)
    process.kill()
    process.communicate()
  commands.train(tmp_path / 'parts', *flags, config=config)
  assert (tmp_path / 'parts/metrics.jsonl').read_bytes() == (
      tmp_path / 'whole/metrics.jsonl').read_bytes()
  commands.assert_same(
      commands.final_state(tmp_path / 'parts'), commands.final_state(tmp_path / 'whole'))
