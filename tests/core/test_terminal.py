"""What is printed is what was said: no markup, and nothing that a terminal obeys."""

import ast
import io
import logging as std_logging

import pytest
from rich import table
from rich import text as rich_text

from nfnets_am.core import terminal
from tests import commands


@pytest.mark.parametrize('text, shown', [
    ('[/]', '[/]'), ('[link=http://x]a[/link]', '[link=http://x]a[/link]'), (':smile:', ':smile:'),
    ('[red]x', '[red]x'), ('a\x1b[2Jb', 'a\\x1b[2Jb'), ('a\rb', 'a\\rb'), ('\x9b31m', '\\x9b31m'),
    ('\u202eabc', '\\u202eabc'), ('bée', 'bée')])
def test_text_is_shown_as_it_is(text, shown):
  out = terminal.Terminal(width=100)
  out.file = io.StringIO()
  rows = table.Table(text, title=text, caption=text)
  rows.add_row(text)
  out.print(rows)
  out.print(text)
  printed = out.file.getvalue()
  assert printed.count(shown) == 5
  assert '\x1b' not in printed and '\r' not in printed


def test_colours_come_as_texts():
  out = terminal.Terminal(width=100)
  out.file = io.StringIO()
  out._force_terminal, out._color_system = True, None
  out.print(rich_text.Text('no', style='red'))
  assert 'no' in out.file.getvalue()


def test_folders_with_markup_in_their_names_are_listed(tmp_path):
  workdir = tmp_path / 'a[' / ']b[link=x]'
  (workdir / 'run[bold]').mkdir(parents=True)
  (workdir / 'run[bold]' / 'status.json').write_text(
      '{"status": "failed", "reason": "no \\u001b[2J [/red] file"}')
  done = commands.run('launch.status', f'--workdir={workdir}')
  assert done.returncode == 0, done.stderr
  assert 'run[bold]' in done.stdout and '[/red]' in done.stdout and '\x1b' not in done.stdout


def test_log_lines_are_cleaned_too():
  record = std_logging.makeLogRecord({
      'msg': '%s: [/] %s', 'args': ('a\x1b[2Jb', '\x9b31m'), 'levelno': 20, 'created': 0.0})
  shown = terminal.Formatter().format(record)
  assert shown.endswith('a\\x1b[2Jb: [/] \\x9b31m')


def test_nobody_else_opens_a_console():
  """Names and reasons are printed through one console, whose strings are no markup."""
  for folder in ('nfnets_am', 'launch', 'experiments'):
    for path in (commands.ROOT / folder).rglob('*.py'):
      if path.name == 'terminal.py':
        continue
      for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call):
          name = ast.unparse(node.func)
          assert name not in ('console.Console', 'rich.print', 'rich.console.Console'), path
          if name in ('live.Live', 'progress.track', 'rich_progress.Progress'):
            assert 'console' in {word.arg for word in node.keywords}, path
