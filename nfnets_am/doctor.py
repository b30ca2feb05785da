"""The doctor: runs a config's input alone, and says how fast it is and where the time goes.

    JAX_PLATFORMS=cpu python -m nfnets_am.doctor --config=experiments/quickstart.py --updates=50 \\
        --step_ms=100 --out=views.png
"""

import itertools
import math
import os
import pathlib
import time

from absl import flags
from rich import table

from nfnets_am.core import cli
from nfnets_am.core import terminal
from nfnets_am.data.stream import input as stream
from nfnets_am.data.tools import contact_sheet
from nfnets_am.data.tools import stages as stages_lib
from nfnets_am.data.tools import text_sheet
from nfnets_am.sweeps import config_flag
from nfnets_am.training import run as run_lib

# No input makes so many updates ahead of their use.
_AHEAD = 8
_CONFIG = config_flag.ConfigFlag()
_UPDATES = flags.DEFINE_integer('updates', 20, 'Updates to time, after the first.', lower_bound=1)
_STEP_MS = flags.DEFINE_float('step_ms', None, 'Time of a training step that is to be fed.')
_CORES = flags.DEFINE_integer('cores', None, 'Cores of a host; by default those of this one.')
_OUT = flags.DEFINE_string(
    'out', None, 'Contact sheet of the first update, a .png whose rows are images; of text a .txt.')
_IMAGES = flags.DEFINE_integer(
    'images', 8, 'Unique images, segments or pairs of sentences on the sheet.', lower_bound=1)


def main() -> None:
  run = run_lib.build(_CONFIG.value)
  # More than are taken: what was ready at the start of the clock is made up for at its end.
  batches = run.dataset.train_batches(
      run.plan, run.seeds.augment, 0, 1 + _UPDATES.value + _AHEAD)
  start = time.perf_counter()
  first = next(batches)
  print(f'first update after {time.perf_counter() - start:.1f} s')
  start, cpu = time.perf_counter(), time.process_time()
  views = sum(len(batch['example']) for batch in itertools.islice(batches, _UPDATES.value))
  rate = views / (time.perf_counter() - start)
  cpu = (time.process_time() - cpu) / views
  print(f'{rate:,.0f} views/s on {os.cpu_count()} cores, {1e3 * cpu:.3f} ms of CPU time a view')
  # What is still being made would count as time of the stages.
  for _ in batches:
    pass

  streamed = isinstance(run.dataset, stream.StreamInput)
  rows = table.Table('stage', 'ms of CPU time a view', 'share')
  stages = stages_lib.stages(run.dataset, run.plan, run.seeds.augment) if streamed else {}
  stages['transfer'] = stages_lib.transfer(first)
  stages['rest: batches, copies, waiting'] = max(cpu - sum(stages.values()), 0.0)
  for stage, seconds in stages.items():
    rows.add_row(stage, f'{1e3 * seconds:.3f}', f'{seconds / cpu:.0%}')
  terminal.Terminal().print(rows)

  if _STEP_MS.value:
    cores = run.derived.views / (_STEP_MS.value / 1e3) * cpu
    of_host = _CORES.value or os.cpu_count()
    print(f'steps of {_STEP_MS.value:g} ms with {run.derived.views} views take {cores:.1f} cores '
          f'like these: {math.ceil(cores / of_host)} hosts of {of_host} cores')
  is_text = hasattr(run.dataset, 'vocabulary')
  if _OUT.value:
    draw = text_sheet.draw if is_text else contact_sheet.draw
    draw(run.dataset, first, pathlib.Path(_OUT.value), images=_IMAGES.value)
    terminal.say(f'{"text" if is_text else "picture"} {_OUT.value}')


if __name__ == '__main__':
  flags.mark_flags_as_required(['config'])
  cli.run(main, take=_CONFIG.take)
