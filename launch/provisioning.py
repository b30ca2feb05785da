"""How a slice of Cloud TPU is had: what is said to gcloud for each way, and what each needs.

Sources: docs.cloud.google.com/tpu/docs, "Consumption options", "Request Cloud TPUs using
Flex-start" and "Consume a reservation". The flags of the last three are in gcloud's alpha track.
"""

from collections.abc import Callable
import dataclasses

from nfnets_am.core import errors
from nfnets_am.core import registry

# Flex-start gives a slice for at most 7 days.
_MOST_S = 7 * 86400
_UNITS = {'s': 1, 'm': 60, 'h': 3600, 'd': 86400}


@dataclasses.dataclass(frozen=True)
class Way:
  """One way to have a slice.

  Attributes:
    flags: (reservation, max_run_duration) -> flags of `queued-resources create`.
    alpha: whether gcloud knows them in its alpha track alone.
    needs: options that have to be said, and that no other way takes.
  """

  flags: Callable[[str, str], list[str]]
  alpha: bool = False
  needs: tuple[str, ...] = ()


WAYS = registry.Registry('way to have a slice', {
    'spot': Way(lambda reservation, duration: ['--spot']),
    'on_demand': Way(lambda reservation, duration: []),
    'flex_start': Way(
        lambda reservation, duration: [
            '--provisioning-model=flex-start', f'--max-run-duration={duration}'],
        alpha=True, needs=('max_run_duration',)),
    'reservation': Way(
        lambda reservation, duration: [f'--reservation={reservation}'], alpha=True,
        needs=('reservation',)),
    # A reservation of 1 to 90 days that was made in calendar mode.
    'calendar': Way(
        lambda reservation, duration: [
            f'--reservation={reservation}', '--provisioning-model=reservation-bound'],
        alpha=True, needs=('reservation',)),
})


def way_of(provisioning: str, reservation: str = '', max_run_duration: str = '') -> Way:
  """Returns a way by its name.

  Args:
    provisioning: one of WAYS.
    reservation: name of one, for the ways that consume it.
    max_run_duration: after which flex-start takes a slice back, such as '24h'; at most 7 days.

  Raises:
    ConfigError: an unknown way, an option that it lacks, or one that it does not take.
  """
  way = WAYS[provisioning]
  for key, value in {'reservation': reservation, 'max_run_duration': max_run_duration}.items():
    taking = ' or '.join(f'--provisioning={name}' for name in WAYS if key in WAYS[name].needs)
    if key in way.needs and not value:
      raise errors.ConfigError(f'--provisioning={provisioning} needs --{key}')
    if value and key not in way.needs:
      raise errors.ConfigError(
          f'--{key}={value} with --provisioning={provisioning}; allowed: with {taking}')
  if max_run_duration and not 0 < seconds(max_run_duration) <= _MOST_S:
    raise errors.ConfigError(
        f'--max_run_duration={max_run_duration}; allowed: at most 7 days, such as 24h, with one of '
        f'{", ".join(_UNITS)} for seconds to days')
  return way


def seconds(text: str) -> int:
  """Returns the seconds of '90m', '24h' or '7d'; 0 for what is no such text."""
  number, unit = text[:-1], text[-1:]
  return int(number) * _UNITS[unit] if number.isdigit() and unit in _UNITS else 0
