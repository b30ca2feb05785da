"""The measures of growth.py. Those that train or read images are processes: growing_runs.py."""

from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Sequence
import contextlib
import dataclasses
import io
import json
import pathlib
import resource
import subprocess
import sys
import tempfile
import time
from typing import Any

from etils import epath

from launch import jobs as jobs_lib
from launch import scheduler
from nfnets_am.storage import metrics as metrics_lib

# Of a look at a launcher's share of a core.
_LOOK_S = 20.0
_EXPERIMENTS = 'experiments/fort2021'
# Of the metrics of a made-up run.
_LINES = 100
# Of the quickstart, the run that is started again; over all updates that are measured.
CELL, BUDGET = 'scale=smoke', '200000 updates'


@dataclasses.dataclass(frozen=True)
class Measured:
  """A measure at several sizes.

  Attributes:
    what: it is.
    of: what the sizes count.
    unit: of the values.
    sizes: ascending.
    values: one of each, over 0.
  """

  what: str
  of: str
  unit: str
  sizes: Sequence[int]
  values: Sequence[float]


def _sizes(share: float, *full: int) -> list[int]:
  """Returns sizes that are a share of the full ones, and differ."""
  found = [max(1, round(size * share)) for size in full]
  return [max(size, found[0] + i) for i, size in enumerate(found)]


def _least(work: Callable[[int], Sequence[float]], sizes: Sequence[int], rounds: int
           ) -> list[list[float]]:
  """Returns, of each number that `work` returns of a size, its least of the rounds at each size."""
  found = [[work(size) for size in sizes] for _ in range(rounds)]
  return [[min(one[i][k] for one in found) for i in range(len(sizes))]
          for k in range(len(found[0][0]))]


def _cpu(work: Callable[[], Any]) -> float:
  began = time.process_time()
  work()
  # A clock tick of nothing is no number to divide by.
  return max(time.process_time() - began, 1e-6)


def _child(function: str, *arguments: str) -> str:
  """Calls a function of growing_runs in a process of its own; returns what it printed."""
  code = ('import sys; from benchmarks import growing_runs; '
          'getattr(growing_runs, sys.argv[1])(*sys.argv[2:])')
  done = subprocess.run([sys.executable, '-c', code, function, *arguments], capture_output=True,
                        text=True)
  if done.returncode:
    raise SystemExit(f'{function} failed:\n{done.stderr[-3000:]}')
  return done.stdout


def memory(share: float, rounds: int) -> Iterator[Measured]:
  """Reads inputs for 10,000 updates; one round, since a process' memory is hardly noise."""
  del rounds
  sizes = _sizes(share, 100, 1000, 10_000)
  with tempfile.TemporaryDirectory() as data:
    _child('make_pictures', data)
    for name in ('in memory', 'streamed'):
      out = _child('read_input', name, data, *map(str, sizes))
      values = [int(line) / 2**20 for line in out.splitlines()[-len(sizes):]]
      yield Measured(f'memory, input {name}', 'updates', 'MiB', sizes, values)


def resume(share: float, rounds: int) -> Iterator[Measured]:
  """Starts again at updates 100 and 100,000, with the compiled programs of a start before."""
  sizes = _sizes(share, 100, 100_000)
  with tempfile.TemporaryDirectory() as name:
    folder = pathlib.Path(name)
    _child('make_checkpoints', name, *map(str, sizes))

    def start(update: int) -> tuple[float, float]:
      return _cpu_of_children(lambda: _first_update(folder, update))

    start(sizes[0])
    clock, cpu = _least(start, sizes, rounds)
    yield Measured('resume, to the first update', 'updates done', 's', sizes, clock)
    yield Measured('resume, of that CPU', 'updates done', 's', sizes, cpu)


def first_batch(share: float, rounds: int) -> Iterator[Measured]:
  """Begins a streamed input at updates 100 and 100,000: it goes to a place in its order."""
  sizes = _sizes(share, 100, 100_000)
  with tempfile.TemporaryDirectory() as data:
    _child('make_pictures', data)
    begin = lambda update: [float(_child('first_batch', data, str(update)).splitlines()[-1])]
    (values,) = _least(begin, sizes, rounds)
  yield Measured('streamed input, to the first batch', 'updates done', 's of CPU', sizes, values)


def _first_update(folder: pathlib.Path, update: int) -> float:
  """Returns the seconds to the next update of a run of `make_checkpoints`."""
  out = folder / 'seconds.json'
  code = ('import sys; from benchmarks import startup; '
          'startup.child(float(sys.argv[1]), sys.argv[2], sys.argv[3:])')
  done = subprocess.run(
      [sys.executable, '-c', code, str(time.time()), str(out),
       f'--config=experiments/quickstart.py:{CELL}', f'--config.budget={BUDGET}',
       f'--workdir={folder / str(update)}', f'--compilation_cache={folder / "xla"}'],
      capture_output=True, text=True)
  # It ends itself after the update.
  if not out.exists():
    raise SystemExit(f'the start failed:\n{done.stderr[-3000:]}')
  seconds = sum(json.loads(out.read_text()).values())
  out.unlink()
  return seconds


def report(share: float, rounds: int) -> Iterator[Measured]:
  """Writes all pages over made-up runs, which a folder gets more of; one round, it takes minutes.

  Most of it is the configs of all cells, which are as many without a run: what a run adds is a row
  of its own, and where that is flat, the report is linear.
  """
  del rounds
  made: list[int] = []
  values: list[float] = []
  with tempfile.TemporaryDirectory() as name:
    for size in _sizes(share, 100, 1000, 10_000):
      # A table reads the end of a run's metrics: how many lines there are is not the subject.
      _run('benchmarks.report', f'--make={name}', f'--runs={size - sum(made[-1:])}',
           f'--lines={_LINES}', f'--experiments={_EXPERIMENTS}')
      made.append(len(list(pathlib.Path(name).glob('*/status.json'))))
      values.append(_run('nfnets_am.report', '--all', f'--experiments={_EXPERIMENTS}',
                         f'--workdir={name}'))
  yield Measured('report', 'runs', 's of CPU', made, values)
  more = [1e3 * max(value - values[0], 1e-6) / (size - made[0])
          for size, value in zip(made[1:], values[1:], strict=True)]
  yield Measured(f'report, for each run over {made[0]:,}', 'runs', 'ms of CPU', made[1:], more)


def _run(module: str, *arguments: str) -> float:
  """Returns the seconds of CPU that a command takes."""
  return _cpu_of_children(lambda: subprocess.run(
      [sys.executable, '-m', module, *arguments], check=True, stdout=subprocess.DEVNULL,
      stderr=subprocess.DEVNULL))[1]


def _cpu_of_children(work: Callable[[], Any]) -> tuple[Any, float]:
  """Returns what `work` does, and the seconds of CPU of the processes that it has ended."""
  before = resource.getrusage(resource.RUSAGE_CHILDREN)
  found = work()
  after = resource.getrusage(resource.RUSAGE_CHILDREN)
  return found, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


class _Endless:
  """A backend whose runs neither compute nor end; after a while somebody presses Ctrl-C."""

  noted, on_stop = '', 'stopping'

  def __init__(self, seconds: float):
    self._seconds = seconds
    self._stopping = False
    # CPU and clock when the first run was started, and from the first look to the last.
    self.first_cpu = 0.0
    self._began: tuple[float, float] | None = None
    self.share = 0.0

  def start(self, job: jobs_lib.Job) -> '_Endless':
    """Starts nothing."""
    self.first_cpu = self.first_cpu or time.process_time()
    return self

  def busy(self, job: jobs_lib.Job) -> bool:
    """Nobody is at work here."""
    return False

  def poll(self) -> jobs_lib.Ending | None:
    """Goes on until the time is over."""
    now = time.process_time(), time.monotonic()
    self._began = self._began or now
    if not self._stopping and now[1] - self._began[1] > self._seconds:
      self.share = (now[0] - self._began[0]) / (now[1] - self._began[1])
      raise KeyboardInterrupt
    return None

  def stop(self) -> None:
    """Has nothing to save."""
    self._stopping = True

  def stopped(self) -> bool:
    """Whether it was told to stop."""
    return self._stopping


def launcher(share: float, rounds: int) -> Iterator[Measured]:
  """Keeps a queue for a while in which two runs are in hand."""
  sizes = _sizes(share, 10, 100, 1000)

  def look(queued: int) -> tuple[float, float]:
    backend = _Endless(max(1.0, _LOOK_S * share))
    with tempfile.TemporaryDirectory() as name, contextlib.redirect_stderr(io.StringIO()):
      jobs = [jobs_lib.Job(f'run-{i:04}', epath.Path(name) / f'run-{i:04}', ('--config=none',))
              for i in range(queued + 2)]
      began = time.process_time()
      scheduler.Scheduler(backend, at_once=2, restarts=0).run(lambda: jobs)
    return max(100 * backend.share, 1e-3), max(backend.first_cpu - began, 1e-6)

  found = _least(look, sizes, rounds)
  for what, unit, values in zip(
      ('launcher, share of a core', 'launcher, until it starts a run'), ('%', 's of CPU'), found,
      strict=True):
    yield Measured(what, 'queued runs', unit, sizes, values)


def metrics(share: float, rounds: int) -> Iterator[Measured]:
  """Opens, reads and goes on with files of up to 10^6 lines."""
  sizes = _sizes(share, 10_000, 100_000, 1_000_000)
  whats = ('opened to go on', 'read whole', 'its end read', 'a line written')
  with tempfile.TemporaryDirectory() as name:
    paths = {size: _metrics_file(pathlib.Path(name) / f'{size}.jsonl', size) for size in sizes}

    def use(size: int) -> list[float]:
      opened = []
      found = [_cpu(lambda: opened.append(metrics_lib.MetricsFile(paths[size], update=size))),
               _cpu(lambda: metrics_lib.read(paths[size])),
               _cpu(lambda: metrics_lib.read_end(paths[size], size)),
               _cpu(lambda: opened[0].write(_line(size + 1)))]
      opened[0].close()
      return found

    for what, values in zip(whats, _least(use, sizes, rounds), strict=True):
      yield Measured(f'metrics file, {what}', 'lines', 's of CPU', sizes, values)


def _metrics_file(path: pathlib.Path, lines: int) -> pathlib.Path:
  with open(path, 'w') as f:
    f.writelines(json.dumps(_line(update + 1)) + '\n' for update in range(lines))
  return path


def _line(update: int) -> dict[str, Any]:
  return {'update': update, 'epochs': update / 117, 'split': 'train_views',
          'loss': 5 / (1 + update), 'top1': 0.5, 'learning_rate': 0.0625}


PARTS = {'memory': memory, 'resume': resume, 'first_batch': first_batch, 'report': report,
         'launcher': launcher, 'metrics': metrics}
