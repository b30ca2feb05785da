"""Weights to numbers, and to predictions. To add an evaluation, write a file and a line here."""

from nfnets_am import attacks
from nfnets_am.core import registry
from nfnets_am.evaluation import accuracy
from nfnets_am.evaluation import attacked
from nfnets_am.evaluation import bleu
from nfnets_am.evaluation import example_weighing
from nfnets_am.evaluation import features
from nfnets_am.evaluation import perplexity
from nfnets_am.evaluation import views
from nfnets_am.evaluation.evaluation import COMMON

__all__ = ('COMMON', 'EVALUATIONS')

# Each entry takes its keys and returns what evaluates a batch, see evaluation.py.
EVALUATIONS = registry.Registry('evaluation', {
    'accuracy': accuracy.accuracy,
    'bleu': bleu.bleu,
    'example_weighing': example_weighing.example_weighing,
    'features': features.features,
    'perplexity': perplexity.perplexity,
    'views': views.views,
    **{name: attacked.under(attack) for name, attack in attacks.ATTACKS.items()},
})
