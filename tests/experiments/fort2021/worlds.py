"""What runs may look like: accuracies in percent over a cell's n, budget and learning rate."""

import math

log2 = math.log2
# Centres of the grids of learning rates.
RATE = 0.0625


def n(cell):
  """The multiplicity, or what stands for it."""
  return max(1, cell['multiplicity'])


def rate(cell):
  """The learning rate in steps of its grid, 0 at the centre of the Wide-ResNet's."""
  model = cell.get('model', 'wide_resnet')
  batch = cell.get('views') or cell['unique']
  return log2(cell['peak'] / (RATE if model == 'wide_resnet' else 0.1 * batch / 256))


def hill(cell, top, epochs=128, steps=0, steep=3.0):
  """An accuracy with its top at a budget and a learning rate, less by `steep` for each octave."""
  return top - steep * (abs(log2(cell['epochs'] / epochs)) + abs(rate(cell) - steps))


def tops(cell, by_n, **options):
  """A hill whose top is that of its multiplicity, or of the largest named one below."""
  named = max(name for name in by_n if name <= n(cell))
  return hill(cell, by_n[named], **options)


def only(metric_of, value, other=1.0):
  """A world in which one metric is of interest: `value`(cell) of it, `other` of all others."""
  return lambda cell, metric: value(cell) if metric == metric_of else other


def accuracy(value):
  """A world of test accuracies."""
  return lambda cell, metric: value(cell) if metric.startswith('test/') else 1.0
