"""Figure 1: the same images with one view, with more rows, and with fewer images."""

import numpy as np

from experiments.fort2021 import figure1

_WHERE = {'rows': 6, 'data_set': 'fashion_mnist_small', 'data_dir': '', 'size': 0, 'seed': 1}


def test_the_images_are_kept_or_the_views_are(tmp_path):
  one, growing, fixed = (figure1.views(form, **_WHERE) for _, form in figure1.FORMS)
  examples = lambda shown: [example for example, _ in shown]
  rows = lambda shown: sum(len(views) for _, views in shown)
  assert (len(one), rows(one)) == (6, 6)
  # U is kept: the same images, twice as many views.
  assert examples(growing) == examples(one) and rows(growing) == 12
  # B is kept: the first half of the images, as many views.
  assert examples(fixed) == examples(one)[:3] and rows(fixed) == 6
  for (_, alone), (_, both) in zip(one, growing, strict=True):
    np.testing.assert_allclose(both[0], alone[0], atol=1e-6)
  assert any(np.abs(views[0] - views[1]).max() > 0.1 for _, views in growing)
  figure1.draw(tmp_path / 'new' / 'x.png', **_WHERE)
  assert (tmp_path / 'new' / 'x.png').stat().st_size > 20_000
