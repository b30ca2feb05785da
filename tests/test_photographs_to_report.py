"""As typed: a stand-in of ImageNet from photographs, a tiny NFNet on it, its report."""

import json
import textwrap

import pytest

from nfnets_am.sweeps import experiment_file
from tests import commands

_EXPERIMENT = """
    from nfnets_am.config import cells as cells_lib
    from nfnets_am.config import schema
    from nfnets_am.sweeps import experiment_file

    def get_config(cell=''):
      cell = cells_lib.parse_cell(cell, {'multiplicity': 1})
      config = schema.get_default()
      config.multiplicity, config.unique, config.budget = cell['multiplicity'], 4, '2 epochs'
      config.data.name, config.data.set, config.data.data_dir = 'stream', 'imagenet2012', 'DATA'
      config.data.eval_size = 40
      config.data.augment = (
          "crop(32) | flip() | mix('mixup(alpha=0.2) | cutmix()', partners='fresh') | "
          "randaugment(num_ops=4, magnitude=10, contrast='as_published') | normalise()")
      config.data.lanes, config.data.validation = 2, 6
      config.model.name, config.schedule.peak = 'nfnet_tiny', 0.01
      config.evals.validation = {'name': 'accuracy', 'split': 'validation'}
      config.eval_batch = 4
      return config

    def get_sweep(scale=''):
      return experiment_file.Sweep(
          title='A tiny NFNet', cells=({'multiplicity': 2},), select='validation')
"""


@pytest.mark.slow
def test_from_photographs_to_a_report(tmp_path):
  data, workdir, file = tmp_path / 'data', tmp_path / 'runs', tmp_path / 'tiny.py'
  done = commands.run('nfnets_am.data.tools.stand_in', f'--data_dir={data}', '--train=22',
                      '--test=7', '--shards=3', '--photographs=packages')
  assert done.returncode == 0, done.stderr
  file.write_text(textwrap.dedent(_EXPERIMENT).replace('DATA', str(data)))
  (run,) = experiment_file.get_runs(str(file), experiment_file.get_sweep(str(file), ''))
  folder = workdir / run.name
  commands.train(folder, config=run.flags[0].removeprefix('--config='))
  lines = (folder / 'metrics.jsonl').read_text().splitlines()
  ends = {line['split']: line for line in map(json.loads, lines)}
  # 6 of 22 are held out, and 2 epochs of the other 16 are 8 updates of 4.
  assert ends['validation']['update'] == ends['test']['update'] == 8
  assert (ends['validation']['images'], ends['test']['images']) == (6, 7)
  done = commands.run('nfnets_am.evaluate', f'--workdir={folder}', '--split=validation')
  assert done.returncode == 0, done.stderr
  found, wanted = json.loads(done.stdout.splitlines()[-1]), ends['validation']
  assert {key: found[key] for key in ('update', 'images', 'loss', 'top1')} == {
      key: wanted[key] for key in ('update', 'images', 'loss', 'top1')}
  done = commands.run('nfnets_am.report', f'--experiment={file}', f'--workdir={workdir}')
  assert done.returncode == 0, done.stderr
  assert (workdir / 'report' / 'tiny.png').stat().st_size > 10_000
  page = (workdir / 'report' / 'tiny.md').read_text()
  assert 'A tiny NFNet' in page and '0 missing' not in page
