"""What was counted is not counted again, unless what it depends on has changed."""

import pytest

from nfnets_am.core import rows
from nfnets_am.core import terminal
from nfnets_am.costs import kept


@pytest.fixture(autouse=True)
def _not_afterwards():
  yield
  kept.enable('')


def test_a_count_is_kept_and_made_anew_for_another_request_or_source(tmp_path, monkeypatch):
  counted = []

  def of(request):
    return kept.of(request, lambda: counted.append(request) or {'n': len(counted)})

  assert of(['a']) == {'n': 1} and of(['a']) == {'n': 2}  # Nothing is kept unless it is asked for.
  kept.enable(str(tmp_path / 'counts'))
  assert of(['a']) == {'n': 3} and of(['a']) == {'n': 3} and of(['b']) == {'n': 4}
  for path in (tmp_path / 'counts').iterdir():
    path.write_text('{"n": ')  # Cut off.
  assert of(['a']) == {'n': 5} and of(['a']) == {'n': 5}
  monkeypatch.setattr(kept, '_source', lambda: 'other models')
  assert of(['a']) == {'n': 6} and of(['a']) == {'n': 6}
  kept.enable(str(tmp_path / 'counts' / next((tmp_path / 'counts').iterdir()).name / 'no'))
  assert of(['c']) == {'n': 7} and of(['c']) == {'n': 8}


def test_rows_are_printed_as_they_come(capsys):
  found = rows.Rows(terminal.Terminal(), {'model': 8, 'GFLOPs': -7})
  assert capsys.readouterr().out == 'model      GFLOPs\n--------  -------\n'
  found.add(['[a]', '1.25'])
  assert capsys.readouterr().out == '[a]          1.25\n'
  found.add(['a_long_name', '12.50'])
  assert capsys.readouterr().out == 'a_long_name    12.50\n'
