"""What --dry_run prints: the first run in full, of each other one what differs."""

from collections.abc import Callable
from collections.abc import Sequence
import shlex

from launch import jobs as jobs_lib


def show(jobs: Sequence[jobs_lib.Job], describe: Callable[[jobs_lib.Job], str]) -> None:
  """Prints what would be done for each run of a sweep.

  Args:
    jobs: runs.
    describe: a run to what would be done, as text of some lines.
  """
  first = ''
  for job in jobs:
    text = describe(job)
    if not first:
      first = text
      print(text)
      continue
    words = differing(first, text)
    print(text if words is None else f'# {job.name}: {" ".join(words) or "the same"}')


def differing(first: str, other: str) -> list[str] | None:
  """Returns the words of `other` in which `first` has others; None if it has another form.

  Args:
    first: lines that a shell reads, or text that is not shell.
    other: of another run.
  """
  lines = first.splitlines(), other.splitlines()
  if len(lines[0]) != len(lines[1]):
    return None
  found: list[str] = []
  for a, b in zip(*lines, strict=True):
    words = _words(a), _words(b)
    if len(words[0]) != len(words[1]):
      return None
    found += [word for before, word in zip(*words, strict=True) if word != before]
  return list(dict.fromkeys(found))


def _words(line: str) -> list[str]:
  try:
    return [shlex.quote(word) for word in shlex.split(line)]
  except ValueError:  # No line of a shell.
    return line.split()
