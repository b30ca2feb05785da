"""Every number that follows from a config, computed here and nowhere else.

Printed when a run starts and written beside its results.
"""

from collections.abc import Callable
import dataclasses

import ml_collections

from nfnets_am.core import durations
from nfnets_am.core import errors


@dataclasses.dataclass(frozen=True)
class Derived:
  """What a config means for a data set, a number of devices and a number of hosts.

  Attributes:
    scheme: 'growing' (U fixed), 'fixed' (B fixed) or 'neighbouring' (Fort et al. 2021, sections 2
      and 3, appendix C).
    multiplicity: n; 0 is the raw image.
    copies: views of a unique image within one update: n, or 1 when neighbouring or raw.
    unique: U, unique images in one update over all hosts.
    views: B, rows in one update over all hosts.
    train_images: N, unique images to train on.
    updates_per_epoch: exact, N / (unique images new to an update): 781.25 for N = 50,000, U = 64.
    updates_per_pass: updates in one seeded pass over the images, which leaves `left_out` out.
    left_out: images that a pass leaves out, others in each pass.
    updates: length of the run.
    epochs: unique images that the run draws, over N.
    temperature: peak learning rate times n (Fort et al. 2021, Figure 7); None for a growing batch,
      for which it is not defined.
    devices, hosts: over which an update is spread.
    views_per_device: rows of one device.
    unique_per_device: unique images of one device; a fraction if an image's views lie on two.
    copies_per_host: views of a unique image that one host makes in an update.
    accumulate: micro-batches that a device's rows are cut into.
    log_every, eval_every, checkpoint_every: in updates, at least 1; an evaluation may have another
      interval.
    checkpoint_at: updates whose checkpoints stay.
  """

  scheme: str
  multiplicity: int
  copies: int
  unique: int
  views: int
  train_images: int
  updates_per_epoch: float
  updates_per_pass: int
  left_out: int
  updates: int
  epochs: float
  temperature: float | None
  devices: int
  hosts: int
  views_per_device: int
  unique_per_device: float
  copies_per_host: int
  accumulate: int
  log_every: int
  eval_every: int
  checkpoint_every: int
  checkpoint_at: tuple[int, ...]

  def to_updates(self, key: str, text: str) -> float:
    """Turns a duration of the config into updates, not rounded (see durations.to_updates)."""
    return durations.to_updates(key, text, updates_per_epoch=self.updates_per_epoch,
                                views=self.views, budget=self.updates)

  def interval(self, key: str, text: str) -> int:
    """Returns a duration of the config in whole updates, at least 1."""
    return max(1, round(self.to_updates(key, text)))

  def epochs_at(self, update: int) -> float:
    """Returns how many epochs `update` updates are."""
    return update / self.updates_per_epoch


def derive(
    config: ml_collections.ConfigDict, *, train_images: int, devices: int = 1, hosts: int = 1,
    pass_of: Callable[[int], int] | None = None) -> Derived:
  """Computes the derived numbers.

  Args:
    config: complete and validated.
    train_images: N, after validation images were carved out.
    devices: over all hosts; at least 1.
    hosts: at least 1.
    pass_of: U -> updates in a pass that leaves nothing out, where it is not N / U.

  Raises:
    ConfigError: images or views cannot be shared out; the sentence has the numbers.
  """
  n = config.multiplicity
  copies = 1 if config.neighbouring else max(1, n)
  if config.unique:
    unique, views, scheme = config.unique, config.unique * copies, 'growing'
  else:
    unique, views = config.views // copies, config.views
    scheme = 'neighbouring' if config.neighbouring else 'fixed'
  # Neighbouring updates share their images n at a time, so an update brings U / n new ones.
  repeats = n if scheme == 'neighbouring' else 1

  if unique > train_images:
    raise errors.ConfigError(
        f'an update holds {unique} unique images, the training set {train_images}; allowed: at '
        'most as many as there are')
  group = config.data.get('host_group', 1)
  if hosts % group or copies % group:
    raise errors.ConfigError(
        f'data.host_group={group} with {hosts} hosts and {copies} views of an image in an update; '
        'allowed: divisors of both')
  if unique * group < devices:
    raise errors.ConfigError(
        f'an update of {views} views holds {unique} unique images (multiplicity={n}), too few for '
        f'{devices} devices; allowed: at least one for each device')
  for what, rows, shares, of in (('unique images', unique, hosts // group, 'hosts'),
                                 ('views', views, devices, 'devices')):
    if rows % shares:
      raise errors.ConfigError(
          f'{rows} {what} cannot be shared out over {shares} {of}; allowed: a multiple of {shares}')
  accumulate = config.accumulate
  if (views // devices) % accumulate:
    raise errors.ConfigError(
        f'accumulate={accumulate} does not divide the {views // devices} views of a device')

  updates_per_epoch = repeats * (pass_of(unique) if pass_of else train_images / unique)
  budget = durations.to_updates(
      'budget', config.budget, updates_per_epoch=updates_per_epoch, views=views)
  updates = round(budget)
  if updates < 1:
    raise errors.ConfigError(
        f'budget={config.budget!r} is {budget:.3g} updates; allowed: at least 1')

  def every(key: str, text: str) -> int:
    return max(1, round(durations.to_updates(
        key, text, updates_per_epoch=updates_per_epoch, views=views, budget=updates)))

  return Derived(
      scheme=scheme,
      multiplicity=n,
      copies=copies,
      unique=unique,
      views=views,
      train_images=train_images,
      updates_per_epoch=updates_per_epoch,
      updates_per_pass=repeats * (pass_of(unique) if pass_of else train_images // unique),
      left_out=0 if pass_of else train_images % unique,
      updates=updates,
      epochs=updates / updates_per_epoch,
      temperature=None if scheme == 'growing' else config.schedule.peak * max(1, n),
      devices=devices,
      hosts=hosts,
      views_per_device=views // devices,
      unique_per_device=unique * group / devices,
      copies_per_host=copies // group,
      accumulate=accumulate,
      log_every=every('log_every', config.log_every),
      eval_every=every('eval_every', config.eval_every),
      checkpoint_every=every('checkpoint.every', config.checkpoint.every),
      checkpoint_at=tuple(every('checkpoint.at', text) for text in config.checkpoint.at),
  )
