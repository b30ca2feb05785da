"""What the rest of the project knows of an input: how much there is, and what a row looks like."""

from collections.abc import Callable
from collections.abc import Sequence
import dataclasses
from typing import Any


@dataclasses.dataclass(frozen=True)
class Facts:
  """Facts of an input.

  Attributes:
    train_examples: N, examples to train on.
    outputs: K, classes (or tokens) that a model tells apart.
    row_shape: of one row as the model takes it, (H, W, C) for images, (T,) for tokens.
    row_dtype: of it: a float dtype for images, which is the one that the model computes in.
    pass_of: unique examples in an update, U -> updates in a pass over all examples; None is N // U.
  """

  train_examples: int
  outputs: int
  row_shape: Sequence[int]
  row_dtype: Any = 'float32'
  pass_of: Callable[[int], int] | None = None
