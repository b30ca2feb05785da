"""The counts in docs/experiments.md are those of the experiments."""

import pytest

from experiments import counts


@pytest.mark.slow
def test_the_documents_counts_are_what_the_command_writes():
  text = counts.DOCUMENT.read_text()
  assert counts.written(text) == text, 'python -m experiments.counts writes them anew'
  for folder, least in (('fort2021', 14), ('summers2021', 4)):
    part = text.partition(f'<!-- counts of {folder} -->')[2].partition('<!-- end of counts -->')[0]
    assert len(part.strip().splitlines()) >= least + 2
