"""A folder is a floor: imports run downwards only, and never in a circle."""

import ast
import pathlib

import pytest

_ROOT = pathlib.Path(__file__).resolve().parent.parent
_PACKAGE = _ROOT / 'nfnets_am'
# From the ground up. Folders of one floor do not import each other.
_FLOORS = (
    ('core',),
    ('config', 'optim'),
    ('models', 'data', 'storage'),
    ('attacks',),
    ('objectives',),
    ('evaluation',),
    ('training',),
    ('costs',),
    ('sweeps',),
    ('reporting', 'analysis'),
    ('',),  # The commands, files at the top.
)
_FLOOR = {folder: floor for floor, folders in enumerate(_FLOORS) for folder in folders}
# What stands outside imports the package; the package never imports it.
_OUTSIDE = ('benchmarks', 'experiments', 'launch', 'tests')


def _modules() -> dict[str, pathlib.Path]:
  """Returns dotted name -> file of every module of the package."""
  found = {}
  for path in _PACKAGE.rglob('*.py'):
    parts = path.relative_to(_ROOT).with_suffix('').parts
    found['.'.join(parts[:-1] if parts[-1] == '__init__' else parts)] = path
  return found


_MODULES = _modules()


def _imports(path: pathlib.Path) -> set[str]:
  """Returns the modules that a file imports, also inside its functions."""
  names = set()
  for node in ast.walk(ast.parse(path.read_text())):
    if isinstance(node, ast.Import):
      names |= {alias.name for alias in node.names}
    elif isinstance(node, ast.ImportFrom):
      assert not node.level, f'{path} imports relatively'
      for alias in node.names:
        whole = f'{node.module}.{alias.name}'
        names.add(whole if whole in _MODULES else node.module)
  return names


def _folder(module: str) -> str:
  """Returns the floor's folder of a module; '' for a command."""
  parts = module.split('.')[1:]
  return parts[0] if parts and (_PACKAGE / parts[0]).is_dir() else ''


def test_every_folder_has_a_floor():
  folders = {path.name for path in _PACKAGE.iterdir() if path.is_dir() and path.name[0] != '_'}
  assert folders <= set(_FLOOR)


@pytest.mark.parametrize('module', sorted(_MODULES))
def test_imports_run_downwards(module):
  own = _folder(module)
  for other in _imports(_MODULES[module]):
    assert other.split('.')[0] not in _OUTSIDE, f'{module} imports {other}'
    if other in _MODULES and other != 'nfnets_am':
      folder = _folder(other)
      assert folder == own or _FLOOR[folder] < _FLOOR[own], f'{module} imports {other}'


def test_commands_do_not_import_each_other():
  for module, path in _MODULES.items():
    commands = [other for other in _imports(path)
                if other in _MODULES and not _folder(other) and other != 'nfnets_am']
    assert not commands, f'{module} imports {commands}'


def test_no_import_comes_back():
  arrows = {module: _imports(path) & _MODULES.keys() for module, path in _MODULES.items()}
  left = dict(arrows)
  while left:
    free = [module for module, others in left.items() if not others & left.keys() - {module}]
    assert free, f'in a circle: {sorted(left)}'
    for module in free:
      del left[module]


def test_the_step_the_models_and_the_optimisers_need_no_tensorflow():
  seen, waiting = set(), ['nfnets_am.training.step', 'nfnets_am.models', 'nfnets_am.optim']
  while waiting:
    module = waiting.pop()
    if module not in seen:
      seen.add(module)
      for node in ast.parse(_MODULES[module].read_text()).body:
        if isinstance(node, (ast.Import, ast.ImportFrom)):
          name = getattr(node, 'module', None) or node.names[0].name
          assert name.split('.')[0] not in ('tensorflow', 'tensorflow_datasets'), module
      waiting += _imports(_MODULES[module]) & _MODULES.keys()


def test_no_file_is_long():
  for folder in (_PACKAGE, *(_ROOT / name for name in _OUTSIDE)):
    for path in folder.rglob('*.py'):
      assert len(path.read_text().splitlines()) <= 300, path
