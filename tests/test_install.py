"""`pip install .` brings a command that works in any folder, without the repository."""

import json
import os
import shutil
import subprocess
import sys

import pytest

import nfnets_am
from tests import commands


@pytest.fixture(scope='module')
def installed(tmp_path_factory):
  """A folder with what `pip install .` puts where; the libraries are those of the tests."""
  root = tmp_path_factory.mktemp('installed')
  copy = root / 'source'
  # pip builds within the source's folder.
  shutil.copytree(commands.ROOT / 'nfnets_am', copy / 'nfnets_am')
  for name in ('setup.py', 'pyproject.toml'):
    shutil.copy(commands.ROOT / name, copy)
  done = subprocess.run(
      [sys.executable, '-m', 'pip', 'install', '-q', '--no-deps', '--no-build-isolation',
       '--no-index', '--target', root / 'site', copy], capture_output=True, text=True)
  assert done.returncode == 0, done.stderr
  shutil.rmtree(copy)
  return root


def nfnets_am_command(installed, *args):
  env = commands.environment() | {'PYTHONPATH': str(installed / 'site')}
  return subprocess.run([installed / 'site' / 'bin' / 'nfnets-am', *args], cwd=installed, env=env,
                        capture_output=True, text=True)


def test_the_commands_are_listed_and_an_unknown_one_is_refused(installed):
  listed = nfnets_am_command(installed)
  assert listed.returncode == 0
  for path in (commands.ROOT / 'nfnets_am').glob('[!_]*.py'):
    assert f'  {path.stem} ' in listed.stdout
  assert nfnets_am_command(installed, '--version').stdout.strip() == nfnets_am.__version__
  unknown = nfnets_am_command(installed, 'trian')
  assert unknown.returncode == 1
  assert unknown.stderr.startswith("error: unknown command 'trian'; allowed: ")
  assert len(unknown.stderr.splitlines()) == 1


def test_a_run_of_the_bundled_set_trains_and_says_its_version(installed):
  (installed / 'neighbour.py').write_text('CHANNELS = 4\n')
  (installed / 'mine.py').write_text("""
import ml_collections
import neighbour
from nfnets_am.config import schema


def get_config(cell=''):
  config = schema.get_default()
  config.unique, config.budget = 4, '2 updates'
  config.data.set, config.data.apply = 'fashion_mnist_small', 'device'
  config.data.train_images = 16
  config.model = ml_collections.ConfigDict({'name': 'wide_resnet', 'depth': 10, 'width': 1})
  config.evals = {}
  return config
""")
  done = nfnets_am_command(installed, 'train', '--config=mine.py', '--workdir=runs/mine')
  assert done.returncode == 0, done.stderr
  status = json.loads((installed / 'runs' / 'mine' / 'status.json').read_text())
  assert status['status'] == 'finished'
  (start,) = json.loads((installed / 'runs' / 'mine' / 'run.json').read_text())['starts']
  assert start['version'] == nfnets_am.__version__
  # It is no commit of a repository that happens to lie around the installed copy.
  assert start['commit'] == ''
  assert os.path.basename(start['command'][0]).startswith('nfnets-am')
