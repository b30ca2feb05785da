"""What a run makes of signals, alone on its host."""

import os
import signal

import pytest

from nfnets_am.training import signals


def _send(kind):
  os.kill(os.getpid(), kind)


def test_a_service_may_repeat_its_signal_while_the_run_saves():
  before = signal.getsignal(signal.SIGTERM)
  with signals.StopSignal() as stop:
    assert not stop.requested(1)
    for _ in range(3):
      _send(signal.SIGTERM)
    assert stop.requested(1)
  assert signal.getsignal(signal.SIGTERM) == before


def test_who_presses_ctrl_c_twice_does_not_wait():
  with signals.StopSignal() as stop:
    _send(signal.SIGINT)
    assert stop.requested(1)
    with pytest.raises(KeyboardInterrupt):
      _send(signal.SIGINT)
