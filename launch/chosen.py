"""The flags that say which sweep a command is about, and the runs of it."""

from absl import flags

from launch import jobs as jobs_lib
from launch import naming

_WORKDIR = flags.DEFINE_string('workdir', None, "The sweep's folder or gs:// address.")
_EXPERIMENT = flags.DEFINE_string('experiment', '', 'Also list the runs of this file to come.')
_SCALE = flags.DEFINE_string('scale', '', "A scale that the file knows, such as 'smoke'.")
_SET = flags.DEFINE_multi_string('set', [], 'KEY=VALUE, as launch.sweep was given them.')


def jobs() -> list[jobs_lib.Job]:
  """Returns the runs of the sweep that the flags say; without --experiment those with a folder.

  Raises:
    UserError: there is no such folder.
  """
  if _EXPERIMENT.value:
    return jobs_lib.jobs_of(_EXPERIMENT.value, _WORKDIR.value, _SCALE.value, _SET.value)
  return naming.folders_of(_WORKDIR.value)
