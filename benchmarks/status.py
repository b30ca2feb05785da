"""How long one look at a sweep of 2,000 runs takes, against reading the files of its runs once.

    python -m benchmarks.status --runs=2000

Makes up folders of runs that finished, failed, wait and were killed, and prints medians over the
rounds: reading how each stands, making the summary of it, listing all runs, the whole command
(`python -m launch.status`, with Python's start and its imports), and opening, reading and parsing
each file of the runs once, by which the ratios divide. Of a metrics file that is the last part, as
a look needs no more. The seconds are of CPU, this process's or the command's.
"""

import io
import json
import pathlib
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from unittest import mock

from absl import flags
from rich import table

from launch import naming
from launch import states
from launch import summary
from nfnets_am.core import cli
from nfnets_am.core import terminal

_RUNS = flags.DEFINE_integer('runs', 2000, 'Made-up runs.', lower_bound=1)
_ROUNDS = flags.DEFINE_integer('rounds', 5, 'Of each measurement.', lower_bound=1)

_KINDS = ('finished', 'finished', 'failed', 'killed', 'queued')
_LINES = 400
_TAIL = 4096


def main() -> None:
  with tempfile.TemporaryDirectory() as name:
    workdir = pathlib.Path(name)
    for i in range(_RUNS.value):
      make(workdir / f'wide_resnet-n{2 ** (i % 5)}-seed{i % 7}-{i:010x}', _KINDS[i % len(_KINDS)])
    found = _look(name)
    measured = {
        'reading each file once': lambda: read(workdir),
        'how each run stands': lambda: _look(name),
        'the summary of it': lambda: _print(summary.overview(found, name)),
        'listing all runs': lambda: _print(summary.every(found, 'all', name)),
    }
    seconds = {what: statistics.median(_seconds(work) for _ in range(_ROUNDS.value))
               for what, work in measured.items()}
    seconds['the command'] = statistics.median(_command(name) for _ in range(_ROUNDS.value))
  once = seconds['reading each file once']
  rows = table.Table('what', 'seconds of CPU', 'ratio to reading', title=f'{_RUNS.value:,} runs')
  for what, value in seconds.items():
    rows.add_row(what, f'{value:.3f}', f'{value / once:.1f}')
  terminal.Terminal().print(rows)


def make(folder: pathlib.Path, kind: str) -> None:
  """Makes up the folder of a run that stands so."""
  folder.mkdir(parents=True)
  error = f'data.data_dir: there is no folder /data (exit status 1, {folder}/log.txt)'
  note = {'starts': 1, 'interruptions': 0, 'error': error if kind == 'failed' else '',
          'dropped': ''}
  (folder / 'launch.json').write_text(json.dumps(note, indent=1))
  (folder / 'log.txt').write_text('error: no\n')
  if kind == 'queued':
    return
  lines = _LINES if kind == 'finished' else _LINES // 2
  stands = {'status': 'finished' if kind == 'finished' else 'running', 'update': lines,
            'updates': _LINES}
  (folder / 'status.json').write_text(json.dumps(stands, indent=1))
  (folder / 'metrics.jsonl').write_text(''.join(
      json.dumps({'update': k + 1, 'epochs': k / 8, 'split': 'train_views', 'loss': 1.0 / (k + 1),
                  'top1': 0.5, 'learning_rate': 0.0625}) + '\n' for k in range(lines)))


def read(workdir: pathlib.Path) -> int:
  """Opens, reads and parses each file of each run once; returns how many there are."""
  files = 0
  for folder in workdir.iterdir():
    for name in ('status.json', 'launch.json'):
      if (folder / name).exists():
        json.loads((folder / name).read_bytes())
        files += 1
    if (folder / 'metrics.jsonl').exists():
      with open(folder / 'metrics.jsonl', 'rb') as f:
        f.seek(max(0, (folder / 'metrics.jsonl').stat().st_size - _TAIL))
        json.loads(f.read().splitlines()[-1])
      files += 1
  return files


def _look(workdir: str) -> list[states.State]:
  return [states.state_of(job) for job in naming.folders_of(workdir)]


def _print(parts: list) -> None:
  with mock.patch.object(sys, 'stdout', io.StringIO()):
    out = terminal.Terminal(width=160)
    for part in parts:
      out.print(part, soft_wrap=True)


def _seconds(work) -> float:
  began = time.process_time()
  work()
  return time.process_time() - began


def _command(workdir: str) -> float:
  """Returns the CPU seconds of the command as it is typed."""
  before = resource.getrusage(resource.RUSAGE_CHILDREN)
  subprocess.run([sys.executable, '-m', 'launch.status', f'--workdir={workdir}'], check=True,
                 stdout=subprocess.DEVNULL)
  after = resource.getrusage(resource.RUSAGE_CHILDREN)
  return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


if __name__ == '__main__':
  cli.run(main)
