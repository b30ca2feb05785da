"""Scalars of a batch; each owns its forward passes. To add one, write a file and a line here."""

from nfnets_am.core import registry
from nfnets_am.objectives import adversarial
from nfnets_am.objectives import classification
from nfnets_am.objectives import language

# Each entry takes its keys and returns an objective, see objective.py.
OBJECTIVES = registry.Registry('objective', {
    'adversarial': adversarial.adversarial,
    'cross_entropy': classification.cross_entropy,
    'language': language.language,
})
