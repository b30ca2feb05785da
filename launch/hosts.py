"""What a TPU's host runs: the source of this working tree, a Python for it, one run's command.

The scripts quote every word that comes from outside; tests run them through bash.
"""

from collections.abc import Sequence
import gzip
import hashlib
import io
import os
import pathlib
import shlex
import subprocess
import tarfile

from etils import epath

from launch import jobs as jobs_lib
from nfnets_am.core import errors

ROOT = pathlib.Path(__file__).resolve().parent.parent
# Ubuntu 22.04's own Python is too old for JAX.
_PYTHON = '3.12'

_SETUP = r"""
if [ ! -e "$ROOT/ready" ]; then
  python3 -m pip install --quiet uv &&
  python3 -m uv venv --clear --python {python} "$ROOT/venv" &&
  python3 -m uv pip install --quiet --python "$ROOT/venv/bin/python" \
    -r "$SOURCE/requirements.txt" 'jax[tpu]' fsspec gcsfs &&
  touch "$ROOT/ready"
fi
"""

_ATTEMPTS = r"""
# 75 is a run that was told to stop; over 128 it was killed, with another host, say. 139 is its own
# SIGSEGV, that of a damaged record, which would come again.
crashes=0
for attempt in $(seq 1 20); do
  "$ROOT/venv/bin/python" {command}
  code=$?
  case $code in 0|1|76) break;; 139) crashes=$((crashes + 1));; *) crashes=0;; esac
  [ "$crashes" -lt 3 ] || break
  sleep "${{NFNETS_AM_PAUSE:-10}}"
done
"""

_STARTUP = r"""#!/bin/bash
# One run of a sweep, on every host of a slice and after every boot; written by launch/gcloud.py.
set -uo pipefail
export HOME="${{HOME:-/root}}" PYTHONUNBUFFERED=1
ROOT="${{NFNETS_AM_ROOT:-/opt/nfnets_am}}"
SOURCE="$ROOT/source"
LOG="$ROOT/log.txt"
FOLDER={folder}
mkdir -p "$SOURCE"

get() {{ case "$1" in *://*) gcloud storage cp "$1" "$2";; *) cp -- "$1" "$2";; esac; }}
put() {{ case "$1" in *://*) gcloud storage cp - "$1";; *) cat > "$1";; esac; }}
worker() {{
  curl --silent --fail --max-time 10 --header 'Metadata-Flavor: Google' \
    http://metadata.google.internal/computeMetadata/v1/instance/attributes/agent-worker-number
}}
setup() {{
  if [ ! -e "$ROOT/unpacked" ]; then
    get {source} "$ROOT/source.tar.gz" && tar -xzf "$ROOT/source.tar.gz" -C "$SOURCE" &&
    touch "$ROOT/unpacked" || return 1
  fi
{setup}
  [ -e "$ROOT/ready" ]
}}

# For whoever follows the run from elsewhere: launch.logs.
show() {{
  while sleep "${{NFNETS_AM_SHOW:-60}}"; do
    put "$FOLDER/log.txt" < "$LOG"
  done
}}

code=1
shown=
touch "$LOG"
[ "$(worker)" = 0 ] && {{ show & shown=$!; }}
if setup >> "$LOG" 2>&1; then
  cd "$SOURCE"
{attempts} >> "$LOG" 2>&1
fi
if [ "$(worker)" = 0 ]; then
  [ -z "$shown" ] || kill "$shown"
  put "$FOLDER/log.txt" < "$LOG"
  {{ echo "$code"; tail -c 4000 "$LOG"; }} | put "$FOLDER/exit.txt"
  # So that nobody pays for a slice whose launcher is gone.
  {delete} || true
fi
"""


def pack(workdir: epath.Path, root: pathlib.Path = ROOT) -> epath.Path:
  """Puts the working tree, less what git ignores, into the sweep's folder, once.

  Returns:
    The archive, named by its content.

  Raises:
    UserError: the working tree is not one of git.
  """
  listed = subprocess.run(
      ['git', 'ls-files', '-z', '--cached', '--others', '--exclude-standard'], cwd=root,
      capture_output=True, text=True, check=False)
  if listed.returncode:
    raise errors.UserError(f'{root} is not a git working tree, so its files cannot be sent')
  raw = io.BytesIO()
  with tarfile.open(fileobj=raw, mode='w') as archive:
    for name in sorted(set(filter(None, listed.stdout.split('\0')))):
      path = root / name
      if path.is_file():
        # Nothing of the clock or the user: the same tree is the same archive.
        info = tarfile.TarInfo(name)
        info.size, info.mode = path.stat().st_size, 0o755 if os.access(path, os.X_OK) else 0o644
        with open(path, 'rb') as f:
          archive.addfile(info, f)
  target = workdir / f'source-{hashlib.sha256(raw.getvalue()).hexdigest()[:12]}.tar.gz'
  if not target.exists():
    workdir.mkdir(parents=True, exist_ok=True)
    target.write_bytes(gzip.compress(raw.getvalue(), mtime=0))
  return target


def flags_of(job: jobs_lib.Job, root: pathlib.Path = ROOT) -> list[str]:
  """Returns a run's flags with the experiment's path as it is in the archive.

  Raises:
    UserError: the experiment is not a file of the working tree.
  """
  flags = []
  for flag in job.flags:
    name, _, value = flag.partition('=')
    if name in ('--config', '--experiment'):
      path, colon, cell = value.partition(':')
      resolved = pathlib.Path(path).resolve()
      if not resolved.is_relative_to(root):
        raise errors.UserError(
            f'the experiment {path} is not under {root}, whose files are sent to the hosts')
      flag = f'{name}={resolved.relative_to(root)}{colon}{cell}'
    flags.append(flag)
  return flags


def command_of(job: jobs_lib.Job) -> list[str]:
  """Returns a run's command without its first word: the script finds or makes an interpreter."""
  return [*job.program[1:], *flags_of(job), f'--workdir={os.fspath(job.folder)}',
          '--coordinator=auto']


def attempts(command: Sequence[str]) -> str:
  """Returns shell that runs a command (of `command_of`) until it has ended, and sets `code`."""
  return _ATTEMPTS.format(command=shlex.join(command)).strip()


def setup() -> str:
  """Returns shell that makes "$ROOT/venv" for "$SOURCE" unless it is there."""
  return _SETUP.format(python=_PYTHON).strip()


def startup_script(job: jobs_lib.Job, source: epath.Path, delete: list[str],
                   command: Sequence[str] = ()) -> str:
  """Returns the start-up script of a host.

  Args:
    job: the run, or whatever has the folder in which the script notes how it ended.
    source: what `pack` returned.
    delete: command by which the slice ends itself when the run has ended.
    command: what the host runs, by default the run's own.
  """
  return _STARTUP.format(
      folder=shlex.quote(os.fspath(job.folder)), source=shlex.quote(os.fspath(source)),
      setup=setup(), attempts=attempts(command or command_of(job)), delete=shlex.join(delete))
