"""Numbers of runs that are not training. To add a measure, write a file and a line here."""

from nfnets_am.analysis import black_box
from nfnets_am.analysis import gradient_correlation
from nfnets_am.analysis import gradient_variance
from nfnets_am.analysis import logits
from nfnets_am.analysis import similarity
from nfnets_am.analysis import throughput
from nfnets_am.analysis import variability
from nfnets_am.analysis import white_box
from nfnets_am.core import registry

# Each entry takes its arguments and returns what measures a cell, see measures.py.
MEASURES = registry.Registry('measure', {
    'agreement': variability.agreement,
    'black_box': black_box.black_box,
    'gradient_correlation': gradient_correlation.gradient_correlation,
    'gradient_variance': gradient_variance.gradient_variance,
    'logits': logits.logits,
    'similarity': similarity.similarity,
    'throughput': throughput.throughput,
    'white_box': white_box.white_box,
})
