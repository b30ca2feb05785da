"""Learning-rate schedules, all in updates.

A factory takes the peak learning rate and the run's number of updates and gives a function of the
update's number t (0 is the first update). No schedule looks at the multiplicity: a run whose
epochs take more updates at n views has a longer budget, and that is all that changes.

Keys that are lengths, `warmup`, `every` and `boundaries`, are numbers of updates that need not be
whole: what falls between two updates acts from the later one on. A config may write them as
durations, so that no key here takes a text for anything else. (Those of `halving` are fractions of
the run.)
"""

from nfnets_am.core import registry
from nfnets_am.optim.schedules import cosines
from nfnets_am.optim.schedules import decays
from nfnets_am.optim.schedules import pieces

# (peak, updates) -> a function of the update's number.
SCHEDULES = registry.Registry('schedule', {
    'constant': pieces.constant,
    'cosine': cosines.cosine,
    'exponential': decays.exponential,
    'halving': pieces.halving,
    'inverse_sqrt': decays.inverse_sqrt,
    'piecewise': pieces.piecewise,
    'warmup_cosine': cosines.warmup_cosine,
})
