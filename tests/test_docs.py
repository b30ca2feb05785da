"""What the documents tell a reader to write works as they say, and what they say of the code holds.
"""

import ast
import functools
import importlib
import json
import re
import shutil
import subprocess
import sys

import jax
import jax.numpy as jnp
import pytest

from nfnets_am import models
from nfnets_am.evaluation import predictions
from nfnets_am.training import loop
from nfnets_am.training import sections
from tests import commands
from tests import tiny_stream
from tests.data import image_folder

_BLOCK = re.compile(r'```python\n# ([^\n]+)\n(.*?)```', re.DOTALL)
_CALL = re.compile(r'`(\S+)\.py: ([\w.]+)`')


@pytest.mark.slow
def test_one_of_each_in_one_file_and_one_line_each(tmp_path):
  for folder in ('nfnets_am', 'launch', 'experiments'):
    shutil.copytree(commands.ROOT / folder, tmp_path / folder)
  written = []
  for heading, body in _BLOCK.findall((commands.ROOT / 'docs' / 'extending.md').read_text()):
    if heading.startswith('a line in '):
      path, registry = re.fullmatch(r'a line in (\S+), (\w+)', heading).groups()
      line, _, imported = body.partition('# and its import\n')
      text = (tmp_path / path).read_text()
      opening = re.search(rf'^{registry} = .*[{{(]\n', text, re.MULTILINE)
      text = text[:opening.end()] + line + text[opening.end():]
      first = re.search(r'^(from nfnets_am|import)', text, re.MULTILINE)
      (tmp_path / path).write_text(text[:first.start()] + imported + text[first.start():])
    else:
      (tmp_path / heading).write_text(body)
      written.append(heading)
  assert len(written) == 12

  def run(module, *flags):
    return subprocess.run(
        [sys.executable, '-m', module, '--experiment=experiments/stripes.py', '--workdir=runs',
         *flags], cwd=tmp_path, env=commands.environment(), capture_output=True, text=True)

  sweep = run('launch.sweep', '--jobs=2')
  logs = ''.join(path.read_text() for path in tmp_path.glob('runs/*/log.txt'))
  assert sweep.returncode == 0, sweep.stderr + logs
  report = run('nfnets_am.report')
  assert report.returncode == 0, report.stderr
  assert (tmp_path / 'runs' / 'report' / 'stripes.md').read_text().count('finished |') == 3
  lines = [json.loads(line) for path in tmp_path.glob('runs/*/metrics.jsonl')
           for line in path.read_text().splitlines()]
  assert all(line['distance'] > 0 for line in lines if line['split'] == 'train_views')
  (measured,) = [line for line in lines if line['split'] == 'init']
  assert measured['variance'] > 0
  kept = [predictions.read(path) for path in tmp_path.glob('runs/*/predictions/both_ways.npz')]
  assert [arrays['logits'].shape for arrays in kept] == [(50, 2)] * 2

  image_folder.write(tmp_path / 'images', {'ant': ('a.jpg', 'b.jpg'), 'bee': ('c.png',)})
  (tmp_path / 'images' / 'list.tsv').write_text(
      'train\tant\tant/a.jpg\ntest\tant\tant/b.jpg\ntrain\tbee\tbee/c.png\n')
  # Both in one process, which imports once.
  (tmp_path / 'both.py').write_text(
      "import mine\nfrom nfnets_am.data.stream import opening\n"
      "found = opening.open_set('listed:images/list.tsv', data_dir='', download=False, cache='',"
      " test_split='', split='', leave_out=())\n"
      'print({split: list(part.labels) for split, part in found.items()})\n')
  done = subprocess.run([sys.executable, 'both.py'], cwd=tmp_path, env=commands.environment(),
                        capture_output=True, text=True)
  assert done.returncode == 0, done.stderr
  status, _, predicted, counts = done.stdout.splitlines()
  assert "'finished'" in status and re.fullmatch(r'\[(\d ?){4}\] for \[(\d ?){4}\]', predicted)
  assert sorted(ast.literal_eval(counts)['train']) == [0, 1]
  assert ast.literal_eval(counts)['test'] == [0]


def test_the_way_of_an_image_is_as_the_house_says(pictures, tmp_path, monkeypatch):
  text = (commands.ROOT / 'docs' / 'house.md').read_text()
  way = text.partition('## The way of an image')[2].partition('A set in memory')[0]
  listed = _CALL.findall(way)
  assert 5 <= len(listed) <= 10
  called = []

  def follow(path, name):
    owner = importlib.import_module('nfnets_am.' + path.replace('/', '.'))
    *classes, last = name.split('.')
    for part in classes:
      owner = getattr(owner, part)
    if path == 'models/model':  # A field of the instance that the registry makes.
      make = owner.__init__
      def with_field(self, *args, **kwargs):
        make(self, *args, **kwargs)
        object.__setattr__(self, last, wrapped(getattr(self, last), name))
      monkeypatch.setattr(owner, '__init__', with_field)
    else:
      monkeypatch.setattr(owner, last, wrapped(getattr(owner, last), name))

  def wrapped(fn, name):
    def call(*args, **kwargs):
      # What the start places on the devices is no update's image.
      if name not in called and (called or name == listed[0][1]):
        called.append(name)
      return fn(*args, **kwargs)
    return call

  for path, name in listed:
    follow(path, name)
  config = tiny_stream.get_config()
  sections.override(config, {
      'data.data_dir': str(pictures), 'data.set': 'stand_in', 'budget': '1 updates'})
  config.evals = {}
  loop.train(config, tmp_path / 'run')
  assert called == [name for _, name in listed]


def test_the_table_of_models_has_all_of_them_with_their_sizes():
  text = (commands.ROOT / 'docs' / 'models.md').read_text()
  sizes = dict(re.findall(r'^\| (\w+) \| ([\d,]{4,}) \| \d+ \|', text, re.MULTILINE))
  # Those for tests are in no table; the largest are held against published numbers elsewhere.
  of_package = {name for name, create in models.MODELS.items()
                if getattr(create, 'func', create).__module__.startswith('nfnets_am')}
  assert sizes.keys() == {name for name in of_package if not name.endswith('_tiny')}
  for name in sizes:
    if name.startswith(('nf', 'skipinit', 'darts', 'amoebanet', 'resnet1', 'nasnet')):
      continue
    model = models.create_model(name, 1000)
    inputs = model.blank(1, (model.train_size, model.train_size, 3), jnp.float32)
    params, _ = jax.eval_shape(functools.partial(model.init, inputs=inputs), jax.random.key(0))
    assert sizes[name] == f'{sum(x.size for x in jax.tree.leaves(params)):,}', name
