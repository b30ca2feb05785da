"""Where warped pixels come from, against the same in doubles."""

import numpy as np
import pytest

from nfnets_am.data.ops import randaugment
from nfnets_am.data.ops import warp


@pytest.mark.parametrize('magnitude', [1, 5, 10, 15, 20])
def test_only_sources_between_two_pixels_depend_on_rounding(magnitude):
  level, height, width = randaugment.levels(magnitude), 61, 75
  x, y = np.arange(width), np.arange(height)[:, None]
  for sign in (-1, 1):
    for matrix in (warp.rotate(sign * level.degrees, height, width),
                   warp.shear_x(sign * level.shear), warp.shear_y(sign * level.shear)):
      a, b, c, d, e, f = matrix.astype(float)
      col, row = a * x + b * y + c, d * x + e * y + f
      near = lambda v: np.floor(v + 0.5)
      inside = ((near(col) >= 0) & (near(col) < width) & (near(row) >= 0) & (near(row) < height))
      wanted = np.where(inside, near(row) * width + near(col), -1)
      halfway = (np.abs(col % 1 - 0.5) < 1e-4) | (np.abs(row % 1 - 0.5) < 1e-4)
      found = warp._source(tuple(matrix.tolist()), height, width)
      np.testing.assert_array_equal(found[~halfway], wanted[~halfway])
