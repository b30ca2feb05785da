"""Whether two versions of the code train the same runs, bit for bit.

    python -m benchmarks.same_bits --record=old.json      # in a checkout of one commit
    python -m benchmarks.same_bits --record=new.json      # in a checkout of the other
    python -m benchmarks.same_bits --compare=old.json,new.json

Trains small cells of the experiments on 2 virtual devices, each as a process like any user's, and
keeps their metrics.jsonl and a digest of every array of their final parameters and averages. The
cells of Figure 9 are measured by whichever command the checkout has. What is compared are files
and cells of experiments, so that modules may have moved between the two commits. A record that was
interrupted goes on where it stopped.
"""

import hashlib
import importlib.util
import json
import os
import pathlib
import subprocess
import sys
import tempfile

from absl import app
from absl import flags
import numpy as np

_RECORD = flags.DEFINE_string('record', None, 'Train, and write what came out to this file.')
_COMPARE = flags.DEFINE_string('compare', None, 'OLD,NEW: two such files.')

_FORT = 'experiments/fort2021'
# Cells at the scale 'smoke': every scheme, model, optimiser and input that Fort et al. have.
_CELLS = (
    'experiments/quickstart.py:multiplicity=1,seed=0,scale=smoke',
    'experiments/quickstart.py:multiplicity=4,seed=1,scale=smoke',
    *(f'{_FORT}/figure2.py:model=wide_resnet,unique=8,multiplicity={n},epochs={epochs},'
      f'peak={peak},seed=0,scale=smoke'
      for n, epochs, peak in ((0, 1, 0.0625), (1, 2, 0.125), (4, 2, 0.03125))),
    *(f'{_FORT}/figure3.py:model=nf_resnet50,unique=8,multiplicity={n},epochs=1,peak=0.01,'
      'seed=0,scale=smoke' for n in (1, 4)),
    *(f'{_FORT}/figure12.py:masks={masks},epochs=1,peak=0.0625,seed=0,scale=smoke'
      for masks in (1, 4)),
    *(f'{_FORT}/table1.py:model=nfnet_f2,multiplicity={n},updates=8,seed=0,scale=smoke'
      for n in (1, 16)),
    f'{_FORT}/table2.py:model=nfnet_f3,rho=0.05,multiplicity=16,updates=8,seed=0,scale=smoke',
)
# Modules that a checkout may have, newest first, and what measures Figure 9 there.
_FIGURE_9 = {'nfnets_am.measure': 'launch.sweep',
             'nfnets_am.analysis.gradient_variance': 'nfnets_am.analysis.gradient_variance'}
# What writes pictures: the first that a checkout has.
_STAND_IN = ('nfnets_am.data.tools.stand_in', 'nfnets_am.data.stand_in')
_ENVIRONMENT = {'JAX_PLATFORMS': 'cpu', 'NPROC': '16', 'TF_CPP_MIN_LOG_LEVEL': '2'}
_DEVICES = 'XLA_FLAGS', '--xla_force_host_platform_device_count={}'


def record(path: pathlib.Path) -> None:
  """Trains what is not in the file yet, and adds it cell by cell."""
  found = json.loads(path.read_text()) if path.exists() else {}
  folder = pathlib.Path(tempfile.mkdtemp())
  data = folder / 'data'

  def keep(name: str, what: dict) -> None:
    found[name] = what
    path.write_text(json.dumps(found, indent=1))
    print(f'recorded {name}', flush=True)

  for number, cell in enumerate(_CELLS):
    if cell in found:
      continue
    if not data.exists():
      _command(_first(_STAND_IN), f'--data_dir={data}', '--name=stand_in')
    workdir = folder / str(number)
    streamed = 'figure3' in cell or 'table' in cell
    _command('nfnets_am.train', f'--config={cell}', f'--workdir={workdir}',
             *([f'--config.data.data_dir={data}'] if streamed else []))
    keep(cell, {'metrics': (workdir / 'metrics.jsonl').read_text(), **_weights(workdir)})
  # The scale 'small' has cells with a single image, which one device takes.
  for scale, devices in (('smoke', 2), ('small', 1)):
    name = f'{_FORT}/figure9.py, {scale}'
    if name not in found:
      workdir = folder / scale
      _command(_FIGURE_9[_first(_FIGURE_9)], f'--experiment={_FORT}/figure9.py',
               f'--workdir={workdir}', f'--scale={scale}', devices=devices)
      keep(name, {file: sorted(path.read_text() for path in workdir.glob(f'*/{file}'))
                  for file in ('metrics.jsonl', 'layers.json')})


def compare(old: dict, new: dict) -> list[str]:
  """Returns a line for each thing that differs."""
  lines = [f'only one of the two has {name}' for name in old.keys() ^ new.keys()]
  for name in old.keys() & new.keys():
    a, b = old[name], new[name]
    for part in sorted(a.keys() | b.keys()):
      if part in ('params', 'ema'):
        keys = sorted(a[part].keys() | b[part].keys())
        differing = [key for key in keys if a[part].get(key) != b[part].get(key)]
        if differing:
          lines.append(f'{name}: {len(differing)} of {len(keys)} arrays of {part} differ, '
                       f'such as {differing[0]}')
      elif _as_set(a.get(part)) != _as_set(b.get(part)):
        lines.append(f'{name}: {part} differ')
  return lines


def _as_set(found):
  """Files of several cells as a set: cells that are the same training have one folder or two."""
  return set(found) if isinstance(found, list) else found


def _weights(workdir: pathlib.Path) -> dict:
  # A checkpoint is read on as many devices as it was saved on, which jax counts when it starts.
  os.environ.update(_environment(2))
  import orbax.checkpoint as ocp

  newest = max((workdir / 'checkpoints').glob('[0-9]*'), key=lambda p: int(p.name))
  state = ocp.StandardCheckpointer().restore(newest.resolve() / 'train_state')
  ema = state.get('ema') or {}
  # An average of the parameters alone, or of them and of the model's state.
  return {'params': _digests(state['params']), 'ema': _digests(ema.get('params', ema))}


def _digests(tree: dict) -> dict:
  return {f'{module}/{name}': hashlib.sha256(np.asarray(array).tobytes()).hexdigest()
          for module, weights in tree.items() for name, array in weights.items()}


def _first(modules) -> str:
  """The first of several modules that this checkout has."""
  for module in modules:
    try:
      if importlib.util.find_spec(module):
        return module
    except ModuleNotFoundError:
      continue
  raise SystemExit(f'error: this checkout has none of {", ".join(modules)}')


def _environment(devices: int) -> dict[str, str]:
  name, text = _DEVICES
  return os.environ | _ENVIRONMENT | {name: text.format(devices)}


def _command(module: str, *arguments: str, devices: int = 2) -> None:
  done = subprocess.run([sys.executable, '-m', module, *arguments], env=_environment(devices),
                        capture_output=True, text=True)
  if done.returncode:
    raise SystemExit(f'{module} {" ".join(arguments)} failed:\n{done.stderr[-3000:]}')


def main(argv: list[str]) -> None:
  del argv
  if _RECORD.value:
    record(pathlib.Path(_RECORD.value))
  if _COMPARE.value:
    old, new = (json.loads(pathlib.Path(p).read_text()) for p in _COMPARE.value.split(','))
    lines = compare(old, new)
    print('\n'.join(lines) or f'{len(old)} records are equal, bit for bit')
    sys.exit(1 if lines else 0)


if __name__ == '__main__':
  app.run(main)
