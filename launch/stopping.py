"""How a launcher is told to stop."""

from collections.abc import Iterator
import contextlib
import signal
import threading


@contextlib.contextmanager
def terminate_like_ctrl_c() -> Iterator[None]:
  """SIGTERM ends a launcher as Ctrl-C does: its runs are told to save."""
  def interrupt(kind, frame):
    del kind, frame
    raise KeyboardInterrupt

  if threading.current_thread() is not threading.main_thread():
    yield
    return
  before = signal.signal(signal.SIGTERM, interrupt)
  try:
    yield
  finally:
    signal.signal(signal.SIGTERM, before)
