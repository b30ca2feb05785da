"""Every command that the pages and the modules' docstrings print can be given: its own parser takes
it, and what it names is there. None is run; what is no command of this repository has a reason.
"""

import ast
import collections
import json
import re
import shlex

import pytest

from tests import commands

_PAGES = [commands.ROOT / 'README.md', *sorted((commands.ROOT / 'docs').glob('*.md'))]
_FOLDERS = ('nfnets_am', 'launch', 'benchmarks', 'experiments')
_BLOCK = re.compile(r'^```(\w*)\n(.*?)^```$', re.DOTALL | re.MULTILINE)
_SPAN = re.compile(r'`([^`]+)`')
# Why other programs are not asked here.
_ELSEWHERE = {
    'gcloud': 'Google Cloud, which asks for an account; tests/launch hold what the launcher says',
    'sky': "SkyPilot's own, an extra; tests/launch hold what the launcher says",
    'gcluster': "Google's Cluster Toolkit, which is no part of this",
    'fuser': "the system's",
    'apt-get': "the system's, and asks its servers",
    'wandb': "W&B's own, which asks for an account",
    'aim': "Aim's own, an extra",
    'tensorboard': "TensorBoard's own, which is no dependency: events are written without it",
}
_SHORT = ('train', 'evaluate', 'measure', 'report', 'doctor', 'export', 'experiments',
          'list_models')
_STARTS = re.compile(
    fr'([A-Z_]+=\S+ )?(python|pip|make|nfnets-am|{"|".join(_ELSEWHERE)}|--config)\b')
# What stands for something in the pages: a value that is right.
_STANDS = (
    (r'(--(?:config|experiment))=FILE(:CELL)?(?=$|,)', r'\1=tests/tiny.py'),
    (r'^(--price|--devices_per_run|--jobs)=[NP]$', r'\1=1'),
    (r'^--model=NAME$', '--model=nfnet_f0'),
    (r'^--tpu=TYPE$', '--tpu=v5litepod-8'),
)


def _words(text: str) -> list[str]:
  """Returns the words of a command: optional ones too, without variables in front."""
  text = re.sub(r'\[(:CELL)\]', '', text)
  text = text.replace('[--config.KEY=VALUE ...]', '')
  text = re.sub(r'\[(--[^\]]*)\]', r'\1', text)
  words = shlex.split(text.replace('RUN...', 'RUN'), comments=True)
  while words and re.match(r'[A-Z_]+=', words[0]):
    words.pop(0)
  for pattern, value in _STANDS:
    words = [re.sub(pattern, value, word) for word in words]
  return words


def _of_page(path):
  """Yields the texts of a page that are commands, or go on with one ('... --html')."""
  text = path.read_text()
  for language, block in _BLOCK.findall(text):
    if language in ('', 'sh'):
      yield from filter(_STARTS.match, block.replace('\\\n', ' ').splitlines())
  for span in _SPAN.findall(_BLOCK.sub('', text).replace('\n', ' ')):
    first, _, rest = span.partition(' ')
    flag = rest.lstrip('[').startswith('-')
    if rest and (first in ('python', 'pip', 'make', '...', *_ELSEWHERE)
                 or flag and (first in _SHORT or first.startswith('launch.'))):
      yield span


def _of_module(path):
  """Yields the commands of a module's docstring, as they are indented there."""
  text = ast.get_docstring(ast.parse(path.read_text())) or ''
  for line in re.sub(r'\\\n\s*', ' ', text).splitlines():
    if re.match(r' +([A-Z_]+=\S+ )?(python -m|nfnets-am|pip|make) ', line):
      yield re.split(' {3,}(?![ -])', line.strip())[0]  # What it is for may stand beside it.


def _collected() -> tuple[dict[str, dict[str, tuple[str, ...]]], list[tuple[str, list[str]]]]:
  """Returns module -> where and text -> arguments; and where and words of all other commands."""
  ours, others = collections.defaultdict(dict), []
  modules = [path for folder in _FOLDERS for path in sorted((commands.ROOT / folder).rglob('*.py'))]
  for path in (*_PAGES, *modules):
    before: list[str] = []
    for text in _of_page(path) if path.suffix == '.md' else _of_module(path):
      words = _words(text)
      if not words:
        continue
      if words[0] in _SHORT:
        words[:1] = ['python', '-m', f'nfnets_am.{words[0]}']
      elif words[0].startswith('launch.'):
        words[:1] = ['python', '-m', words[0]]
      elif words[0] == 'nfnets-am' or words[:3] == ['python', '-m', 'nfnets_am']:
        words[:1 if words[0] == 'nfnets-am' else 3] = ['python', '-m']
        words[2] = f'nfnets_am.{words[2]}'
      if '...' in words:  # What the command before it says.
        at = words.index('...')
        words = (words[:at] + before[at:] if at else before) + words[at + 1:]
      elif words[:2] == ['python', '-m']:
        before = words
      elif words[0] in _ELSEWHERE:
        before = words
      where = f'{path.relative_to(commands.ROOT)}: {" ".join(text.split())}'
      if words[:2] == ['python', '-m']:
        ours[words[2]][where] = tuple(word for word in words[3:] if word != '...')
      elif words[0] in ('pip', 'make', 'python', *_ELSEWHERE):
        others.append((where, words))
      elif words[0].startswith('--config.'):
        ours['nfnets_am.train'][where] = ('--config=tests/tiny.py', *words)
  return ours, others


_OURS, _OTHERS = _collected()


@pytest.mark.slow
def test_what_is_wrong_is_found():
  asked = {
      'launch.sweep': [
          ['--experiment=tests/tiny.py', '--workdir=x', '--job=2'],
          ['--experiment=experiments/none.py', '--workdir=x'],
          ['--experiment=tests/tiny.py', '--workdir=x', '--scale=smoke'],  # It knows none.
          ['--experiment=tests/tiny.py', '--workdir=x', '--on=slurmy'],
          ['--workdir=x'], ['--experiment=tests/tiny.py', '--workdir=x']],
      'nfnets_am.train': [
          ['--config=tests/tiny.py', '--config.optimizer.momentm=0.5'],
          ['--config=tests/tiny.py:sead=1'], ['--config=tests/tiny.py', '--config.ema=much'],
          ['--config=tests/tiny.py', '--config.ema=0.5']],
      'benchmarks.step': [['--model=wide_resnt'], ['--batch=many'], ['--batch=8']],
      'nfnets_am.data.tools.stand_in': [['--data_dir=x', '--trane=4'], ['--data_dir=x']],
  }
  for module, those in asked.items():
    *wrong, right = commands.run('tests.parsed', module, json.dumps(those)).stdout.splitlines()
    assert len(wrong) == len(those) - 1 and all(wrong) and not right, (module, wrong, right)


def test_there_are_many():
  assert len(_OURS) > 30 and sum(map(len, _OURS.values())) > 150 and len(_OTHERS) > 10


@pytest.mark.slow
@pytest.mark.parametrize('module', sorted(_OURS))
def test_its_own_parser_takes_it(module):
  asked = _OURS[module]
  distinct = sorted(set(asked.values()))
  done = commands.run('tests.parsed', module, json.dumps(distinct))
  answers = done.stdout.splitlines()[-len(distinct):]
  assert done.returncode == 0 and len(answers) == len(distinct), done.stderr
  wrong = dict(zip(distinct, answers, strict=True))
  # A sentence of the text names what it is about and leaves out what the command needs as well.
  lacks = 'must have a value other than None'
  found = {where: wrong[words] for where, words in asked.items() if wrong[words] and not (
      lacks in wrong[words] and (not words or 'python -m' not in where))}
  assert not found


@pytest.mark.parametrize('where, words', _OTHERS, ids=[where[:70] for where, _ in _OTHERS])
def test_what_is_no_module_of_ours(where, words):
  program, *arguments = words
  if program == 'python':  # Lines of Python, which would fetch a set; the names are TFDS' own.
    assert arguments[0] == '-c' and ast.parse(arguments[1]), where
    return
  if program == 'make':
    targets = re.search(r'^\.PHONY: (.*)$', (commands.ROOT / 'Makefile').read_text(),
                        re.MULTILINE)[1].split()
    variables = re.findall(r'^(\w+) \??=', (commands.ROOT / 'Makefile').read_text(), re.MULTILINE)
    for word in arguments:
      assert word in targets or word.partition('=')[0] in variables, where
  elif program == 'pip':
    extras = re.findall(r"^        '(\w+)': \[", (commands.ROOT / 'setup.py').read_text(),
                        re.MULTILINE)
    assert arguments[0] == 'install', where
    for word in arguments[1:]:
      if word == '-e':
        continue
      # FOLDER is the repository's, seen from elsewhere.
      extra = re.fullmatch(r'(?:\.|FOLDER)(?:\[(\w+)\])?|(\w+)', word)
      assert extra and (not extra[1] or extra[1] in extras), where
  else:
    assert program in _ELSEWHERE, where
