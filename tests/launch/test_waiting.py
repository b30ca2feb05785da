"""What a plan waits for is said: on a terminal in place, elsewhere a line a minute."""

import io

from launch import waiting
from nfnets_am.core import terminal


def _out(is_terminal: bool) -> terminal.Terminal:
  out = terminal.Terminal(stderr=True, width=120)
  out.file, out._force_terminal = io.StringIO(), is_terminal
  out._environ, out.is_interactive = {'TERM': 'xterm'}, is_terminal
  return out


def test_where_there_is_no_terminal_a_program_is_named_once_a_minute():
  out = _out(False)
  with waiting.Waiting(7, 1200.0, out) as shown:
    shown.next('multiplicity=1')
    shown.next('multiplicity=4')
    waits = shown.compiling('multiplicity=4 for v6e:2x2x1')
    for seconds in range(1, 131):
      waits(float(seconds))
  assert out.file.getvalue().splitlines() == [
      f'compiling multiplicity=4 for v6e:2x2x1: {text} of at most 20 min (2 of 7)'
      for text in ('1 s', '61 s', '2 min')]


def test_a_terminal_shows_the_program_and_how_many_are_done():
  out = _out(True)
  with waiting.Waiting(2, 0.0, out) as shown:
    shown.next('one [bold]')
    shown.next('two')
    shown.compiling('two')(42.0)
    shown._progress.refresh()
  text = out.file.getvalue()
  assert 'compiling two: 42 s' in text and '1/2' in text and 'at most' not in text
