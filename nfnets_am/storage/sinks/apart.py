"""A sink in a thread of its own: whatever it waits for or fails by, the training loop does not."""

from collections.abc import Mapping
from collections.abc import Sequence
import queue
import threading
from typing import Any

from absl import logging

from nfnets_am.storage.sinks import sink as sink_lib

# That a run which has ended waits at most for each of its sinks.
PATIENCE_S = 90.0


class Apart:
  """Hands lines to a sink in order; of its first error it says so, and takes no more."""

  def __init__(self, name: str, make: type[sink_lib.Sink], run: sink_lib.Facts,
               lines: Sequence[Mapping[str, Any]]):
    self._name = name
    # (Method, arguments); after `close` comes nothing.
    self._calls: queue.SimpleQueue = queue.SimpleQueue()
    self._gone = False
    # A daemon: a process that ends by an error does not wait for a service.
    self._thread = threading.Thread(
        target=self._work, args=(make, run, lines), name=f'sink {name}', daemon=True)
    self._thread.start()

  def write(self, line: Mapping[str, Any]) -> None:
    if not self._gone:
      self._calls.put(('write', (dict(line),)))

  def sync(self) -> None:
    # Nothing waits: what is lost of this process' lines the next start finds in metrics.jsonl.
    if not self._gone:
      self._calls.put(('sync', ()))

  def close(self) -> None:
    """Waits until all is handed over, at most PATIENCE_S."""
    self._calls.put(('close', ()))
    self._thread.join(PATIENCE_S)
    if self._thread.is_alive():
      logging.warning('sink %s has not taken everything after %g s and is left; metrics.jsonl has '
                      'it all', self._name, PATIENCE_S)

  def _work(self, make: type[sink_lib.Sink], run: sink_lib.Facts,
            lines: Sequence[Mapping[str, Any]]) -> None:
    try:
      sink = make(run, lines)
      method = ''
      while method != 'close':
        method, arguments = self._calls.get()
        getattr(sink, method)(*arguments)
    except BaseException as e:  # Libraries of services raise what they like, SystemExit too.
      self._gone = True
      sentence = ' '.join(str(e).split())[:300] or type(e).__name__
      logging.warning('sink %s takes nothing more of this start (%s); the run goes on, and '
                      'metrics.jsonl has it all', self._name, sentence)
