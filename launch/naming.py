"""The runs of a workdir, and those that a person names: by folders, patterns of them, or cells."""

from collections.abc import Sequence
import fnmatch

from etils import epath

from launch import jobs as jobs_lib
from nfnets_am.core import errors
from nfnets_am.core import registry

# Names that an error lists.
_MOST = 5
# Files that only a run's folder has.
_MARKS = ('status.json', 'launch.json')


def folders_of(workdir: str) -> list[jobs_lib.Job]:
  """Returns the runs whose folders are in a workdir.

  Raises:
    UserError: there is no such folder.
  """
  path = epath.Path(workdir)
  if not path.is_dir():
    raise errors.UserError(f'there is no folder {workdir}')
  return [jobs_lib.Job(folder.name, folder, ()) for folder in sorted(path.iterdir())
          if any((folder / name).exists() for name in _MARKS)]


def names_of(found: Sequence[jobs_lib.Job], names: Sequence[str]) -> list[jobs_lib.Job]:
  """Returns the runs that any of the names means, in the order of the sweep.

  Args:
    found: the runs that there are.
    names: a run's folder name or the name of its cell, whole or as a pattern such as '*seed1*'.

  Raises:
    UserError: no name, or one that means no run.
  """
  if not names:
    raise errors.UserError(f'name at least one run; there are: {_some(found)}')
  chosen: set[str] = set()
  for name in names:
    means = [job for job in found if any(
        text == name or fnmatch.fnmatchcase(text, name) for text in (job.folder.name, job.name))]
    if not means:
      raise errors.UserError(
          f'there is no run {name!r}{registry.did_you_mean(name, [j.folder.name for j in found])}; '
          f'there are: {_some(found)}')
    chosen |= {job.folder.name for job in means}
  return [job for job in found if job.folder.name in chosen]


def _some(found: Sequence[jobs_lib.Job]) -> str:
  if not found:
    return 'none'
  rest = len(found) - _MOST
  return ', '.join(job.folder.name for job in found[:_MOST]) + (
      f' and {rest} more (launch.status --all)' if rest > 0 else '')
