"""How two collections of named things differ, for one sentence."""

from collections.abc import Mapping
from collections.abc import Sequence

# Entries that a sentence names of each kind.
_NAMED = 3


def tell(found: Mapping[str, str], wanted: Mapping[str, str]) -> str:
  """Counts what is missing, extra and of another shape, and names the first; '' if nothing is.

  Args:
    found: name -> shape, as it prints.
    wanted: the same.
  """
  faults = [f'{len(names)} {what} ({_first(sorted(names))})'
            for what, names in (('missing', wanted.keys() - found.keys()),
                                ('extra', found.keys() - wanted.keys())) if names]
  differing = [f'{name} {found[name]} instead of {wanted[name]}'
               for name in sorted(found.keys() & wanted.keys()) if found[name] != wanted[name]]
  if differing:
    faults.append(f'{len(differing)} of another shape ({_first(differing)})')
  return '; '.join(faults)


def _first(texts: Sequence[str]) -> str:
  return ', '.join(texts[:_NAMED]) + (', ...' if len(texts) > _NAMED else '')
