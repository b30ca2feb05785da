"""Stored sets of encoded photographs, which tests read and do not change."""

import pytest

from nfnets_am.data.stream import records
from tests.data import encoded


@pytest.fixture(scope='session')
def stored(tmp_path_factory):
  """The folder of the set 'photographs': 63 images to train on, 11 to test on."""
  path = tmp_path_factory.mktemp('tfds')
  encoded.write(path, encoded.LENGTHS, validation=11)
  return str(path)


@pytest.fixture(scope='session')
def opened(stored):
  """Its training split."""
  return records.open_split('photographs', 'train', stored)


@pytest.fixture(scope='session')
def many(tmp_path_factory):
  """The training split of a larger set: 300 images."""
  path = tmp_path_factory.mktemp('many')
  encoded.write(path, encoded.MANY)
  return records.open_split('photographs', 'train', str(path))
