"""What is said to the `gcloud` command, and what it says."""

import re

from launch import jobs as jobs_lib


def delete(name: str, options: jobs_lib.Options) -> list[str]:
  """Returns the command that ends a slice of the options' zone and project."""
  return ['gcloud', 'compute', 'tpus', 'queued-resources', 'delete', name, '--force', '--async',
          *where(options)]


def where(options: jobs_lib.Options) -> list[str]:
  """Returns the flags that say zone and project, and that nobody is asked anything."""
  project = [f'--project={options.project}'] if options.project else []
  return [f'--zone={options.zone}', *project, '--format=json', '--quiet']


def sentence(stderr: str) -> str:
  """Returns what gcloud's ERROR line says, on one line."""
  text = ' '.join(stderr.split())
  return re.sub(r'^.*?ERROR: (\([\w.-]+\) )?', '', text)[:500] or 'no message'
