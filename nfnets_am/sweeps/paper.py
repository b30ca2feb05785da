"""What a paper prints: its numbers, its figures' layout, its claims; see report.py for our side."""

from collections.abc import Callable
from collections.abc import Mapping
import dataclasses
import json
import os
import pathlib
from typing import Any

from nfnets_am.core import errors
from nfnets_am.sweeps import differences

# Of the paper itself; any other reading is the source that a number is of.
READINGS = ('both', '000', '001', '004')


@dataclasses.dataclass(frozen=True)
class Number:
  """One number as one reading of the paper has it.

  Attributes:
    cell: key -> value that tell the cells it belongs to; {} for none that is run here.
    value: as printed; None for an entry that is empty in this reading.
    metric: as in metrics.jsonl ('test/top1').
    uncertainty: as printed, or None.
    reading: which transcription of the paper has it ('both' is 000 and 001), or its source.
    where: table, figure or section.
    note: what is doubtful about it, or ''.
  """

  cell: Mapping[str, Any]
  value: float | None
  metric: str
  uncertainty: float | None
  reading: str
  where: str
  note: str = ''

  def text(self) -> str:
    """Returns the number as printed."""
    if self.value is None:
      return 'none'
    return f'{self.value:g}' + ('' if self.uncertainty is None else f' ± {self.uncertainty:g}')


def read_numbers(path: str | os.PathLike, experiment: str) -> tuple[Number, ...]:
  """Reads the numbers of one experiment from a file of a paper's numbers.

  Args:
    path: JSON: {'source': ..., 'numbers': {experiment: [the attributes of Number]}}.
    experiment: such as 'table1'; one without numbers has none.

  Raises:
    ConfigError: the file is missing or has another form.
  """
  try:
    entries = json.loads(pathlib.Path(path).read_text())['numbers'].get(experiment, [])
    return tuple(Number(**entry) for entry in entries)
  except (OSError, ValueError, KeyError, TypeError) as e:
    raise errors.ConfigError(f"{path} is not a file of a paper's numbers: {e}") from None


@dataclasses.dataclass(frozen=True)
class Panel:
  """One plot of a figure.

  Attributes:
    title: as the paper's caption has it.
    x: a key of the cells ('epochs', 'peak'), or a derived number ('updates', 'temperature').
    metric: on the y axis.
    where: key -> value or tuple of values that a cell must have to be shown.
    tuned: whether a point is the best value of `Sweep.tune`; False shows all of them.
    line: key of the cells, one line and colour for each value.
    dashed: key of the cells whose values, in order, are solid, dashed and dotted; '' is all solid.
    log_x, log_y: logarithmic axes; x to base 2.
  """

  title: str
  x: str
  metric: str = 'test/top1'
  where: Mapping[str, Any] = dataclasses.field(default_factory=dict)
  tuned: bool = True
  line: str = 'multiplicity'
  dashed: str = ''
  log_x: bool = True
  log_y: bool = False


def matches(key: Mapping[str, Any], where: Mapping[str, Any]) -> bool:
  """Whether a cell has the values that `where` asks for; a tuple allows any of its own."""
  return all(key.get(name) in (value if isinstance(value, tuple) else (value,))
             for name, value in where.items())


# What our runs say of a claim: NOT_RUN waits for runs of the plan, NOT_HERE for some that none has.
HOLDS, FAILS, OPEN, NOT_RUN, NOT_HERE = (
    'holds', 'does not hold', 'not resolved', 'not run', 'not run here')
VERDICTS = (HOLDS, FAILS, OPEN, NOT_RUN, NOT_HERE)
# What our number is beside the paper's: further off than its epsilon, or not.
ABOVE, WITHIN, BELOW = 'above', 'within', 'below'


@dataclasses.dataclass(frozen=True)
class Verdict:
  """What our runs say of a claim.

  Attributes:
    outcome: of VERDICTS.
    ours: the numbers that it rests on.
    difference: of several, the one that decided; None where nothing was compared.
  """

  outcome: str
  ours: str
  difference: differences.Difference | None = None


@dataclasses.dataclass(frozen=True)
class Claim:
  """A statement of the paper's text that runs can support or not.

  Attributes:
    text: the statement, with the allowance that its check makes, if any.
    evidence: the numbers that the paper gives for it, or where it shows it.
    check: (reduction.Results) -> Verdict; see reporting/claims.
  """

  text: str
  evidence: str
  check: Callable[[Any], Verdict]
