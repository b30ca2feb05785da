"""What an evaluation is: weights to numbers, and to predictions, row by row."""

from collections.abc import Callable
from collections.abc import Mapping
import dataclasses
import functools
from typing import Any

import jax
import ml_collections

from nfnets_am.attacks import crafting
from nfnets_am.config import schema
from nfnets_am.core import errors
from nfnets_am.core import registry
from nfnets_am.models import model

# (what each row counts, name -> [B]; predictions that can be kept, name -> [B, ...]).
Rows = tuple[dict[str, jax.Array], dict[str, jax.Array]]
# (apply, params, state, rng, batch) -> Rows of one device. `batch` has 'inputs', 'label' and what
# else the input gives, 'example' and, of images, 'black' (see evaluator.py); rows that only fill
# the batch are left out afterwards. The value of a metric is the mean over all examples of the
# split. Its attribute `check`, if it has one, is called with the model's averages, of which there
# are only shapes yet, and refuses what it cannot evaluate. With an attribute `crops`, the keywords
# of StreamInput.eval_crops, 'inputs' are views of each row, [B, V, H, W, C]. Of text it is an
# OfTokens or an OfSentences.
Evaluate = Callable[[Any, Any, model.State, jax.Array, Mapping[str, Any]], Rows]

# The keys that every evaluation has beside its own, with their defaults.
COMMON = {
    'split': 'test',
    # A duration; '' is the config's eval_every.
    'every': '',
    # Examples in a step over all devices; 0 is the config's eval_batch.
    'batch': 0,
    # Steps; 0 is the whole split. 1 is "a single minibatch" (Fort et al. 2021, Figure 3b).
    'most': 0,
    # Whether predictions/NAME.npz keeps what was predicted the last time.
    'keep': False,
    # Durations at whose end it is evaluated, too, and predictions/NAME-UPDATE.npz stays: the ends
    # of a schedule's cycles, for a snapshot ensemble. Says `keep` with it.
    'keep_at': (),
}
# In the order in which they are evaluated.
SPLITS = ('validation', 'test', 'train')


@dataclasses.dataclass(frozen=True)
class OfTokens:
  """An evaluation of text, whose carry goes on from batch to batch.

  A batch has 'tokens', 'targets' and 'mask' [R, T], see objectives/language.py, and an example of
  it is a token whose target counts: what is counted, and predicted, has its shape [R, T, ...].

  Attributes:
    function: (apply, params, state, rng, batch) -> (counted, predictions, the state after it).
    finish: means over all tokens by name -> the metrics, which may be functions of several.
  """

  function: Callable[..., tuple[dict[str, jax.Array], dict[str, jax.Array], model.State]]
  finish: Callable[[dict[str, float]], dict[str, float]]

  def __call__(self, *args: Any) -> Any:
    return self.function(*args)


@dataclasses.dataclass(frozen=True)
class OfSentences:
  """An evaluation of what a model says of whole sentences, which are examples here.

  Attributes:
    function: (vocabulary, apply, params, state, rng, batch) -> ({}, {'translation': int32 [R, L]}).
    finish: (translations [N, L] of a split, their references, vocabulary) -> metrics.
    metrics: the names of those.
    vocabulary: of the input, once it is known; see `bind`.
  """

  function: Callable[..., Rows]
  finish: Callable[..., dict[str, float]]
  metrics: tuple[str, ...]
  vocabulary: Any = None

  def __call__(self, *args: Any) -> Any:
    return self.function(self.vocabulary, *args)

  def bind(self, vocabulary: Any) -> 'OfSentences':
    """Returns the evaluation of an input with this vocabulary."""
    return dataclasses.replace(self, vocabulary=vocabulary)


@dataclasses.dataclass(frozen=True)
class Evaluation:
  """An entry of `evals`.

  Attributes:
    name: of its metrics, 'NAME/top1'.
    evaluate: see Evaluate.
    split: of the input.
    every: a duration.
    batch: examples in a step over all devices, before it is rounded up to a multiple of them.
    most: steps; 0 is the whole split.
    keep: whether predictions are kept.
    keep_at: durations whose predictions stay.
  """

  name: str
  evaluate: Evaluate
  split: str
  every: str
  batch: int
  most: int
  keep: bool
  keep_at: tuple[str, ...] = ()

  def batches_of(self, dataset: Any) -> Callable[..., Any]:
    """Returns what makes the batches that it evaluates, called as an input's eval_batches.

    Raises:
      ConfigError: it wants views that the input cannot cut.
    """
    crops = getattr(self.evaluate, 'crops', None)
    if crops is None:
      return dataset.eval_batches
    if not hasattr(dataset, 'eval_crops'):
      raise errors.ConfigError(
          f'evals.{self.name}.crops={crops["count"]} of {dataset.name!r}; allowed: 0 for a set in '
          'memory, whose views of training are drawn with pad, flip and random')
    return functools.partial(dataset.eval_crops, **crops)

  @property
  def attacks(self) -> bool:
    """Whether it attacks images, see attacks/crafting.py."""
    return isinstance(self.evaluate, crafting.OfPixels)

  @property
  def of_tokens(self) -> bool:
    """Whether it counts tokens and carries a state, see OfTokens."""
    return isinstance(self.evaluate, OfTokens)

  @property
  def of_sentences(self) -> bool:
    """Whether it compares sentences, see OfSentences."""
    return isinstance(self.evaluate, OfSentences)

  @property
  def counted(self) -> str:
    """The quantity that says how many examples were counted."""
    return 'tokens' if self.of_tokens else 'sentences' if self.of_sentences else 'images'

  def finish(self, means: dict[str, float]) -> dict[str, float]:
    """Returns the metrics of means over all examples."""
    return self.evaluate.finish(means) if self.of_tokens else means

  @property
  def source(self) -> str:
    """The source of randomness (config.seeds) whose seed it draws with."""
    return 'attack' if self.attacks else 'noise'


def of(config: ml_collections.ConfigDict, entries: registry.Registry) -> tuple[Evaluation, ...]:
  """Returns the evaluations of a complete config, by split and name.

  Args:
    config: complete.
    entries: EVALUATIONS.

  Raises:
    ConfigError: an unknown split, or a value out of its range.
  """
  found = []
  for name, part in config.evals.items():
    keys = part.to_dict()
    entry, split = keys.pop('name'), keys.pop('split')
    every, batch = keys.pop('every') or config.eval_every, keys.pop('batch') or config.eval_batch
    most, keep, keep_at = keys.pop('most'), keys.pop('keep'), keys.pop('keep_at')
    for key, value in (('batch', batch), ('most', most)):
      schema.require(value >= 0, f'evals.{name}.{key}', value, '0 or more')
    if split not in SPLITS:
      raise errors.ConfigError(f'evals.{name}.split={split!r}; allowed: {", ".join(SPLITS)}')
    found.append(Evaluation(name, entries.make(entry, **keys), split, every, batch, most,
                            keep or bool(keep_at), keep_at))
  return tuple(sorted(found, key=lambda one: (SPLITS.index(one.split), one.name)))
