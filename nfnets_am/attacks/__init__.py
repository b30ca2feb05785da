"""Perturbations of images that mislead a network. To add one, write a file and a line here."""

from nfnets_am.attacks import fgsm
from nfnets_am.attacks import pgd
from nfnets_am.attacks import spsa
from nfnets_am.attacks.attack import Attack
from nfnets_am.core import calls
from nfnets_am.core import registry

# Each entry takes its keys and returns an Attack; evaluation/ has an evaluation of each name.
ATTACKS = registry.Registry('attack', {
    'fgsm': fgsm.fgsm,
    'pgd': pgd.pgd,
    'spsa': spsa.spsa,
})

_LANGUAGE = calls.Language('attack', 'an attack', 'pgd(epsilon=0.03, steps=10)')


def parse(text: str) -> Attack:
  """Returns the attack of a config's text.

  Args:
    text: one call of an entry of ATTACKS, such as 'pgd(epsilon=0.03, steps=10)'.

  Raises:
    ConfigError: another form, an unknown name, an argument that it does not take or a value out of
      its range.
  """
  name, keys = calls.one(text, _LANGUAGE)
  return ATTACKS.make(name, **keys)
