"""Contact sheets show each mixture beside the two images that it is made of."""

import numpy as np
import pytest

from experiments.summers2021 import figure2_1
from experiments.summers2021 import recipes
from experiments.summers2021 import sheets
from nfnets_am.core import errors

_OF = {'data_set': 'fashion_mnist_small', 'data_dir': '', 'size': 0}


def test_a_mixture_is_of_the_two_images_that_stand_before_it():
  rows = sheets.cells(('mixup', 'vertical_concat'), pairs=2, seed=3, **_OF)
  assert len(rows) == 2
  for row in rows:
    (own, _), (partner, _), (mixed, mixup), (joined, concat) = row
    share = float(mixup.splitlines()[1])
    # Captions have two digits, and normalisation is undone in float32.
    np.testing.assert_allclose(mixed, share * own + (1 - share) * partner, atol=0.01)
    upper = round(float(concat.splitlines()[1]) * 28)
    np.testing.assert_allclose(joined, np.concatenate([own[:upper], partner[upper:]]), atol=1e-6)
    assert mixup.startswith('mixup') and concat.startswith('Vert. Concat.')


def test_the_first_figure_has_eight_methods_and_a_file(tmp_path):
  assert len(set(figure2_1.METHODS)) == 8 and set(figure2_1.METHODS) < set(recipes.MIXED)
  # All of them are better than no mixing in the table, as the caption says.
  assert not {'random_pixels', 'random_elements'} & set(figure2_1.METHODS)
  sheets.draw(('mixup',), tmp_path / 'new' / 'sheet.png', pairs=1, data_set='fashion_mnist_small')
  assert (tmp_path / 'new' / 'sheet.png').stat().st_size > 5_000
  with pytest.raises(errors.UserError, match='--pairs=0; allowed: 1 to 16'):
    sheets.draw(('mixup',), tmp_path / 'x.png', pairs=0, data_set='fashion_mnist_small')
