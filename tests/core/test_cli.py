"""What commands print that is not theirs: nothing behind the sentence, and no list of devices."""

import subprocess
import sys

from tests import commands

_COMMAND = """
import asyncio
import logging
import threading

from nfnets_am.core import cli
from nfnets_am.core import errors


class Writer:
  def __del__(self):
    raise RuntimeError('Event loop is closed')


def main():
  global kept
  kept = Writer()
  logger = logging.getLogger('jax._src.xla_bridge')
  logger.info("Unable to initialize backend 'tpu': INTERNAL: no libtpu.so")
  logger.info('Connecting to JAX distributed service on host-0')
  logger.warning('An accelerator may be there')
  threading.Timer(0.2, lambda: [][1]).start()
  raise errors.UserError('the disk is full')


cli.run(main)
"""


def test_nothing_follows_the_sentence_and_what_a_machine_lacks_is_not_said(tmp_path):
  (tmp_path / 'command.py').write_text(_COMMAND)
  done = subprocess.run([sys.executable, tmp_path / 'command.py'], cwd=tmp_path, text=True,
                        env={'PYTHONPATH': str(commands.ROOT)}, capture_output=True, check=False)
  assert done.returncode == 1
  *before, last = done.stderr.splitlines()
  assert last == 'error: the disk is full'
  assert [line.partition('] ')[2] for line in before] == [
      'Connecting to JAX distributed service on host-0', 'An accelerator may be there']


_TWICE = """
from absl import flags
from absl import logging

from nfnets_am.core import cli
from nfnets_am.sweeps import config_flag

config = config_flag.ConfigFlag()
until = flags.DEFINE_string('until', 'its end', '')


def main():
  for argv in (['x', '--config=tests/tiny.py', '--config.multiplicity=1', '--until=3 updates'],
               ['x', '--config=tests/tiny.py', '--config.seed=4']):
    cli.parse_again(argv, config.take)
    logging.info('%s %s %s', config.value.multiplicity, config.value.seed, until.value)


cli.run(main)
"""


def test_a_second_command_of_a_process_has_its_own_arguments(tmp_path):
  (tmp_path / 'twice.py').write_text(_TWICE)
  done = subprocess.run([sys.executable, tmp_path / 'twice.py'], cwd=commands.ROOT, text=True,
                        env={'PYTHONPATH': str(commands.ROOT)}, capture_output=True, check=False)
  assert [line.partition('] ')[2] for line in done.stderr.splitlines()] == [
      '1 0 3 updates', '2 4 its end']
