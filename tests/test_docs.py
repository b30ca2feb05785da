"""What the documents tell a reader to write works as they say."""

import re
import shutil
import subprocess
import sys

import pytest

from tests import commands

_BLOCK = re.compile(r'```python\n# ([^\n]+)\n(.*?)```', re.DOTALL)


@pytest.mark.slow
def test_a_model_an_op_a_data_set_and_an_experiment_in_one_file_each(tmp_path):
  for folder in ('nfnets_am', 'launch', 'experiments'):
    shutil.copytree(commands.ROOT / folder, tmp_path / folder)
  written = []
  for heading, body in _BLOCK.findall((commands.ROOT / 'docs' / 'extending.md').read_text()):
    if heading.startswith('a line in '):
      path, registry = re.fullmatch(r'a line in (\S+), (\w+)', heading).groups()
      line, imported = body.split('# and its import\n')
      text = (tmp_path / path).read_text()
      opening = re.search(rf'^{registry} = .*\{{\n', text, re.MULTILINE)
      text = text[:opening.end()] + line + text[opening.end():]
      first = re.search(r'^from nfnets_am', text, re.MULTILINE)
      (tmp_path / path).write_text(text[:first.start()] + imported + text[first.start():])
    else:
      (tmp_path / heading).write_text(body)
      written.append(heading)
  assert len(written) == 4

  def run(module, *flags):
    return subprocess.run(
        [sys.executable, '-m', module, '--experiment=experiments/stripes.py', '--workdir=runs',
         *flags], cwd=tmp_path, env=commands.environment(), capture_output=True, text=True)

  sweep = run('launch.sweep', '--jobs=2')
  logs = ''.join(path.read_text() for path in tmp_path.glob('runs/*/log.txt'))
  assert sweep.returncode == 0, sweep.stderr + logs
  report = run('nfnets_am.report')
  assert report.returncode == 0, report.stderr
  assert (tmp_path / 'runs' / 'report.md').read_text().count('finished |') == 2
