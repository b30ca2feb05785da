"""What a sink is told in tests, and lines as a run writes them."""

import ml_collections

from nfnets_am.storage import run_folder
from nfnets_am.storage.sinks import sink


def of(folder, update: int) -> sink.Facts:
  """Returns what is said of a start after `update` in a folder."""
  config = ml_collections.ConfigDict({'seed': 3, 'model': {'name': 'tiny'}, 'at': ('1 epochs',)})
  return sink.Facts(folder=run_folder.RunFolder(folder), name='tiny-n2-seed3',
                    experiment='fort2021-figure2', config=config.to_dict(), update=update)


def lines(*updates: int) -> list[dict]:
  """Returns two lines for each update; every number follows from its update."""
  return [{'update': update, 'epochs': update / 100, 'split': split, 'loss': 1 / update}
          for update in updates for split in ('train_views', 'test')]


def rows(*updates: int) -> dict[int, dict[str, float]]:
  """Returns update -> all that is known of it, as a service shows it."""
  return {update: {'epochs': update / 100, 'train_views/loss': 1 / update, 'test/loss': 1 / update}
          for update in updates}
