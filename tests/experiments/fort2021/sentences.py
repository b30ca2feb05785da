"""Holds verdicts against three worlds: the paper's sentence is true, false, undecidable."""

from nfnets_am.sweeps import experiment_file
from nfnets_am.sweeps import paper
from tests import made_up

OUTCOMES = (paper.HOLDS, paper.FAILS, paper.OPEN)
_SWEEPS = {}


def sweep_of(name):
  """An experiment's sweep at full scale, made once."""
  if name not in _SWEEPS:
    _SWEEPS[name] = experiment_file.get_sweep(made_up.FORT / f'{name}.py', 'full')
  return _SWEEPS[name]


def verdicts(name, text, worlds):
  """The verdicts of a claim in some worlds."""
  return tuple(made_up.outcome(made_up.results(sweep_of(name), world), text) for world in worlds)


def claims_of(name):
  """The texts of an experiment's claims that its plan has runs for."""
  return [claim.text for claim in sweep_of(name).claims
          if claim.check(made_up.results(sweep_of(name), lambda cell, metric: 1.0)).outcome
          != paper.NOT_HERE]


def covered(name, cases):
  """Whether each claim of an experiment has one case, and each case one claim."""
  texts = claims_of(name)
  def says(text, case):
    start, _, end = case.partition('...')
    return text.startswith(start) and text.endswith(end)
  return (all(sum(says(text, case) for case in cases) == 1 for text in texts)
          and all(sum(says(text, case) for text in texts) == 1 for case in cases))
