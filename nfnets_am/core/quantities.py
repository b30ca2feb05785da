"""What a metric is: which way is better, how its values are read, how updates are averaged.

Metrics are named 'SPLIT/KEY' in reports and KEY in a line of metrics.jsonl; 'ema_' before a key is
the same quantity of the averaged weights, and '@0.1' behind it what it is where something else is
0.1 (see `at`). A new metric is one line of QUANTITIES, and nothing else in the code asks for its
name.
"""

from collections.abc import Iterable
import dataclasses

from nfnets_am.core import errors
from nfnets_am.core import registry

EMA = 'ema_'
_AT = '@'


@dataclasses.dataclass(frozen=True)
class Quantity:
  """One row of the table.

  Attributes:
    name: the key of a line.
    better: 'high', 'low', or '' for what only describes a run.
    scale: what a value is multiplied by to be read; 100 for shares.
    unit: of the scaled value, as axes have it; '' for none.
    digits: format of the scaled value.
    over_updates: of the updates since the last line their 'mean', or the 'last' one's value.
    label: on an axis, where the name would not do.
    counted: whether a value is the share of examples for which something is so: over other examples
      it then has the error of a share.
  """

  name: str
  better: str = ''
  scale: float = 1
  unit: str = ''
  digits: str = '.4g'
  over_updates: str = 'mean'
  label: str = ''
  counted: bool = False

  @property
  def sign(self) -> int:
    """-1 where low values come first, else 1: of what is neither better nor worse, high ones do."""
    return -1 if self.better == 'low' else 1

  @property
  def worst(self) -> float:
    """What a run that diverged is taken to have."""
    return -self.sign * float('inf')

  def text(self, value: float) -> str:
    """Returns a value as it is read: '74.10%' of the share 0.741, '0.5000' of a loss in nats."""
    return f'{self.scale * value:{self.digits}}' + ('%' if self.unit == '%' else '')


def _share(name: str, better: str = 'high', counted: bool = True) -> Quantity:
  return Quantity(name, better, 100, '%', '.2f', counted=counted)


# In the order in which a line has them.
QUANTITIES = {quantity.name: quantity for quantity in (
    Quantity('loss', 'low', unit='nats', digits='.4f'),
    Quantity('bits', 'low', unit='bits', digits='.4f'),
    Quantity('perplexity', 'low', digits='.2f'),
    _share('top1'),
    _share('top5'),
    _share('error', 'low'),
    # As papers print it, in 0 to 100 already.
    Quantity('bleu', 'high', digits='.2f'),
    _share('calibration_error', 'low', counted=False),
    # Share of examples on which two networks say different things.
    _share('disagreement', ''),
    # Of several runs, see analysis/: deviations, what pairs of runs are, and their errors.
    _share('disagreement_error', '', counted=False),
    Quantity('models', digits=',', over_updates='last'),
    _share('top1_sd', ''),
    _share('top1_sd_error', ''),
    Quantity('loss_sd', unit='nats', digits='.4f'),
    Quantity('loss_sd_error', unit='nats', digits='.4f'),
    Quantity('perplexity_sd', digits='.3f'),
    Quantity('perplexity_sd_error', digits='.3f'),
    Quantity('correlation', digits='.3f'),
    Quantity('correlation_error', digits='.4f'),
    _share('top1_delta', ''),
    _share('top1_delta_error', '', counted=False),
    Quantity('loss_delta', unit='nats', digits='.4f'),
    Quantity('perplexity_delta', digits='.2f'),
    Quantity('loss_delta_error', unit='nats', digits='.4f'),
    Quantity('similarity', digits='.3f'),
    Quantity('similarity_error', digits='.4f'),
    # Of their variability, relative to that of other runs.
    _share('reduction', ''),
    # Of clean and adversarial logits, before it is weighed: see objectives/pairings.py.
    Quantity('pairing', 'low'),
    Quantity('variance', digits='.3g'),
    Quantity('variance_of_all', digits='.3g'),
    # From the least to the greatest, without the outermost: see analysis/logits.py.
    Quantity('range', digits='.3g'),
    # The standard deviation of what stands beside it in its line.
    Quantity('deviation', digits='.3g'),
    Quantity('gradient_norm'),
    Quantity('images_per_second', 'high'),
    Quantity('learning_rate', over_updates='last'),
    Quantity('images', digits=',', over_updates='last'),
    Quantity('tokens', digits=',', over_updates='last'),
    Quantity('sentences', digits=',', over_updates='last'),
    # Of the segments of running text that updates take.
    Quantity('length', unit='tokens'),
    Quantity('bad_records', 'low', digits=',', over_updates='last'),
    # Of a cell or its derived numbers; no metrics.
    Quantity('epochs', label='epoch budget'),
    Quantity('peak', label='learning rate'),
    Quantity('temperature', label='temperature (learning rate x n)'),
)}


def at(key: str, value: float) -> str:
  """Returns the key of a quantity as it is at a value of something else, such as 'top1@0.1'."""
  return f'{key}{_AT}{value:g}'


def value_at(key: str) -> str:
  """Returns the value for which `at` has made a key, '0.1' of 'ema_top1@0.1'; '' where it has not.
  """
  return key.partition(_AT)[2]


def of(metric: str) -> Quantity:
  """Returns the row of a metric, 'test/ema_top1' and 'test/top1@0.1' that of 'top1'.

  Raises:
    ConfigError: the table has no such row.
  """
  key = metric.rpartition('/')[2].removeprefix(EMA).partition(_AT)[0]
  if key not in QUANTITIES:
    raise errors.ConfigError(
        f'unknown metric {metric!r}{registry.did_you_mean(key, QUANTITIES)}; allowed: '
        f'{registry.listed(key, QUANTITIES)}, after SPLIT/ and, for averaged weights, {EMA}')
  return QUANTITIES[key]


def judged(metric: str) -> Quantity:
  """Returns the row of a metric by which something is chosen.

  Raises:
    ConfigError: there is no such row, or neither high nor low values of it are better.
  """
  found = of(metric)
  if not found.better:
    ordered = [name for name, row in QUANTITIES.items() if row.better]
    raise errors.ConfigError(
        f'nothing can be chosen by {metric!r}, of which neither high nor low values are better; '
        f'allowed: {registry.listed(found.name, ordered)}')
  return found


def label_of(name: str) -> str:
  """Returns what an axis over a key of cells or a derived number is called."""
  return (name in QUANTITIES and QUANTITIES[name].label) or name


def in_order(keys: Iterable[str]) -> list[str]:
  """Returns the keys of a line in the order of the table, raw weights before averaged ones.

  Raises:
    ConfigError: the table lacks one of them.
  """
  places = {name: place for place, name in enumerate(QUANTITIES)}
  return sorted(keys, key=lambda key: (key.startswith(EMA), places[of(key).name]))
