"""The derived numbers, against those of the papers (pitfalls P4, P5, P34, P38)."""

import pytest

from nfnets_am.config import derived as derived_lib
from nfnets_am.config import schema
from nfnets_am.core import durations
from nfnets_am.core import errors
from nfnets_am.training import sections

IMAGENET, CIFAR = 1_281_167, 50_000


def _derive(train_images, devices=1, hosts=1, **values):
  config = sections.override(schema.get_default(), values)
  schema.validate(config)
  return derived_lib.derive(config, train_images=train_images, devices=devices, hosts=hosts)


@pytest.mark.parametrize('values, unique, views', [
    ({'unique': 64, 'multiplicity': 4}, 64, 256),
    ({'views': 1024, 'multiplicity': 4}, 256, 1024),
    ({'views': 64, 'multiplicity': 4}, 16, 64),
    ({'views': 64, 'multiplicity': 16}, 4, 64),
    ({'views': 64, 'multiplicity': 16, 'neighbouring': True}, 64, 64),
    ({'unique': 64, 'multiplicity': 0}, 64, 64),
])
def test_batch_means_what_the_scheme_says(values, unique, views):
  derived = _derive(CIFAR, **values)
  assert (derived.unique, derived.views) == (unique, views)


@pytest.mark.parametrize('updates, epochs', [
    (112_600, {1: 360.0, 2: 180.0, 4: 90.0, 8: 45.0, 16: 22.5}),
    (168_900, {1: 540.0, 2: 270.0, 4: 135.0, 8: 67.5, 16: 33.7}),
    (225_200, {4: 180.0, 8: 90.0, 16: 45.0}),
])
def test_epochs_count_unique_images(updates, epochs):
  for n, expected in epochs.items():
    derived = _derive(IMAGENET, views=4096, multiplicity=n, budget=f'{updates} updates')
    assert derived.updates == updates
    assert round(derived.epochs, 1) == expected


@pytest.mark.parametrize('n', [1, 2, 4, 8, 16])
def test_updates_in_an_epoch(n):
  assert _derive(CIFAR, unique=64, multiplicity=n).updates_per_epoch == 781.25
  fixed = _derive(CIFAR, views=1024, multiplicity=n)
  assert fixed.updates_per_epoch == pytest.approx(48.828125 * n)
  assert _derive(CIFAR, views=64, multiplicity=n).updates_per_epoch == 781.25 * n
  neighbouring = _derive(CIFAR, views=1024, multiplicity=n, neighbouring=True)
  assert neighbouring.updates_per_epoch == pytest.approx(48.828125 * n)
  assert neighbouring.updates_per_pass == 48 * n


def test_a_budget_in_epochs_stretches_with_n_in_updates():
  assert _derive(CIFAR, views=1024, multiplicity=1, budget='128 epochs').updates == 6_250
  assert _derive(CIFAR, views=1024, multiplicity=16, budget='128 epochs').updates == 100_000


def test_what_a_pass_leaves_out_is_counted():
  derived = _derive(CIFAR, unique=64)
  assert (derived.updates_per_pass, derived.left_out) == (781, 16)


@pytest.mark.parametrize('values, devices, hosts, words', [
    ({'unique': 64}, 1, 3, ['64 unique images', '3 hosts']),
    ({'views': 64, 'multiplicity': 16}, 8, 1, ['4 unique images', '8 devices', 'multiplicity=16']),
    ({'unique': 9}, 6, 1, ['9 views', '6 devices']),
    ({'unique': 60_000}, 1, 1, ['60000', '50000']),
    ({'unique': 64, 'accumulate': 7}, 1, 1, ['accumulate=7', '64 views']),
    ({'unique': 64, 'budget': '0.1 updates'}, 1, 1, ['budget', 'at least 1']),
])
def test_what_cannot_be_shared_out_is_refused_with_the_numbers(values, devices, hosts, words):
  with pytest.raises(errors.ConfigError) as e:
    _derive(CIFAR, devices=devices, hosts=hosts, **values)
  for word in words:
    assert word in str(e.value)


def test_durations_in_every_unit():
  derived = _derive(CIFAR, unique=64, multiplicity=4, budget='2 epochs')
  assert derived.updates == round(2 * 781.25)
  assert derived.to_updates('x', '0.5 epochs') == 390.625
  assert derived.to_updates('x', '1563.9246 updates') == 1563.9246
  assert derived.to_updates('x', '1e3 views') == 1000 / 256
  assert derived.to_updates('x', '50 percent') == derived.updates / 2
  assert derived.to_updates('x', '1 epoch') == 781.25
  with pytest.raises(errors.ConfigError, match='percentage'):
    durations.to_updates('budget', '5 percent', updates_per_epoch=1, views=1)


def test_a_key_with_an_interval_has_one_in_updates():
  derived = _derive(
      CIFAR, unique=64, budget='10 epochs', log_every='0.1 updates', eval_every='1 epochs',
      **{'checkpoint.every': '10 percent', 'checkpoint.at': ('2 epochs', '5000 updates')})
  assert (derived.log_every, derived.eval_every, derived.checkpoint_every) == (1, 781, 781)
  assert derived.checkpoint_at == (1562, 5000)
  assert derived.interval('evals.test.every', '50 percent') == derived.updates / 2


def test_temperature_is_defined_for_a_fixed_batch_only():
  assert _derive(CIFAR, views=64, multiplicity=4).temperature == pytest.approx(0.4)
  neighbouring = _derive(CIFAR, views=64, multiplicity=4, neighbouring=True)
  assert neighbouring.temperature == pytest.approx(0.4)
  assert _derive(CIFAR, unique=64, multiplicity=4).temperature is None
