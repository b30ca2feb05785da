"""A sweep of a few cells with made-up runs, for one check at a time."""

from nfnets_am.sweeps import experiment_file
from tests import made_up

# The largest set of CIFAR: two standard errors of two networks at 70% are 1.3 points.
ONE, FOUR = {'multiplicity': 1}, {'multiplicity': 4}


def verdict(check, value, *, seeds=5, ns=(1, 4), epochs=(128,), peaks=(0.0625,), **options):
  """The verdict of a check where the accuracy, in percent, is value(n, epochs, peak)."""
  sweep = experiment_file.Sweep(
      'simple', tuple({'multiplicity': n, 'unique': 64, 'epochs': e, 'peak': p, 'seed': seed}
                      for n in ns for e in epochs for p in peaks for seed in range(seeds)),
      tune='peak', others=('train/loss',), **options)
  return check(made_up.results(sweep, lambda cell, metric: value(
      cell['multiplicity'], cell['epochs'], cell['peak'])))


def outcome(check, value, **options):
  """As `verdict`, its outcome."""
  return verdict(check, value, **options).outcome


def of_n(values):
  """Accuracies by n alone."""
  return lambda n, epochs, peak: values[n]
