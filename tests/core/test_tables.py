"""Tables at 80 columns and in a pipe: no number and no name is cut, whatever must go."""

import io
import re

import pytest
from rich import table
from rich import text

from nfnets_am.core import tables
from nfnets_am.core import terminal

_PREFIX = 'wide_resnet_16_4,multiplicity='


def _rows(count=3, prose='', name=_PREFIX):
  """A table of numbers, names, a column that is the same everywhere, prose and a total."""
  shown = table.Table('cell', 'runs', 'updates', 'how', 'price', 'why', title='What it costs')
  for k in range(count):
    shown.add_row(f'{name}{2 ** k}', str(k), f'{1234567 * (k + 1):,}', 'counted, which is a guess',
                  f'{98765.25 * (k + 1):,.2f}', prose)
  shown.add_section()
  shown.add_row('total', '3', '7,407,402', '', '592,591.50', '')
  return shown


def _printed(shown, width, piped, monkeypatch):
  monkeypatch.setenv('COLUMNS', str(width))
  monkeypatch.setenv('TERM', 'dumb' if piped else 'xterm')
  out = terminal.Terminal()
  out.file = io.StringIO()
  out._force_terminal, out._color_system = not piped, None
  out.print(shown)
  return re.sub(r'\x1b\[[0-9;?]*[a-zA-Z]', '', out.file.getvalue())


def _words(shown):
  return [word for column in shown.columns for cell in column.cells for word in str(cell).split()]


def test_what_fits_is_left_alone():
  shown = _rows()
  assert tables.fit(shown, 200, stretch=False, clean=terminal.clean) == [shown]


@pytest.mark.parametrize('piped', [True, False])
@pytest.mark.parametrize('width', [80, 60, 30])
@pytest.mark.parametrize('prose', ['', 'a long reason, because of which nothing fits ' * 4])
def test_nothing_is_cut(width, piped, prose, monkeypatch):
  shown = _rows(prose=prose)
  printed = _printed(shown, width, piped, monkeypatch)
  assert '…' not in printed
  for word in _words(shown):
    if word.startswith(_PREFIX) and f'cell begins with {_PREFIX[:17]}' in printed:
      word = word[17:]
    assert word in printed, word
  lines = printed.splitlines()
  if not piped:
    # A line that is wider than a terminal is a name of its own or the line above the table.
    assert all(len(line) <= width or '│' not in line for line in lines)


def test_what_is_the_same_goes_first_and_is_said_once(monkeypatch):
  printed = _printed(_rows(), 80, False, monkeypatch)
  assert printed.count('counted, which is a guess') == 1
  assert 'in every row: how counted, which is a guess' in printed
  assert _PREFIX + '4' in printed, 'the beginning need not go too'
  printed = _printed(_rows(), 64, False, monkeypatch)
  assert 'cell begins with wide_resnet_16_4,' in printed and '│ multiplicity=4 ' in printed


def test_a_column_that_differs_only_in_its_total_stays(monkeypatch):
  shown = table.Table('cell', 'runs', 'x')
  for k in range(3):
    shown.add_row(f'name-{k}', '7', 'y' * 60)
  shown.add_section()
  shown.add_row('total', '21', 'z')
  printed = _printed(shown, 60, True, monkeypatch)
  assert '21' in printed and printed.count(' 7 ') == 3 and printed.count('y' * 60) == 3


def test_a_pipe_gets_a_table_as_wide_as_it_must_be(monkeypatch):
  name = 'n' * 150
  printed = _printed(_rows(name=name), 80, True, monkeypatch)
  assert f'│ {name}1 ' in printed and printed.count('│') > 6


def test_a_screen_that_is_too_small_gets_a_block_for_each_row(monkeypatch):
  name = 'n' * 150
  printed = _printed(_rows(name=name), 80, False, monkeypatch)
  assert '│' not in printed and f'{name}4\n' in printed and '  price: 296,295.75\n' in printed
  assert printed.startswith('in every row: how') and 'What it costs\n' in printed


def test_a_screen_that_is_a_little_too_small_gets_several_tables(monkeypatch):
  printed = _printed(_rows(count=4, name='n='), 40, False, monkeypatch)
  assert printed.count('┃ cell ') == 2 and printed.count('│ n=8 ') == 2
  first, second = printed.split('┃ cell ')[1:]
  assert '4,938,268' in first and '395,061.00' in second and '395,061.00' not in first


def test_colours_stay_and_what_a_terminal_obeys_does_not(monkeypatch):
  shown = table.Table('run', 'status')
  shown.add_row('a\x1b[2J' + 'b' * 60, text.Text('no\x1b[2J', style='red'))
  for width in (100, 40):
    printed = _printed(shown, width, True, monkeypatch)
    assert 'a\\x1b[2Jb' in printed and 'no\\x1b[2J' in printed and '\x1b' not in printed
