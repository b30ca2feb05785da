"""Jobs of Slurm by way of submitit: their scripts, and arrays of them.

submitit writes the script, keeps what each job of an array is to do in a file, and brings it to the
nodes again after a requeue. It is an extra, and imported when it is needed.
"""

from collections.abc import Sequence
import os
import pathlib
import re
import shlex
from typing import Any

from launch import jobs as jobs_lib
from launch import slurm_task
from launch import slurm_words
from nfnets_am.core import errors
from nfnets_am.storage import leases

# Arrays have at most MaxArraySize jobs, 1,001 where a site does not say otherwise.
MOST = 1000
# In the sweep's folder, or where the command is given: the scripts, what they run, their output.
_FOLDER = 'slurm'
# submitit replaces these in paths.
_TOKENS = re.compile('%[jtaA]')


class Refused(Exception):
  """Slurm did not take an array."""


class Submission:
  """Submits jobs of one kind."""

  def __init__(self, options: jobs_lib.Options, workdir: str | os.PathLike):
    """Checks the options.

    Args:
      options: what is asked of Slurm.
      workdir: of the sweep.

    Raises:
      UserError: submitit is not installed.
      ConfigError: an option that is wrong, or a workdir that cannot be.
    """
    inside = workdir if leases.is_local(workdir) else '.'
    self._folder = pathlib.Path(os.path.abspath(os.path.join(inside, _FOLDER)))
    if found := _TOKENS.search(str(self._folder)):
      raise errors.ConfigError(
          f'{self._folder} holds {found[0]!r}, in whose place Slurm has a number; allowed: a '
          '--workdir without it')
    self._parameters = _parameters(options, self._folder)
    try:
      import submitit
    except ModuleNotFoundError:
      raise errors.UserError("--on=slurm needs submitit; pip install '.[slurm]'") from None
    self._errors = (submitit.core.utils.FailedJobError,
                    submitit.core.utils.FailedSubmissionError)
    # submitit makes none where there is no Slurm, not even to show its script.
    self._class: Any = type('SlurmExecutor', (submitit.SlurmExecutor,), {
        'affinity': classmethod(lambda cls: 1)})

  def submit(self, tasks: Sequence[slurm_task.Task]) -> list[str]:
    """Submits at most MOST tasks as one array; returns what Slurm calls them.

    Raises:
      Refused: Slurm's sentence, or the disk's.
    """
    try:
      return [job.job_id for job in self._executor().submit_array(tasks)]
    except (*self._errors, OSError) as e:
      raise Refused(slurm_words.sentence(str(e))) from e

  def script(self, count: int) -> str:
    """Returns the script of an array of `count` jobs, as sbatch is given it; 1 is no array."""
    executor = self._executor()
    if count > 1:
      executor.parameters['map_count'] = min(count, MOST)
    return executor._make_submission_file_text(executor._submitit_command_str, '')

  def output(self, job: str) -> str:
    """Returns what a job wrote that is no run's: of its script and of submitit."""
    try:
      return (self._folder / f'{job}.log').read_text(errors='replace')
    except OSError:
      return ''

  def _executor(self) -> Any:
    executor = self._class(self._folder)
    executor.update_parameters(**self._parameters)
    return executor


def _parameters(options: jobs_lib.Options, folder: pathlib.Path) -> dict[str, Any]:
  """Returns what submitit's executor is told."""
  log = '"${SLURM_ARRAY_JOB_ID:-$SLURM_JOB_ID}${SLURM_ARRAY_TASK_ID:+_$SLURM_ARRAY_TASK_ID}".log'
  srun = ['--output=all', '--error=all']
  # From Slurm 22.05 on, srun does not take it from the job.
  srun += [f'--cpus-per-task={options.cpus}'] * bool(options.cpus)
  return {
      # What no flag says is Slurm's to say: neither submitit's 5 minutes nor its key.
      'time': None, 'wckey': None, **slurm_words.parameters(options),
      'job_name': 'nfnets_am', 'signal_delay_s': options.save_s, 'array_parallelism': MOST,
      # In its flags Slurm reads % and \ of a path in its own way; in the script a shell reads them.
      'additional_parameters': {'output': '/dev/null', 'error': '/dev/null', 'requeue': True},
      'setup': [f'exec >> {shlex.quote(str(folder))}/{log} 2>&1'], 'srun_args': srun}
