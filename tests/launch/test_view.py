"""What a sweeper sees: the live view of a launcher, its log lines, and launch.status --watch."""

import io
import json
import signal
import sys

from etils import epath
import pytest

from launch import jobs as jobs_lib
from launch import view
from tests.launch import launcher
from tests.launch import terminal


@pytest.fixture
def jobs(tmp_path):
  """Two runs in folders without a launcher: one has finished, one was stopped at update 3 of 8."""
  found = launcher.jobs(tmp_path, 'fine', 'held')
  for job, status, update in zip(found, ('finished', 'stopped'), (8, 3), strict=True):
    job.folder.mkdir()
    _set(job, status, update)
    (job.folder / 'metrics.jsonl').write_text(''.join(
        json.dumps({'update': k + 1}) + '\n' for k in range(update)))
  return found


def _set(job, status, update):
  (job.folder / 'status.json').write_text(
      json.dumps({'status': status, 'update': update, 'updates': 8}))


def test_watching_refreshes_and_ends_with_the_last_run(jobs, tmp_path):
  shown = terminal.Terminal('launch.status', f'--workdir={tmp_path}', '--watch', '--all',
                            '--every=0.5')
  shown.read_until(r'held-1\s*│ queued\s*│ 3/8')
  # After the workdir, whose length says where the line breaks.
  shown.read_until(r'2\s+runs:\s+1\s+queued,\s+1\s+finished')
  _set(jobs[1], 'diverged', 5)
  assert shown.end() == 0
  assert '1 diverged, 1 finished' in shown.text and '5/8' in shown.text


def test_watching_ends_cleanly_with_ctrl_c(jobs, tmp_path):
  del jobs
  shown = terminal.Terminal('launch.status', f'--workdir={tmp_path}', '--watch', '--every=0.5')
  shown.read_until('1 queued')
  shown.process.send_signal(signal.SIGINT)
  assert shown.end() == 0 and 'Traceback' not in shown.text


def test_a_launcher_on_a_terminal_shows_what_runs(tmp_path):
  shown = terminal.Terminal('tests.launch.launcher', str(tmp_path), '3', 'held', 'fine', 'crash')
  shown.read_until('3 runs: 1 done, 1 running, 0 queued, 1 failed')
  shown.read_until(r'held-0 [━╸╺ ]+ 5/8')
  shown.process.send_signal(signal.SIGINT)
  assert shown.end() == 75
  for text in ('started fine-1', 'fine-1: finished at update 8', 'crash-2: failed: this config is',
               'stopping: the runs save their last update', 'stopped before'):
    assert text in shown.text


class _Screen(io.StringIO):
  def isatty(self):
    return True


def test_the_live_view_shows_at_most_a_screen_and_not_all_the_time(jobs, tmp_path, monkeypatch):
  screen = _Screen()
  monkeypatch.setenv('TERM', 'xterm')
  monkeypatch.setattr(sys, 'stderr', screen)
  monkeypatch.setitem(view._REFRESH_S, 'live', 1e6)
  shown = view.make_view()
  many = [jobs[1]] * 30
  for _ in range(9):
    shown.show(40, many, 4, 0)
  shown.say('a [bracket] stays')
  shown.close()
  text = terminal.plain(screen.getvalue())
  first = text[:text.index('40 runs')]
  assert first.count('held-1') == view._MOST_ROWS and '6 done, 30 running, 4 queued' in text
  # Once by itself, and again below what was said and at the end.
  assert text.count('40 runs') == 3 and 'a [bracket] stays' in text


def test_names_and_reasons_are_shown_as_they_are(tmp_path, monkeypatch):
  """Markup would end in an error or make a link; a terminal would obey an escape."""
  name = '[/]run[link=http://x]\x1b[2J'
  job = jobs_lib.Job(name, epath.Path(tmp_path) / 'r[][bold]', ())
  job.folder.mkdir()
  _set(job, 'stopped', 3)
  job.note(error='[/red] \x1b]0;title\x07')
  screen = _Screen()
  monkeypatch.setenv('TERM', 'xterm')
  monkeypatch.setattr(sys, 'stderr', screen)
  shown = view.make_view()
  shown.say(f'started {name}')
  shown.show(1, [job], 0, 0)
  shown.close()
  view.print_table([job])
  text = terminal.plain(screen.getvalue())
  assert text.count('[/]run[link=http://x]\\x1b[2J') >= 3
  assert '[/red] \\x1b]0;title\\x07' in text and '\x07' not in text


def test_elsewhere_it_is_log_lines(jobs, monkeypatch):
  lines = []
  monkeypatch.setattr(view.logging, 'info', lambda text, *args: lines.append(text % args))
  monkeypatch.setattr(sys, 'stderr', io.StringIO())
  shown = view.make_view()
  shown.show(2, [jobs[1]], 0, 0)
  assert not lines
  monkeypatch.setitem(view._REFRESH_S, 'lines', 0.0)
  shown.show(2, [], 0, 0)
  shown.show(2, [jobs[1]], 0, 0)
  shown.say('100% of it')
  shown.close()
  assert lines == ['2 runs: 1 done, 1 running, 0 queued; held-1 at update 3 of 8', '100% of it']
