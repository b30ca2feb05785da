"""Prints what every registered model costs; no weight is allocated.

    python -m nfnets_am.list_models --model=nfnet_f

The largest take a minute each to trace; what was counted is kept in --cache.
"""

import dataclasses
import inspect

from absl import flags

from nfnets_am import models
from nfnets_am.core import cli
from nfnets_am.core import errors
from nfnets_am.core import registry
from nfnets_am.core import rows as rows_lib
from nfnets_am.core import terminal
from nfnets_am.costs import counting
from nfnets_am.costs import kept

_MODEL = flags.DEFINE_string('model', '', 'Only the models whose name begins so.')
_CLASSES = flags.DEFINE_integer('num_classes', 1000, 'Classes.', lower_bound=1)
_CACHE = flags.DEFINE_string(
    'cache', '~/.cache/nfnets_am/counted', "Folder of what was counted before; '' keeps nothing.")

_COLUMNS = {'model': 16, 'parameters': -11, 'train px': -8, 'GFLOPs': -7, 'test px': -7,
            'GFLOPs ': -7, 'activations MB': -14, 'with remat': -10}
_CAPTION = (
    'GFLOPs are 10^9 multiply-adds of a forward pass of one image, as the papers count '
    'them. Activations are what a training step keeps of one image for its backward pass, at the '
    'training size in bfloat16, in 10^6 bytes; with remat every block keeps its input only. Of '
    'models of text px are tokens, and activations are float32.')


def main() -> None:
  names = [name for name in models.MODELS if name.startswith(_MODEL.value)]
  if not names:
    raise errors.UserError(
        f'--model={_MODEL.value!r}; allowed: the beginning of a name, such as '
        f'{registry.listed(_MODEL.value, models.MODELS)}')
  kept.enable(_CACHE.value)
  out = terminal.Terminal()
  rows = rows_lib.Rows(out, _COLUMNS)
  for name in names:
    rows.add(_row(name, _CLASSES.value))
  out.print(f'\n{_CAPTION}')


def _row(name: str, num_classes: int) -> list[str]:
  model = models.create_model(name, num_classes)
  counts = counting.Counts(**kept.of(
      ['counts', name, num_classes], lambda: dataclasses.asdict(counting.count(model))))
  remat = '-'
  if 'remat' in inspect.signature(models.MODELS[name]).parameters:
    again = models.create_model(name, num_classes, remat=True)
    found = kept.of(['with remat', name, num_classes],
                    lambda: counting.activation_bytes(again, model.train_size))
    remat = f'{found / 1e6:,.1f}'
  return [name, f'{counts.parameters:,}', str(model.train_size), f'{counts.train_macs / 1e9:.2f}',
          str(model.test_size), f'{counts.test_macs / 1e9:.2f}',
          f'{counts.activation_bytes / 1e6:,.1f}', remat]


if __name__ == '__main__':
  cli.run(main)
