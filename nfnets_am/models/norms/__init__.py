"""Norms by name. To add one, write a file with its function and a line here."""

from nfnets_am.core import calls
from nfnets_am.core import errors
from nfnets_am.core import registry
from nfnets_am.models.norms import batch_group
from nfnets_am.models.norms import ghost
from nfnets_am.models.norms import renorm
from nfnets_am.models.norms.norm import Maker
from nfnets_am.models.norms.norm import none

# Each entry takes its options and returns a Maker.
NORMS = registry.Registry('norm', {
    'batch': ghost.batch,
    'batch_group': batch_group.batch_group,
    'ghost': ghost.ghost,
    'group': batch_group.group,
    'none': none,
    'renorm': renorm.renorm,
})

_LANGUAGE = calls.Language('norm', 'a norm', 'ghost(size=32)')


def parse(text: str) -> Maker:
  """Returns what makes the norms of a model.

  Args:
    text: one call of an entry of NORMS, such as 'batch()' or 'batch_group(groups=32, examples=2)'.

  Raises:
    ConfigError: another form, an unknown name, or an argument that it does not take.
  """
  found = calls.calls(text, _LANGUAGE)
  if len(found) != 1:
    raise errors.ConfigError(
        f'the norm {text!r} is {len(found)} calls; allowed: one, such as {_LANGUAGE.example!r}')
  name, kwargs = found[0]
  return NORMS.make(name, **kwargs)
