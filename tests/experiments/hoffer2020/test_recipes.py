"""The paper's columns and regimes: samples, updates, and the rate at every drop."""

import ml_collections
import numpy as np
import pytest

from experiments.hoffer2020 import figure3
from experiments.hoffer2020 import recipes
from experiments.hoffer2020 import section4
from experiments.hoffer2020 import table2
from nfnets_am.config import derived as derived_lib
from nfnets_am.core import errors
from nfnets_am.optim import schedules
from nfnets_am.training import described
from nfnets_am.training import sections

_IMAGES = {'cifar10': 50_000, 'cifar100': 50_000, 'imagenet2012': 1_281_167}


def derive(config: ml_collections.ConfigDict) -> derived_lib.Derived:
  config = sections.complete(config)
  return derived_lib.derive(config, train_images=_IMAGES[config.data.set])


def rate(config: ml_collections.ConfigDict):
  config = sections.complete(config)
  derived = derive(config)
  keys = described.in_updates(derived, 'schedule', config, schedules.SCHEDULES)
  return schedules.SCHEDULES.make(keys.pop('name'), keys.pop('peak'), derived.updates, **keys)


@pytest.mark.parametrize('row', recipes.ROWS)
def test_the_columns_have_equal_updates_and_two_of_them_equal_samples(row):
  found = {column: derive(recipes.config(row, column)) for column in recipes.COLUMNS}
  steps, samples, ba = found['fixed_steps'], found['fixed_samples'], found['ba']
  many = recipes.ROWS[row].multiplicity
  assert ba.updates == steps.updates and ba.unique == steps.unique
  assert ba.views == samples.views == samples.unique == many * steps.views
  # An epoch that an update of M B images divides less well leaves out more of them.
  assert samples.updates == pytest.approx(ba.updates, rel=many * steps.unique / 40_000)
  assert samples.epochs == many * steps.epochs


@pytest.mark.parametrize('row, rates', [
    # (epoch of the last update at a rate, rate); B6 of the public code's regimes.
    ('resnet44_cifar10', [(80, .1), (99, .01)]),
    ('vgg16_cifar100', [(59, .1), (119, .02), (159, .004), (199, .0008)]),
    ('wrn28_10_cifar10', [(59, .1), (119, .02), (159, .004), (199, .0008)]),
    ('densenet_cifar100', [(149, .1), (224, .01), (299, .001)]),
    ('alexnet_imagenet', [(29, .1), (59, .01), (79, .001), (89, .0001)]),
])
@pytest.mark.parametrize('column', recipes.COLUMNS)
def test_rates_drop_with_the_epoch(row, rates, column):
  config = recipes.config(row, column)
  schedule, derived = rate(config), derive(config)
  longer = recipes.ROWS[row].multiplicity if column == 'fixed_samples' else 1
  first = 0
  for last, value in rates:
    # An epoch of 50,000 images and 64 in an update has 781.25 updates: a drop is between two.
    for epoch in (first + 0.01, last + 0.99):
      t = round(epoch * longer * derived.updates_per_epoch)
      assert float(schedule(t)) == pytest.approx(value), epoch
    first = last + 1
  assert derived.epochs == pytest.approx(first * longer, rel=1e-4)


def test_searched_networks_follow_a_cosine_by_epochs():
  config = recipes.config('darts_cifar10', 'ba')
  schedule, derived = rate(config), derive(config)
  for epoch in (0, 1, 300, 599):
    ends = (np.array([epoch + 0.01, epoch + 0.99]) * derived.updates_per_epoch).astype(int)
    wanted = 0.025 * (1 + np.cos(np.pi * epoch / 600)) / 2
    np.testing.assert_allclose(schedule(ends), wanted, rtol=1e-4)


def test_the_large_batch_ramps_from_a_tenth():
  config = section4.get_config('regime=large_ba')
  schedule, derived = rate(config), derive(config)
  each = derived.updates_per_epoch
  assert (derived.unique, derived.views) == (8192, 32_768)
  for epoch, value in ((0, .1), (2.5, 1.65), (5, 3.2), (29, 3.2), (31, .32), (61, .032),
                       (81, .0032)):
    assert float(schedule(round(epoch * each))) == pytest.approx(value, rel=0.01)


@pytest.mark.parametrize('power, value', [(0, .1), (0.5, .1 * 10**.5), (2, 10.)])
def test_rates_are_multiplied_by_powers_of_m(power, value):
  schedule = rate(figure3.get_config(f'column=fixed_samples,power={power}'))
  assert float(schedule(0)) == pytest.approx(value)


def test_a_row_of_table_2_alone_has_the_runs_of_the_whole():
  whole, row = table2.get_sweep(), table2.get_sweep('darts_cifar10')
  assert row.cells == tuple(cell for cell in whole.cells if cell['row'] == 'darts_cifar10')
  assert [number.printed for number in row.numbers] == ['97.65', '97.63', '97.85']
  assert [claim.text for claim in row.claims] == [
      claim.text for claim in whole.claims if claim.text.startswith('DARTS')]
  assert len(row.cells) == 3 and len(row.claims) == 2
  with pytest.raises(errors.ConfigError, match="scale='dart_cifar10'.*allowed: full, smoke, or a"):
    table2.get_sweep('dart_cifar10')


@pytest.mark.parametrize('cell, message', [
    ({'row': 'resnet45', 'column': 'ba'}, 'resnet45'),
    ({'row': 'darts_cifar10', 'column': 'baseline'}, "column='baseline'"),
    ({'row': 'darts_cifar10', 'column': 'ba', 'scale': 'tiny'}, "scale='tiny'"),
])
def test_refuses(cell, message):
  with pytest.raises(errors.ConfigError, match=message):
    recipes.config(**cell)
