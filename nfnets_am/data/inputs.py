"""What a run reads, by name: an input gives facts, batches, and the device's end of both.

An input has `facts`, `splits`, `plan`, `train_batches` and `eval_batches` on the host;
`preparation` is its pure half (`pack`, `prepare`, `prepare_stored`, `batch_spec`). An entry takes
the dtype that the model computes in, then its keys. To add one, write a file and a line here.
"""

from nfnets_am.core import registry
from nfnets_am.data.memory import input as memory
from nfnets_am.data.stream import input as stream
from nfnets_am.data.text import corpus
from nfnets_am.data.text import translation

Input = memory.MemoryInput | stream.StreamInput | corpus.CorpusInput | translation.TranslationInput

INPUTS = registry.Registry('input', {
    'corpus': corpus.create,
    'memory': memory.create,
    'stream': stream.create,
    'translation': translation.create,
})
