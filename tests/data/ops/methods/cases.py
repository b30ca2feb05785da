"""The mixing methods as the tests make them, and random rows to mix."""

import numpy as np

from nfnets_am.data.ops import methods

HEIGHT, WIDTH, CHANNELS = 9, 12, 3
# The text of every case, which is its name, with its arguments.
CASES = {
    f'{name}({", ".join(f"{k}={v!r}" for k, v in kwargs.items())})': (name, kwargs)
    for name, kwargs in [
        ('bc_plus', {}),
        ('bc_plus', {'law': 'text', 'epsilon': 0.1}),
        ('cutmix', {}),
        ('horizontal_concat', {}),
        ('mixed_concat', {'alpha': 2}),
        ('mixup', {}),
        ('noisy_mixup', {}),
        ('random_2x2', {}),
        ('random_column_interval', {}),
        ('random_column_interval', {'law': 'public'}),
        ('random_columns', {}),
        ('random_elements', {}),
        ('random_pixels', {'alpha': 0.5}),
        ('random_row_interval', {}),
        ('random_row_interval', {'law': 'public'}),
        ('random_rows', {}),
        ('random_square', {'size': 6}),
        ('random_square', {'size': 6, 'law': 'public'}),
        ('vertical_concat', {}),
        ('vh_bc_plus', {}),
        ('vh_bc_plus', {'law': 'text'}),
        ('vh_mixup', {})]}
METHODS = {case: methods.METHODS.make(name, **kwargs) for case, (name, kwargs) in CASES.items()}
ON_BYTES = [case for case, method in METHODS.items() if not method.floats]


def words(method, rows, seed=0):
  """Random words of a method's rows; the first and the last row have the lowest and the highest."""
  drawn = np.random.default_rng(seed).integers(0, 2**32, (4 * method.blocks, rows), np.uint32)
  drawn[:, 0], drawn[:, -1] = 0, 2**32 - 1
  return drawn


def many(name, height=32, width=32, rows=20_000, **kwargs):
  """The draws of many rows."""
  method = methods.METHODS.make(name, **kwargs)
  method.check(height, width)
  drawn = np.random.default_rng(1).integers(0, 2**32, (4 * method.blocks, rows), np.uint32)
  return method.draw(drawn, height, width)
