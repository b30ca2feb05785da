"""A real Slurm on this machine's loopback address, from a folder: slurmctld and two nodes.

Debian's `slurm-wlm` has all of it. Nothing of the machine's own Slurm is read or written: the file
of its settings is the folder's, and SLURM_CONF names it.
"""

import os
import pathlib
import shutil
import socket
import subprocess
import time

# Nodes are named by addresses of this machine, so that the processes of a run find each other.
NODES = ('127.0.0.1', '127.0.0.2')
_COMMANDS = ('slurmctld', 'slurmd', 'sbatch', 'srun', 'squeue', 'scancel', 'scontrol')
_WAIT_S = 20.0

# No munge: there is one user. Runs of `urgent` take the nodes of `idle` away.
_CONF = """
ClusterName=test
SlurmctldHost=localhost(127.0.0.1)
SlurmctldPort={ports[0]}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/none
AuthInfo=cred_expire=5
CredType=cred/none
MpiDefault=none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
SelectType=select/linear
SchedulerType=sched/backfill
SchedulerParameters=batch_sched_delay=0,sched_interval=2,bf_interval=2,requeue_delay=1
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
JobCompType=jobcomp/none
ReturnToService=2
KillWait=15
MinJobAge=300
SlurmctldParameters=enable_configless
SlurmdParameters=config_overrides
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/%n.log
{nodes}
PartitionName=idle Nodes={names} Default=YES MaxTime=INFINITE PriorityTier=1 GraceTime=5
PartitionName=urgent Nodes={names} MaxTime=60 PriorityTier=9 PreemptMode=OFF
"""


def missing() -> str:
  """Returns which command of Slurm this machine lacks; '' if it has all."""
  path = f'{os.environ["PATH"]}:/usr/sbin'
  return next((name for name in _COMMANDS if not shutil.which(name, path=path)), '')


class Cluster:
  """A controller and two nodes; `with` starts and ends them."""

  def __init__(self, folder: pathlib.Path):
    self._folder, self._processes = folder, []
    self.environment = {'SLURM_CONF': str(folder / 'slurm.conf')}

  def __enter__(self) -> 'Cluster':
    (self._folder / 'state').mkdir(parents=True)
    ports = _free_ports(1 + len(NODES))
    user = subprocess.run(['id', '-un'], capture_output=True, text=True, check=True).stdout.strip()
    nodes = [f'NodeName={name} NodeHostname=node{name[-1]} NodeAddr={name} Port={port} CPUs=2 '
             'RealMemory=1000 State=UNKNOWN' for name, port in zip(NODES, ports[1:], strict=True)]
    (self._folder / 'slurm.conf').write_text(_CONF.format(
        ports=ports, user=user, folder=self._folder, names=','.join(NODES),
        nodes='\n'.join(nodes)))
    for command in (['slurmctld', '-D'], *(['slurmd', '-D', '-N', name] for name in NODES)):
      self._processes.append(subprocess.Popen(
          [shutil.which(command[0], path='/usr/sbin:/usr/bin'), *command[1:]],
          env={**os.environ, **self.environment}, stdout=subprocess.DEVNULL,
          stderr=subprocess.DEVNULL, start_new_session=True))
    began = time.monotonic()
    while self.ask('sinfo', '--noheader', '--format=%T').split() != ['idle']:
      assert time.monotonic() - began < _WAIT_S, (self._folder / 'slurmctld.log').read_text()
      time.sleep(0.2)
    return self

  def __exit__(self, *_) -> None:
    self.ask('scancel', '--signal=KILL', '--full', '--user', str(os.getuid()))
    for process in reversed(self._processes):
      process.terminate()
    for process in self._processes:
      try:
        process.wait(20)
      except subprocess.TimeoutExpired:
        process.kill()

  def ask(self, *command: str) -> str:
    """Returns what a command of Slurm says."""
    return subprocess.run(command, env={**os.environ, **self.environment}, capture_output=True,
                          text=True, check=False).stdout


def _free_ports(count: int) -> list[int]:
  sockets = [socket.socket() for _ in range(count)]
  for one in sockets:
    one.bind(('127.0.0.1', 0))
  ports = [one.getsockname()[1] for one in sockets]
  for one in sockets:
    one.close()
  return ports
