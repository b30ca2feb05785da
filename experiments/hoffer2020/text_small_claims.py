"""What Hoffer et al. 2020 say of dropout masks, to be held against the runs of text_small.py."""

from experiments.hoffer2020 import recipes
from nfnets_am.reporting import claims
from nfnets_am.sweeps import paper


def _of(column: str) -> dict[str, str]:
  return {'task': 'verses', 'column': column}


CLAIMS = tuple(
    paper.Claim(f'{text} perplexity is lower with 4 dropout masks than with one.', 'Table 2',
                claims.better(_of('ba'), _of(column)))
    for text, column in zip(('After as many updates', 'After as many updates and samples'),
                            recipes.BASELINES, strict=True))
