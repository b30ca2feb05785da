"""The commands of the documents that train can be given as they are printed."""

import re
import shlex

import pytest

from launch import jobs as jobs_lib
from launch import preflight
from nfnets_am.sweeps import experiment_file
from nfnets_am.training import run as run_lib
from tests import commands

_PAGES = [commands.ROOT / 'README.md', *sorted((commands.ROOT / 'docs').glob('*.md'))]


def _commands(module):
  """Returns the flags of each command of a module in the blocks of the pages, each once."""
  found = {}
  for page in _PAGES:
    for block in re.findall(r'^```\n(.*?)^```', page.read_text(), re.DOTALL | re.MULTILINE):
      for line in block.replace('\\\n', ' ').splitlines():
        if line.startswith(f'python -m {module} '):
          words = shlex.split(line, comments=True)[3:]
          found[' '.join(words)] = pytest.param(words, id=f'{page.name}:{" ".join(words)[:60]}')
  return list(found.values())


def _values(words, name):
  return [word.partition('=')[2] for word in words if word.startswith(f'--{name}=')]


@pytest.mark.parametrize('words', _commands('launch.sweep'))
def test_a_sweep_of_the_documents_can_run(words, monkeypatch):
  monkeypatch.chdir(commands.ROOT)
  ((experiment,), (workdir,)) = _values(words, 'experiment'), _values(words, 'workdir')
  jobs = jobs_lib.jobs_of(experiment, workdir, ''.join(_values(words, 'scale')),
                          _values(words, 'set'), look=False)
  preflight.configs(jobs)
  # What is read is said where it is not a part of the code.
  read = {job.config.data.set for job in jobs} - {'fashion_mnist_small', 'stand_in'}
  assert not read or all(job.config.data.data_dir for job in jobs)


@pytest.mark.parametrize('words', [
    param for param in _commands('nfnets_am.train') if '=FILE' not in ' '.join(param.values[0])])
def test_a_run_of_the_documents_can_run(words, monkeypatch):
  monkeypatch.chdir(commands.ROOT)
  (path,) = _values(words, 'config')
  changes = {}
  for word in words:
    if word.startswith('--config.'):
      key, equals, value = word.removeprefix('--config.').partition('=')
      changes[key] = value if equals else 'True'
  run_lib.check(experiment_file.get_config(path, changes), devices=1, hosts=1)


def test_imagenet_is_not_said_to_be_fetched():
  page = (commands.ROOT / 'docs' / 'data.md').read_text()
  part = page.partition('## ImageNet')[2].partition('\n## ')[0]
  assert '`data.download` cannot fetch it' in part and 'downloads/manual' in part
  assert 'download=True' not in part and '--config.data.download' not in part
