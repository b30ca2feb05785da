"""BLEU's signature stands on the page of runs that have a BLEU, as sacrebleu writes it."""

import importlib.metadata
import json

import pytest

from nfnets_am.evaluation import bleu
from nfnets_am.reporting import figures
from nfnets_am.reporting import signatures
from nfnets_am.storage import run_folder
from nfnets_am.sweeps import experiment_file
from nfnets_am.sweeps import outcomes
from nfnets_am.sweeps import reduction


def _results(folders, metric='test/bleu'):
  cells = tuple({'seed': i} for i in range(len(folders)))
  sweep = experiment_file.Sweep('Text', cells, metric=metric)
  runs = tuple(outcomes.RunResult(cell, 'finished', final={metric: 1.0}, folder=str(folder))
               for cell, folder in zip(cells, folders, strict=True))
  return reduction.Results(sweep, (reduction.Cell(
      {}, runs, {metric: reduction.summarise([1.0], metric)}, {metric: 1.0}),))


@pytest.fixture
def folders(tmp_path):
  made = []
  for i, versions in enumerate((run_folder.versions(), {'sacrebleu': '9.9'}, {})):
    made.append(tmp_path / str(i))
    made[-1].mkdir()
    (made[-1] / 'run.json').write_text(json.dumps({'starts': [{}, {'versions': versions}]}))
  return made


def test_the_signature_is_sacrebleus(folders):
  assert bleu.signature().endswith(importlib.metadata.version('sacrebleu'))
  assert signatures.lines(_results(folders[:1])) == [f"BLEU is sacrebleu's, `{bleu.signature()}`."]
  assert f'`{bleu.signature()}`' in figures.markdown(_results(folders[:1]), 'the command')


def test_every_version_has_a_line_and_other_metrics_have_none(folders, tmp_path):
  found = signatures.lines(_results([*folders[1:], tmp_path / 'missing']))
  assert [line.rpartition(':')[2] for line in found] == ['9.9`.', 'unknown`.']
  assert signatures.lines(_results(folders, 'test/top1')) == []
