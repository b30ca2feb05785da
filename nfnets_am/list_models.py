"""Prints what every registered model costs; no weight is allocated.

    python -m nfnets_am.list_models --model=nfnet_f
"""

import inspect

from absl import flags
from rich import progress
from rich import table

from nfnets_am import models
from nfnets_am.core import cli
from nfnets_am.core import errors
from nfnets_am.core import terminal
from nfnets_am.costs import counting

_MODEL = flags.DEFINE_string('model', '', 'Only the models whose name begins so.')
_CLASSES = flags.DEFINE_integer('num_classes', 1000, 'Classes.', lower_bound=1)

_CAPTION = (
    'GFLOPs are 10^9 multiply-adds of a forward pass of one image, as the papers count '
    'them. Activations are what a training step keeps of one image for its backward pass, at the '
    'training size in bfloat16, in 10^6 bytes; with remat every block keeps its input only.')


def main() -> None:
  names = [name for name in models.MODELS if name.startswith(_MODEL.value)]
  if not names:
    raise errors.UserError(f'--model={_MODEL.value!r}; allowed: the beginning of one of '
                           f'{", ".join(models.MODELS)}')
  rows = table.Table('model', 'parameters', 'train px', 'GFLOPs', 'test px', 'GFLOPs',
                     'activations MB', 'with remat', caption=_CAPTION)
  err = terminal.Terminal(stderr=True)
  for name in progress.track(names, 'tracing', console=err, transient=True):
    model = models.create_model(name, _CLASSES.value)
    counts = counting.count(model)
    remat = '-'
    if 'remat' in inspect.signature(models.MODELS[name]).parameters:
      again = models.create_model(name, _CLASSES.value, remat=True)
      remat = f'{counting.activation_bytes(again, model.train_size) / 1e6:,.1f}'
    rows.add_row(name, f'{counts.parameters:,}', str(model.train_size),
                 f'{counts.train_macs / 1e9:.2f}', str(model.test_size),
                 f'{counts.test_macs / 1e9:.2f}', f'{counts.activation_bytes / 1e6:,.1f}', remat)
  terminal.Terminal(width=110).print(rows)


if __name__ == '__main__':
  cli.run(main)
