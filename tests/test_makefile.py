"""`make shell` gives a shell whose python is that of .venv."""

import os
import shutil
import subprocess

import pytest

from tests import commands


@pytest.mark.skipif(not shutil.which('make'), reason='make is not installed')
def test_a_shell_has_the_python_of_the_environment(tmp_path):
  for name in ('Makefile', 'requirements.txt'):
    shutil.copy(commands.ROOT / name, tmp_path)
  (tmp_path / '.venv' / 'bin').mkdir(parents=True)
  python = tmp_path / '.venv' / 'bin' / 'python'
  python.write_text('#!/bin/sh\necho ours\n')
  python.chmod(0o755)
  (tmp_path / '.venv' / 'installed').touch()  # Newer than what it is made of.
  # The suite may itself run under `make`, whose children say which folder they enter and leave.
  outside = {key: value for key, value in os.environ.items()
             if key not in ('MAKEFLAGS', 'MAKELEVEL', 'MFLAGS')}
  done = subprocess.run(
      ['make', 'shell'], cwd=tmp_path, input='python\necho $VIRTUAL_ENV\nexit 3\n', text=True,
      env=outside | {'SHELL': '/bin/sh'}, capture_output=True, check=True)
  assert done.stdout.splitlines()[1:] == ['ours', str(tmp_path / '.venv')]
