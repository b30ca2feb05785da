"""Figure A.1: the bound is attained, normal values stay above it, inference does not."""

import numpy as np
import pytest

from experiments.summers2021 import figureA_1


def test_the_bound_is_exact_in_training_and_none_at_inference(tmp_path):
  rows = figureA_1.measure((2, 32, 512))
  # The figure has -5.57 at log2 N = 5.
  assert [row['bound'] for row in rows] == pytest.approx([-1, -5.5678, -22.6053], abs=1e-4)
  for row in rows:
    assert row['worst'] == pytest.approx(row['bound'], rel=1e-4)
    # Of two close values float32 loses the variance beside the mean.
    assert row['normal'] >= row['bound'] * 1.01
  assert rows[0]['inference'] < rows[0]['bound']
  values = figureA_1._normal(32)
  deviations = (values - values.mean(1, keepdims=True)) / values.std(1, keepdims=True)
  assert rows[1]['normal'] == pytest.approx(np.float64(deviations).min(), rel=1e-4)
  figureA_1.draw(rows, tmp_path / 'figure.png')
  assert (tmp_path / 'figure.png').stat().st_size > 1000
