"""All commands under one name: `nfnets-am COMMAND ...` after `pip install .`, in any folder.

    nfnets-am train --config=FILE.py --workdir=runs/mine
    python -m nfnets_am train --config=FILE.py --workdir=runs/mine
"""

import ast
import pathlib
import runpy
import sys

import nfnets_am
from nfnets_am.core import terminal


def main() -> int | None:
  """Runs the command that the first argument names; returns an exit status unless it exits."""
  commands = {path.stem: path for path in sorted(pathlib.Path(__file__).parent.glob('[!_]*.py'))}
  name = sys.argv[1] if len(sys.argv) > 1 else '--help'
  if name in ('--help', '-h', 'help'):
    width = max(map(len, commands))
    print('usage: nfnets-am COMMAND [--flags]\n')
    for command, path in commands.items():
      summary = (ast.get_docstring(ast.parse(path.read_text())) or '').partition('\n')[0]
      print(f'  {command:{width}}  {summary}')
    print('\nnfnets-am COMMAND --help says more.')
    return 0
  if name == '--version':
    print(nfnets_am.__version__)
    return 0
  if name not in commands:
    print(terminal.clean(f'error: unknown command {name!r}; allowed: {", ".join(commands)}'),
          file=sys.stderr)
    return 1
  # As `python -m` does: an experiment's file finds its neighbours from where the user stands.
  sys.path.insert(0, '')
  sys.argv[:2] = [f'nfnets-am {name}']
  runpy.run_module(f'nfnets_am.{name}', run_name='__main__')
  return None


if __name__ == '__main__':
  sys.exit(main())
