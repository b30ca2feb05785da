"""A paper's numbers as it prints them."""

import json
import pathlib

import pytest

from nfnets_am.config import derived as derived_lib
from nfnets_am.data import known
from nfnets_am.sweeps import experiment_file
from nfnets_am.sweeps import paper
from nfnets_am.training import sections

_FORT = pathlib.Path('experiments/fort2021')


def _read(tmp_path, *values):
  path = tmp_path / 'paper.json'
  path.write_text(json.dumps({'numbers': {'t': [
      {'cell': {}, 'value': value, 'metric': 'test/top1', 'uncertainty': uncertainty,
       'reading': 'both', 'where': 'Table 1'} for value, uncertainty in values]}}))
  return paper.read_numbers(path, 't')


def test_a_number_prints_with_the_digits_of_the_paper(tmp_path):
  found = _read(tmp_path, ('85.20', None), ('86.0', None), ('72.1', '0.1'), ('-', None),
                (None, None), (77.5, None))
  assert [number.text() for number in found] == [
      '85.20', '86.0', '72.1 ± 0.1', '-', 'not in this transcription', '77.5']
  assert [number.value for number in found] == [85.2, 86.0, 72.1, None, None, 77.5]


def test_the_printed_numbers_of_the_paper_are_texts():
  text = {number.text() for name in ('table1', 'table2', 'figure2', 'figure4', 'figure8')
          for number in paper.read_numbers(_FORT / 'paper.json', name)}
  assert {'85.20', '86.0', '74.1 ± 0.01', '73.7 ± 0.04', '86.78', '-',
          'not in this transcription'} <= text and 'none' not in text
  for paper_of in ('fort2021', 'summers2021'):
    path = _FORT.parent / paper_of / 'paper.json'
    for entries in json.loads(path.read_text())['numbers'].values():
      for entry in entries:
        # No label of a transcription's file.
        assert not entry['reading'].isdigit()


@pytest.mark.parametrize('name', ['figure4', 'figure8'])
def test_what_lies_on_an_axis_follows_from_the_cell(name):
  path = _FORT / f'{name}.py'
  cells = experiment_file.get_sweep(path).cells
  checked = 0
  for number in paper.read_numbers(_FORT / 'paper.json', name):
    cell = next((cell for cell in cells if paper.matches(cell, number.cell)), None)
    if not number.at or cell is None:
      continue
    config = sections.complete(experiment_file.load(path).get_config(
        ','.join(f'{key}={value}' for key, value in cell.items())))
    derived = derived_lib.derive(
        config, train_images=known.training_set(config.data).train_images)
    for key, value in number.at.items():
      assert getattr(derived, key) == pytest.approx(value, abs=0.05), (number, key)
      checked += 1
  assert checked >= 4
