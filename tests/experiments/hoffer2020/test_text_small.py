"""The miniature on text: its columns in numbers, its claims in three worlds, its page."""

import json

import pytest

from experiments.hoffer2020 import recipes
from experiments.hoffer2020 import text_small
from nfnets_am.config import derived as derived_lib
from nfnets_am.core import errors
from nfnets_am.sweeps import experiment_file
from tests import commands
from tests.experiments.hoffer2020 import worlds

_SMALL = commands.ROOT / 'experiments' / 'hoffer2020' / 'text_small.py'


def _derived(column):
  return derived_lib.derive(text_small.get_config(f'column={column}'), train_images=28_000)


def test_columns_are_equal_in_updates_or_in_updates_and_samples():
  steps, samples, ba = map(_derived, recipes.COLUMNS)
  assert steps.updates == samples.updates == ba.updates == 2000
  assert (steps.views, samples.views, ba.views) == (20, 80, 80)
  assert (samples.unique, ba.unique) == (80, 20)
  runs = experiment_file.get_runs(_SMALL, experiment_file.get_sweep(_SMALL))
  assert len({run.name for run in runs}) == 1 + 3 * 3
  for cell, words in (('task=ptb', "task='ptb'"), ('scale=full', "scale='full'"),
                      ('column=both', "column='both'")):
    with pytest.raises(errors.ConfigError, match=words):
      text_small.get_config(cell)


def test_claims_are_true_false_and_undecidable():
  world = lambda gap: lambda cell: {
      'test/perplexity': 50 - gap * (cell['column'] == 'ba')}
  for text in ('After as many updates p', 'After as many updates and'):
    found = tuple(worlds.verdict('text_small', text, world(gap)) for gap in (0.2, -0.2, 0.0005))
    assert found == worlds.OUTCOMES


def test_the_page_says_what_was_run_and_what_was_not(tmp_path):
  workdir, out = tmp_path / 'runs', tmp_path / 'out'
  runs = experiment_file.get_runs(_SMALL, experiment_file.get_sweep(_SMALL, 'smoke'))
  assert [run.cell['task'] for run in runs] == ['verses_en_es'] + ['verses'] * 3
  for i, run in enumerate(runs[:-1]):
    folder = workdir / run.name
    folder.mkdir(parents=True)
    (folder / 'status.json').write_text(json.dumps({'status': 'finished', 'updates': 4}))
    (folder / 'run.json').write_text(json.dumps({
        'derived': {**_derived(run.cell['column']).__dict__, 'updates': 4},
        'starts': [{'commit': 'abcdef0123456789', 'versions': {'sacrebleu': '9.9'}}]}))
    test = {'perplexity': 40.0 + i, 'tokens': 9} if i else {'bleu': 1.25, 'sentences': 7}
    (folder / 'metrics.jsonl').write_text(''.join(
        json.dumps({'update': update, 'epochs': 1.0, **line}) + '\n'
        for update in (2, 4) for line in (
            {'split': 'validation', 'perplexity': 30.0 + i, 'tokens': 9},
            {'split': 'test', **test})))
  done = commands.run('experiments.hoffer2020.text_small_report', f'--workdir={workdir}',
                      f'--out={out}', '--scale=smoke')
  assert done.returncode == 0, done.stderr
  page = (out / 'hoffer2020_text_small.md').read_text()
  assert '3 of 4 runs are finished' in page and '`abcdef0123`' in page
  assert ('| Baseline + fixed #samples | 80 | 1 | 4 | 320 | 4 x | 42.00 | 32.00 | 1/1 | finished |'
          in page)
  assert '| BA | ? | ? | ? | ? | ? | no run | no run | 0/1 | 1 missing |' in page
  assert '| 4 | 1.25 | 30.00 | 7 |' in page and 'smooth:exp|version:9.9' in page
  assert 'smoke runs |' in page and ' holds |' not in page
  assert len((out / 'hoffer2020_text_small.csv').read_text().splitlines()) == 1 + len(runs)
  assert (out / 'hoffer2020_text_small.png').stat().st_size > 10_000
