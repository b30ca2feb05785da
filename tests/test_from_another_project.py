"""docs/from_another_project.md: its file runs anywhere, its types resolve, its imports are there.
"""

import ast
import importlib.util
import json
import pathlib
import re
import runpy
import subprocess
import sys

import jax
import jax.numpy as jnp
from PIL import Image
import pytest
from skimage import data as photographs

from nfnets_am import models
from nfnets_am.models import pretrained
from tests import commands

_TEXT = (commands.ROOT / 'docs' / 'from_another_project.md').read_text()
(_FILE,) = re.findall(r'```python\n(# few_calls\.py\n.*?)```', _TEXT, re.DOTALL)
_LARGE, _TINY = "MODEL, WEIGHTS, PICTURE = 'nfnet_f0',", "MODEL, WEIGHTS, PICTURE = 'nfnet_tiny',"
# Names that are imported -> what brings them, where the two differ.
_BRINGS = {'absl': 'absl-py', 'haiku': 'dm-haiku', 'markdown_it': 'markdown-it-py',
           'ml_collections': 'ml-collections', 'orbax': 'orbax-checkpoint', 'yaml': 'pyyaml'}
# What the calls give, in pyright's words.
_TYPES = {
    'model': 'Model', 'state': 'State', 'params': 'Mapping[str, Mapping[str, Any]]',
    'averages': 'Mapping[str, Mapping[str, Any]]', 'weights': 'Weights',
    # Behind its loop, which may have gone round not once.
    'seen': 'Unbound | Seen',
    'views': 'Array', 'outputs': 'Outputs', 'outputs.logits': 'Array', 'config': 'ConfigDict',
    'run': 'Run', 'rows': 'dict[str, Any]', 'train_state': 'TrainState',
    'metrics': 'dict[str, Array]'}


def test_the_calls_run_in_any_folder(tmp_path, monkeypatch, capsys):
  monkeypatch.chdir(tmp_path)
  Image.fromarray(photographs.chelsea()).save('cat.png')
  model = models.create_model('nfnet_tiny', 1000)
  params, state = model.init(jax.random.key(1), jnp.zeros((1, 32, 32, 3)))
  pretrained.export(params, state.averages, 'F0_haiku.npz')
  assert _FILE.count(_LARGE) == 1
  pathlib.Path('few_calls.py').write_text(_FILE.replace(_LARGE, _TINY))
  runpy.run_path('few_calls.py')
  *seen, logits, drawn, step = capsys.readouterr().out.splitlines()
  shares = [float(re.match(r' *([\d.]+)%  \w', line)[1]) for line in seen]
  assert len(shares) == 5 and shares == sorted(shares, reverse=True)
  size = model.train_size
  assert logits == f'logits (4, 1000) of views (4, {size}, {size}, 3)'
  shape, images = re.fullmatch(r'an update (\(.*\)) of images (\[.*\])', drawn).groups()
  assert shape == '(32, 28, 28, 1)' and len(ast.literal_eval(images)) == 8
  # A network that says nothing yet: ln 10 nats of 10 classes.
  assert 1.5 < float(re.fullmatch(r'update 1 loss ([\d.]+)', step)[1]) < 3.5


def test_its_types_resolve_in_pyrights_basic_mode(tmp_path):
  pytest.importorskip('basedpyright')  # pyright with a Node.js of its own, which fetches nothing.
  asked = ''.join(f'reveal_type({name})\n' for name in _TYPES)
  (tmp_path / 'few_calls.py').write_text(_FILE + asked)
  (tmp_path / 'wrong.py').write_text('from nfnets_am import models\nmodels.create_model(1, 2)\n')
  (tmp_path / 'pyrightconfig.json').write_text(json.dumps(
      {'typeCheckingMode': 'basic', 'extraPaths': [str(commands.ROOT)]}))
  done = subprocess.run(
      [sys.executable, '-m', 'basedpyright', '--outputjson', f'--pythonpath={sys.executable}',
       '-p', str(tmp_path)], capture_output=True, text=True)
  found = json.loads(done.stdout)['generalDiagnostics']
  errors = [(pathlib.Path(one['file']).name, one['message']) for one in found
            if one['severity'] == 'error']
  # That it looks into the package shows a call that is wrong.
  assert len(errors) == 1 and errors[0][0] == 'wrong.py' and '"str"' in errors[0][1], errors
  types = dict(re.fullmatch('Type of "(.*?)" is "(.*)"', one['message']).groups()
               for one in found if one['severity'] == 'information')
  assert types == _TYPES


def _imported() -> dict[str, bool]:
  """Libraries that the package imports; True where a module does when it is imported itself."""
  found: dict[str, bool] = {}
  for path in (commands.ROOT / 'nfnets_am').rglob('*.py'):
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree):
      names = ([alias.name for alias in node.names] if isinstance(node, ast.Import)
               else [node.module] if isinstance(node, ast.ImportFrom) else [])
      for name in (name.partition('.')[0] for name in names):
        if name != 'nfnets_am' and name not in sys.stdlib_module_names:
          found[name] = found.get(name, False) or node in tree.body
  return found


def _declared(monkeypatch) -> tuple[set[str], dict[str, list[str]]]:
  """What setup.py says: names that are always installed, and its other arguments."""
  said = {}
  spec = importlib.util.spec_from_file_location('setup_of_nfnets_am', commands.ROOT / 'setup.py')
  monkeypatch.setattr('setuptools.setup', lambda **kwargs: said.update(kwargs))
  spec.loader.exec_module(importlib.util.module_from_spec(spec))
  name_of = lambda text: re.match(r'[\w-]+', text)[0].lower()
  return {name_of(text) for text in said['install_requires']}, said


def test_an_installation_brings_what_an_import_needs(monkeypatch):
  imported = _imported()
  installed, said = _declared(monkeypatch)
  for name, at_once in imported.items():
    assert not at_once or _BRINGS.get(name, name).lower() in installed, name
  assert {'jax', 'numpy', 'absl', 'haiku'} <= imported.keys()
  assert said['python_requires'] == '>=3.11'
  # Type checkers look into a package that has this file.
  assert 'py.typed' in said['package_data']['nfnets_am']
  assert (commands.ROOT / 'nfnets_am' / 'py.typed').is_file()
