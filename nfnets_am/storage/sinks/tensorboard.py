"""TensorBoard events, in the run's folder."""

from collections.abc import Mapping
from collections.abc import Sequence
import os
import tempfile
import time
from typing import Any

from etils import epath

from nfnets_am.storage import leases
from nfnets_am.storage.sinks import sink as sink_lib


class TensorBoard:
  """The lines as TensorBoard events (needs tensorboardX).

  For a bucket the file of events grows on this machine, and `sync` and `close` put it there whole.
  """

  library = 'tensorboardX'
  of_a_service = False

  def __init__(self, run: sink_lib.Facts, lines: Sequence[Mapping[str, Any]]):
    """Begins a file of events; of earlier files TensorBoard shows nothing after `run.update`."""
    from tensorboardX import event_file_writer
    from tensorboardX import summary
    from tensorboardX.proto import event_pb2
    self._event, self._scalar = event_pb2.Event, summary.scalar
    self._folder = run.folder.path / 'tensorboard'
    self._folder.mkdir(parents=True, exist_ok=True)
    begun = any(self._folder.iterdir())
    self._here = None if leases.is_local(self._folder) else tempfile.TemporaryDirectory()
    # Not SummaryWriter: its flush does not wait for the thread that writes.
    self._writer = event_file_writer.EventsWriter(
        os.path.join(self._here.name if self._here else self._folder, 'events'), f'.{run.update}')
    if not begun:  # It is named for the first time: earlier files have the lines already.
      for line in lines:
        self.write(line)
    self._writer.write_event(event_pb2.Event(
        wall_time=time.time(), step=run.update + 1,
        session_log=event_pb2.SessionLog(status=event_pb2.SessionLog.START)))

  def write(self, line: Mapping[str, Any]) -> None:
    for key, value in {'epochs': line.get('epochs'), **sink_lib.numbers(line)}.items():
      if value is not None:
        self._writer.write_event(self._event(
            wall_time=time.time(), step=line['update'],
            summary=self._scalar(f'{line["split"]}/{key}', value)))

  def sync(self) -> None:
    """Puts the events on disk, or into the bucket."""
    self._writer.flush()
    self._copy()

  def close(self) -> None:
    self._writer.close()
    self._copy()
    if self._here:
      self._here.cleanup()

  def _copy(self) -> None:
    if self._here:
      (file,) = epath.Path(self._here.name).iterdir()
      (self._folder / file.name).write_bytes(file.read_bytes())
