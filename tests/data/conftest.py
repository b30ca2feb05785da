"""A few hundred stored photographs, written once."""

import pytest

from nfnets_am.data import records
from tests.data import encoded


@pytest.fixture(scope='session')
def stored(tmp_path_factory):
  """Training split of 300 photographs in five shards; image i is named 'i.JPEG'. Not to change."""
  path = tmp_path_factory.mktemp('tfds')
  encoded.write(path, encoded.LENGTHS)
  return records.open_split('photographs', 'train', str(path))
