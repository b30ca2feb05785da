"""The benchmark's contenders make what they are said to make."""

import json

import numpy as np
import pytest

from benchmarks import input_imagenet
from nfnets_am.data.stream import records
from nfnets_am.data.tools import stand_in


@pytest.fixture(scope='module')
def opened(tmp_path_factory):
  path = str(tmp_path_factory.mktemp('tfds'))
  stand_in.write(path, train=32, test=1, shards=2)
  return records.open_split('imagenet2012', 'train', path)


@pytest.mark.slow
@pytest.mark.parametrize('name', input_imagenet.CONTENDERS)
def test_contenders_make_different_views_of_one_image(opened, name):
  stream = input_imagenet.CONTENDERS[name](opened, 16, 4, 24)
  image = next(stream)
  assert image.shape == (16, 24, 24, 3)
  assert image.dtype == (np.float32 if name == input_imagenet.PEER else np.uint8)
  # Translations by 150 pixels leave nothing but grey of such small crops.
  assert len({view.tobytes() for view in image}) >= (4 if 'recipe' in name else 16)


@pytest.mark.slow
def test_prints_and_writes_a_row_for_each_contender(tmp_path):
  path = tmp_path / 'rows.json'
  input_imagenet.main(['--images=32', '--size=24', '--views=8', '--rounds=1', '--seconds=0.05',
                       '--multiplicity', '2', f'--json={path}'])
  rows = json.loads(path.read_text())
  assert [row['contender'] for row in rows] == [*input_imagenet.CONTENDERS, 'floor']
  assert all(row['views_per_second'] > 0 for row in rows) and rows[0]['ratio'] == 1


def test_aims_are_ratios_within_a_round_of_what_was_measured():
  rates = {(1, 'ours'): [130, 100, 90], (1, 'per view uint8'): [100, 50, 100],
           (16, 'ours'): [300., 200, 100], (16, 'ours, recipe'): [80, 60, 20]}
  of_recipe, of_crops = input_imagenet.aims(rates)
  # 0.8, 1.2 and 0.2; the medians' ratio would be 0.6.
  assert (of_recipe['median'], of_recipe['lowest'], of_recipe['highest']) == (0.8, 0.2, 1.2)
  assert of_recipe['aim'] == 1 and '16' in of_recipe['ratio'] and '1' in of_recipe['to']
  # 1.3, 2 and 0.9; crops at n = 16 have nothing to be held against here.
  assert (of_crops['median'], of_crops['aim']) == (1.3, 1.2)
