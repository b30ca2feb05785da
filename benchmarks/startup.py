"""Where the seconds of a start go, until the loss of the first update has been read.

    JAX_PLATFORMS=cpu python -m benchmarks.startup

Starts real training processes with a cache of compiled programs of their own: the first start finds
it empty, the second start is the same run in another folder, and the next cell is the run with
another seed, learning rate and budget, as the next run of a sweep is. Each process ends itself
after its first update. An instant counts for the innermost stage that it lies in. The ratio that
matters is that of the second start to the first: at most 0.5 is the aim.
"""

from collections.abc import Callable
from collections.abc import Iterator
import functools
import importlib
import json
import os
import pathlib
import runpy
import statistics
import subprocess
import sys
import tempfile
import time
from typing import Any

from absl import flags
from rich import console
from rich import table

from nfnets_am.core import cli

_ROUNDS = flags.DEFINE_integer('rounds', 3, 'Rounds of three starts.', lower_bound=1)
_RUN = flags.DEFINE_multi_enum(
    'run', ['quickstart', 'table1'], ['quickstart', 'table1'], 'What to start; repeatable.')

_CELLS = {
    'quickstart': 'experiments/quickstart.py:multiplicity=4,seed={seed},scale=smoke',
    'table1': 'experiments/fort2021/table1.py:'
              'model=nfnet_f2,multiplicity=4,updates=8,seed={seed},scale=smoke',
}
_NEXT = ('--config.budget=44 updates', '--config.schedule.peak=0.07')
_STARTS = ('first', 'second', 'next cell')
_BEFORE, _REST = 'Python itself', 'first update, and the rest'
_BATCH = "first batch: TensorFlow's own compilation"
# What the main thread calls, and the name of the time that it takes.
_STAGES = (
    ('nfnets_am.data.tensorflow', 'import_tensorflow', 'imports of TensorFlow'),
    ('nfnets_am.training.run', 'build', 'config and data set'),
    ('nfnets_am.storage.checkpoints', 'Checkpoints', 'checkpoints'),
    ('nfnets_am.storage.checkpoints', 'Checkpoints.latest', 'checkpoints'),
    ('nfnets_am.training.feed', 'place_pool', _BATCH),
    ('nfnets_am.training.feed', 'placed_batches', _BATCH),
)
_JAX = {
    '/jax/core/compile/jaxpr_trace_duration': 'JAX: tracing and lowering',
    '/jax/core/compile/jaxpr_to_mlir_module_duration': 'JAX: tracing and lowering',
    '/jax/core/compile/backend_compile_duration': 'JAX: compiling, or reading the cache',
}
_Interval = tuple[float, float, str]


def attribute(intervals: list[_Interval], end: float) -> dict[str, float]:
  """Returns name -> seconds; each instant counts for the interval around it that began last.

  Args:
    intervals: (begin, end, name) in seconds, of one thread, so that they are nested or apart.
    end: of the time that is shared out; it begins with the first interval. What lies in no interval
      is 'first update, and the rest'.
  """
  seconds: dict[str, float] = {}
  times = sorted({t for begin, stop, _ in intervals for t in (begin, min(stop, end))} | {end})
  for t, after in zip(times, times[1:], strict=False):
    around = [(begin, -stop, name) for begin, stop, name in intervals if begin <= t < stop]
    name = max(around)[2] if around else _REST
    seconds[name] = seconds.get(name, 0.0) + after - t
  return seconds


def child(began: float, out: str, arguments: list[str]) -> None:
  """Trains, as `python -m nfnets_am.train` does, to the first update; writes name -> seconds."""
  intervals: list[_Interval] = [(began, time.time(), _BEFORE)]

  def timed(function: Callable[..., Any], name: str) -> Callable[..., Any]:
    @functools.wraps(function)
    def call(*args, **kwargs):
      begin = time.time()
      result = function(*args, **kwargs)
      intervals.append((begin, time.time(), name))
      return first_timed(result, name) if isinstance(result, Iterator) else result
    return call

  def first_timed(iterator: Iterator[Any], name: str) -> Iterator[Any]:
    yield timed(next, name)(iterator)
    yield from iterator

  def done(*args, **kwargs) -> None:
    end = time.time()
    pathlib.Path(out).write_text(json.dumps(attribute(intervals, end)))
    os._exit(0)

  # All that train imports which takes time.
  timed(importlib.import_module, 'imports')('nfnets_am.training.loop')
  for module, path, name in _STAGES:
    *owners, attribute_name = path.split('.')
    owner = functools.reduce(getattr, owners, importlib.import_module(module))
    value = getattr(owner, attribute_name)
    if isinstance(value, type):
      owner, attribute_name, value = value, '__init__', value.__init__
    setattr(owner, attribute_name, timed(value, name))

  import jax

  from nfnets_am.storage import progress

  def listen(event: str, duration: float, **kwargs) -> None:
    if event in _JAX:
      now = time.time()
      intervals.append((now - duration, now, _JAX[event]))

  jax.monitoring.register_event_duration_secs_listener(listen)
  progress.Progress.show = done
  sys.argv = ['nfnets_am.train', *arguments]
  runpy.run_module('nfnets_am.train', run_name='__main__', alter_sys=True)


def start(name: str, kind: str, folder: pathlib.Path, data: pathlib.Path) -> dict[str, float]:
  """Starts one process and returns where its seconds went."""
  seed = 1 if kind == 'next cell' else 0
  workdir, out = folder / kind.replace(' ', '_'), folder / 'seconds.json'
  arguments = [
      f'--config={_CELLS[name].format(seed=seed)}', f'--workdir={workdir}',
      f'--compilation_cache={folder / "xla"}',
      *(_NEXT if kind == 'next cell' else ()),
      *([f'--config.data.data_dir={data}'] if name == 'table1' else ())]
  environment = {key: value for key, value in os.environ.items()
                 if key != 'JAX_COMPILATION_CACHE_DIR'}
  code = ('import sys; from benchmarks import startup; '
          'startup.child(float(sys.argv[1]), sys.argv[2], sys.argv[3:])')
  finished = subprocess.run(
      [sys.executable, '-c', code, str(time.time()), str(out), *arguments],
      env=environment, capture_output=True, text=True)
  if not out.exists():
    raise SystemExit(f'the start failed:\n{finished.stderr[-3000:]}')
  seconds = json.loads(out.read_text())
  out.unlink()
  return seconds


def main() -> None:
  from nfnets_am.data.tools import stand_in

  out = console.Console()
  out = out if out.is_terminal else console.Console(width=110)
  with tempfile.TemporaryDirectory() as temporary:
    data = pathlib.Path(temporary) / 'data'
    if 'table1' in _RUN.value:
      stand_in.write(str(data), name='stand_in', train=64, test=16)
    for name in _RUN.value:
      found: dict[str, list[dict[str, float]]] = {kind: [] for kind in _STARTS}
      for i in range(_ROUNDS.value):
        folder = pathlib.Path(temporary) / f'{name}{i}'
        folder.mkdir()
        for kind in _STARTS:
          found[kind].append(start(name, kind, folder, data))
      out.print(_table(name, found))


def _table(name: str, found: dict[str, list[dict[str, float]]]) -> table.Table:
  rows = table.Table('seconds', *(f'{kind} start' for kind in _STARTS),
                     title=f'{name}: median (least to most) of {_ROUNDS.value} rounds')
  stages = sorted({stage for rounds in found.values() for one in rounds for stage in one},
                  key=lambda stage: (stage == _REST, stage))
  for stage in stages:
    rows.add_row(stage, *(_spread([one.get(stage, 0.0) for one in found[kind]])
                          for kind in _STARTS))
  totals = {kind: [sum(one.values()) for one in rounds] for kind, rounds in found.items()}
  rows.add_section()
  rows.add_row('to the first update', *(_spread(totals[kind]) for kind in _STARTS))
  rows.add_row('ratio to the first start', '', *(_spread(
      [a / b for a, b in zip(totals[kind], totals['first'], strict=True)], 2)
      for kind in _STARTS[1:]))
  return rows


def _spread(values: list[float], digits: int = 1) -> str:
  return (f'{statistics.median(values):.{digits}f} '
          f'({min(values):.{digits}f} to {max(values):.{digits}f})')


if __name__ == '__main__':
  cli.run(main)
