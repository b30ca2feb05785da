"""Runs every cell of an experiment that is not finished; the same command again goes on.

    python -m launch.sweep --experiment=experiments/quickstart.py --workdir=runs/quickstart --jobs=2
    python -m launch.sweep ... --workdir=gs://BUCKET/DIR --on=gcloud --tpu=v6e-32 --zone=ZONE
    python -m launch.sweep ... --on=gcloud --tpu=v5litepod-8 --zone=ZONE --devices_per_run=1
    python -m launch.sweep ... --workdir=gs://BUCKET/DIR --on=skypilot --tpu=v4-32
    python -m launch.sweep ... --on=slurm --partition=NAME --gres=gpu:4 --time_limit=24h --jobs=64

A run is a folder of the workdir, and the folders are all the state there is. Several launchers may
work on one workdir. Ctrl-C stops the runs of this machine after a saved update. --dry_run prints
the commands and files. Before anything starts, each config is checked and the data are opened where
they can be seen. See docs/launching.md.
"""

from absl import flags

from launch import jobs as jobs_lib
from launch import places
from launch import provisioning
from nfnets_am.core import cli

_EXPERIMENT = flags.DEFINE_string('experiment', None, 'Experiment file with a get_sweep().')
_WORKDIR = flags.DEFINE_string(
    'workdir', None, "The sweep's folder or gs:// address; each run is a folder in it.")
_ON = flags.DEFINE_string('on', 'local', f'Where: {", ".join(places.PLACES)}.')
_SCALE = flags.DEFINE_string('scale', '', "A scale that the file knows, such as 'smoke'.")
_SET = flags.DEFINE_multi_string('set', [], 'KEY=VALUE for the config of every run; repeatable.')
_OPTIONS = [
    flags.DEFINE_integer('jobs', 1, 'Runs at a time.', lower_bound=1),
    flags.DEFINE_integer(
        'restarts', 20, 'How often an interrupted run is started again.', lower_bound=0),
    flags.DEFINE_integer(
        'give_up', 3, 'Runs that fail alike before any ends well, until no more are started; 0 '
        'starts all.', lower_bound=0),
    flags.DEFINE_bool('dry_run', False, 'Print the commands and files, and touch nothing.'),
    flags.DEFINE_integer('processes', 1, 'local: processes of each run.', lower_bound=1),
    flags.DEFINE_integer('devices', 0, 'local: CPU devices of each process; 0: as they are.',
                         lower_bound=0),
    flags.DEFINE_bool(
        'warm', True, 'local: a process goes on with the next run, with its imports, data and '
        'compiled programs; else each run has a new one.'),
    flags.DEFINE_integer(
        'devices_per_run', 0, 'GPUs or TPU chips of each run: local, as many runs at a time as '
        'have room; gcloud, the runs share --jobs slices. 0: all there are.',
        lower_bound=0),
    flags.DEFINE_string('tpu', '', "Accelerator type, such as 'v6e-32'."),
    flags.DEFINE_string('zone', '', 'Zone of Google Cloud.'),
    flags.DEFINE_string('project', '', "Project of Google Cloud; '' is gcloud's own."),
    flags.DEFINE_string('runtime_version', '', "Of the TPU's machines; '' is the TPU's usual one."),
    flags.DEFINE_string(
        'provisioning', 'spot', f'How the TPU is had: {", ".join(provisioning.WAYS)}.'),
    flags.DEFINE_string('reservation', '', 'Its name, where a reserved TPU is to be had.'),
    flags.DEFINE_string(
        'max_run_duration', '', "flex_start: after which the TPU is taken back, such as '24h'."),
    flags.DEFINE_string('service_account', '', "Of the machines; '' is the project's default."),
    flags.DEFINE_string('network', '', "Of the machines; '' is 'default'."),
    flags.DEFINE_string('subnetwork', '', 'Of the machines.'),
    flags.DEFINE_string('partition', '', "Slurm's; '' is its default."),
    flags.DEFINE_string('account', '', 'That Slurm charges.'),
    flags.DEFINE_string('qos', '', "Slurm's quality of service."),
    flags.DEFINE_string('constraint', '', 'Features that the nodes have.'),
    flags.DEFINE_string('gres', '', "Of each node, such as 'gpu:4'."),
    flags.DEFINE_string('memory', '', "Of each node, such as '64G'."),
    flags.DEFINE_string(
        'time_limit', '', "Of a start of a run, '24h': then it saves and waits to go on."),
    flags.DEFINE_integer(
        'save_s', 120, 'Seconds before the time limit at which a run is told to save.',
        lower_bound=1),
    flags.DEFINE_integer('nodes', 1, 'Of each run, with a process on each.', lower_bound=1),
    flags.DEFINE_integer('cpus', 0, 'Of each node; 0: as Slurm gives.', lower_bound=0),
]


def main() -> int:
  # What a launcher elsewhere is told, to run the same sweep.
  sweep = [f'--experiment={_EXPERIMENT.value}', *[f'--scale={_SCALE.value}'] * bool(_SCALE.value),
           *(f'--set={text}' for text in _SET.value)]
  return places.run(
      _ON.value, jobs_lib.Options(
          **{flag.name: flag.value for flag in _OPTIONS}, sweep=tuple(sweep)),
      experiment=_EXPERIMENT.value, workdir=_WORKDIR.value, scale=_SCALE.value,
      overrides=_SET.value)


if __name__ == '__main__':
  flags.mark_flags_as_required(['experiment', 'workdir'])
  cli.run(main)
