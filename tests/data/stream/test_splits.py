"""Splits of each class: exact counts, nothing in two of them, and a function of seed and names."""

import numpy as np
import pytest

from nfnets_am.core import errors
from nfnets_am.data.stream import splits

# 256 classes of 80 and more, as Caltech-256 without its clutter.
CALTECH = {f'{i:03}.class': tuple(f'{i:03}.class/{j:04}.jpg' for j in range(80 + 7 * i % 40))
           for i in range(1, 257)}
RULE = 'per_class(train=40, validation=10, test=30)'


def test_caltech_256_has_the_published_splits():
  found = splits.split(CALTECH, RULE)
  total = {part: sum(map(len, by_class.values())) for part, by_class in found.items()}
  assert total == {'train': 10_240, 'validation': 2560, 'test': 7680}
  for name, files in CALTECH.items():
    parts = [found[part][name] for part in splits.NAMES]
    assert list(map(len, parts)) == [40, 10, 30]
    together = [file for part in parts for file in part]
    assert len(set(together)) == 80 and set(together) <= set(files)
    assert all(list(part) == sorted(part) for part in parts)


def test_every_image_is_as_likely_in_each_split():
  """Over 300 seeds, each of 8 images is trained on half of the times."""
  one = {'a': tuple(f'a/{i}.png' for i in range(8))}
  counts = np.zeros(8)
  for seed in range(300):
    train = splits.split(one, f'per_class(train=4, test=4, seed={seed})')['train']['a']
    counts[[int(file[2]) for file in train]] += 1
  # The standard deviation is 8.7.
  assert np.abs(counts - 150).max() < 35


def test_a_class_is_split_alike_whatever_the_others_are():
  whole = splits.split(CALTECH, RULE)
  few = splits.split({name: CALTECH[name][::-1] for name in ('007.class', '200.class')}, RULE)
  for part in splits.NAMES:
    for name in few[part]:
      assert set(few[part][name]) == set(whole[part][name])
  moved = splits.split(
      {name: tuple('other/' + file for file in files) for name, files in CALTECH.items()}, RULE)
  assert moved['test']['009.class'] == tuple('other/' + f for f in whole['test']['009.class'])


def test_seeds_are_other_splits():
  a, b, default = (splits.split(CALTECH, f'per_class(train=40, test=30{end})')['train']
                   for end in (', seed=1', ', seed=2', ''))
  assert a != b and default not in (a, b)


@pytest.mark.parametrize('rule, images, counts', [
    ('share(train=0.8, test=0.2)', 10, (8, 0, 2)),
    ('share(train=0.8, test=0.2)', 11, (9, 0, 2)),
    ('share(train=0.8, test=0.2)', 4, (4, 0, 0)),
    ('share(train=0.7, validation=0.1, test=0.2)', 100, (70, 10, 20)),
    ('share(train=0.7, validation=0.1, test=0.2)', 29, (22, 2, 5)),
    ('share(train=0.3, test=0.3)', 10, (3, 0, 3)),
    ('share(train=0.5, test=0.25)', 3, (2, 0, 0)),
    ('share(train=0.8, test=0.2)', 1, (1, 0, 0))])
def test_shares_round_towards_training(rule, images, counts):
  classes = {'a': tuple(f'a/{i}.png' for i in range(images)),
             'large': tuple(f'large/{i}.png' for i in range(20))}
  found = splits.split(classes, rule)
  assert tuple(len(found.get(part, {'a': ()})['a']) for part in splits.NAMES) == counts


def test_a_class_too_small_to_test_on_is_named(caplog):
  classes = {'ant': ('ant/0.jpg',) * 1, 'bee': tuple(f'bee/{i}.jpg' for i in range(10))}
  found = splits.split(classes, splits.DEFAULT)
  assert found['train']['ant'] == ('ant/0.jpg',) and found['test']['ant'] == ()
  (message,) = caplog.messages
  assert message.startswith('1 of 2 classes') and "the first 'ant' with 1" in message


@pytest.mark.parametrize('rule, message', [
    ('per_class(train=2, test=1)', "the class 'ant' has 1 images, and data.split takes 3"),
    ('share(train=0.5, test=0.3)', "the class 'ant' has 1 images, of which data.split leaves none"),
    ('per_class(train=2)', "needs the key 'test'"),
    ('per_class(train=0, test=1)', r'per_class\(train=0\); allowed: whole numbers from 1'),
    ('per_class(train=2, test=1, valid=1)', "no key 'valid'.*did you mean"),
    ('share(train=0.8, test=0.3)', 'add up to 1.1'),
    ('share(train=0.8, test=1.5)', r'share\(test=1.5\); allowed: numbers between 0 and 1'),
    ('share(train=0.8, test=0.2, seed=0.5)', 'seed=0.5'),
    ('per_class', r'write per_class\(\)'), ('each(train=1)', "unknown split 'each'"),
    ('share(train=0.8, test=0.2) | share(train=0.8, test=0.2)', 'allowed: one call')])
def test_refuses(rule, message):
  classes = {'bee': tuple(f'bee/{i}.jpg' for i in range(10)), 'ant': ('ant/0.jpg',)}
  with pytest.raises(errors.UserError, match=message):
    splits.split(classes, rule)


def test_a_test_split_without_images_is_refused():
  with pytest.raises(errors.UserError, match="no class has enough images.*'ant', has 3"):
    splits.split({'ant': ('ant/0.jpg', 'ant/1.jpg', 'ant/2.jpg')}, splits.DEFAULT)
