"""A broken run is a row of a report, with the file that is broken, whatever is wrong with it."""

import json

import pytest

from nfnets_am.core import errors
from nfnets_am.reporting import pages
from nfnets_am.sweeps import experiment_file
from nfnets_am.sweeps import outcomes
from nfnets_am.sweeps import reduction

_SWEEP = experiment_file.Sweep('By hand', tuple(
    {'multiplicity': n, 'seed': seed} for n in (1, 4) for seed in (0, 1)))
_LINE = '{"update": %s, "split": "test", "top1": %s}\n'


def _page(tmp_path, name, text):
  """The page of four runs, a file of the first of which has another text; None is a folder."""
  runs = []
  for cell in _SWEEP.cells:
    folder = tmp_path / f'{cell["multiplicity"]}-{cell["seed"]}'
    folder.mkdir()
    (folder / 'status.json').write_text('{"status": "finished", "updates": 2}')
    (folder / 'run.json').write_text('{"derived": {"views": 8, "updates": 2}}')
    (folder / 'metrics.jsonl').write_text(_LINE % (1, 0.25) + _LINE % (2, 0.5))
    runs.append(experiment_file.Run(cell, folder.name, (), None))
  broken = tmp_path / '1-0' / name
  broken.unlink()
  if text is None:
    broken.mkdir()
  else:
    broken.write_text(text)
  results = reduction.reduce(_SWEEP, runs, outcomes.Reader(tmp_path))
  pages.write(results, tmp_path / 'report', 'by_hand', 'the command')
  assert (tmp_path / 'report' / 'by_hand.png').stat().st_size > 5_000
  return (tmp_path / 'report' / 'by_hand.md').read_text()


@pytest.mark.parametrize('name, text', [
    ('status.json', ''), ('status.json', '[]'), ('status.json', '7'),
    ('status.json', '{"status": 5}'), ('status.json', '{"status": "finished", "updates": "x"}'),
    ('status.json', '{"status": "failed", "reason": 7}'),
    ('status.json', None), ('run.json', '[1]'), ('run.json', '{"derived": 5}'),
    ('run.json', '{"derived": {"views": "a", "updates": null}}'), ('run.json', None),
    ('metrics.jsonl', 'no line\n'), ('metrics.jsonl', '[1]\n'), ('metrics.jsonl', None),
    ('metrics.jsonl', _LINE % (2, '"half"')), ('metrics.jsonl', _LINE % (2, '[1]'))])
def test_what_is_broken_fails_alone_and_is_named(name, text, tmp_path):
  page = _page(tmp_path, name, text)
  (line,) = [line for line in page.splitlines() if line.startswith('- `')]
  assert line.startswith('- `multiplicity=1,seed=0`: failed (') and name in line
  # A single run has no deviation; the other cell has both of its runs.
  assert '| 1 | 50.00% | 1/2 |' in page and '| 4 | 50.00% ± 0.00% | 2/2 |' in page


@pytest.mark.parametrize('text', [
    _LINE % (1, '"half"') + _LINE % (2, 0.5),
    'no line\n' + _LINE % (1, 0.25) * 60 + _LINE % (2, 0.5)])
def test_lines_before_the_last_cost_the_curve_alone(text, tmp_path, caplog):
  page = _page(tmp_path, 'metrics.jsonl', text)
  assert '| 1 | 50.00% ± 0.00% | 2/2 |' in page
  assert 'no curve of it is drawn' in caplog.text and 'metrics.jsonl' in caplog.text


def test_a_run_whose_best_evaluation_cannot_be_told_has_failed(tmp_path):
  (tmp_path / 'metrics.jsonl').write_text('no line\n' + _LINE % (2, 0.5))
  run = outcomes.RunResult({}, 'finished', '', {}, {'test/top1': 0.5}, str(tmp_path))
  found = outcomes.best(run, 'test/top1')
  assert (found.status, found.final) == ('failed', {}) and 'line 1' in found.reason
  with pytest.raises(errors.UserError):
    run.history  # noqa: B018


def test_other_records_are_read_as_they_are(tmp_path):
  (tmp_path / 'status.json').write_text(json.dumps({'status': 'running', 'update': 3}))
  found = outcomes.read_run(tmp_path, {})
  assert (found.status, found.update, found.derived) == ('running', 3, {})
