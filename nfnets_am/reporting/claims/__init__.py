"""Checks of a paper's claims on our runs: the vocabulary that experiment files say them in.

A check takes the results of a sweep and returns a verdict. It names cells by what they must have
({'multiplicity': 16}); where several have it, the best of them counts, at the best learning rate
and budget, as papers that tune on the test set do. Which values are better is the quantity's to
say. A difference counts if it is over twice its standard error (differences.py); what does not
count is not resolved, whatever its sign. A claim waits for every cell that it rests on.
"""

from nfnets_am.reporting.claims import judging
from nfnets_am.reporting.claims import lines
from nfnets_am.reporting.claims import pairs
from nfnets_am.reporting.claims import places
from nfnets_am.reporting.claims import thresholds
from nfnets_am.reporting.claims import trends

Check, Where = judging.Check, judging.Where
all_of, not_run_here, name_of = judging.all_of, judging.not_run_here, judging.name_of
# Two cells, or two gaps between cells.
better, worse, smaller_gap = pairs.better, pairs.worse, pairs.smaller_gap
within_factor, not_worse = pairs.within_factor, pairs.not_worse
# Many cells in order.
rises = trends.rises
# Lines of cells at the values that they have in common.
over, together = lines.over, lines.together
# Where on its axis a line has its best, and how far it learns.
best_at, stable_to = places.best_at, places.stable_to
# A number that someone printed, or a cell's, and what reaches it.
reaches, beats, no_dearer, sooner = (
    thresholds.reaches, thresholds.beats, thresholds.no_dearer, thresholds.sooner)
