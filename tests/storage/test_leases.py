"""One holder at a time; one that is gone or silent is replaced."""

import json
import subprocess
import sys

import pytest

from nfnets_am.storage import leases


def test_one_holder_at_a_time(tmp_path):
  a, b = (leases.Lease(tmp_path / 'x.lease') for _ in range(2))
  assert a.acquire() and not b.acquire()
  assert leases.holder(tmp_path / 'x.lease')['pid']
  a.release()
  assert b.acquire() and not a.acquire()
  b.release()
  assert leases.holder(tmp_path / 'x.lease') is None


def test_a_holder_of_this_machine_that_is_gone_is_replaced_at_once(tmp_path):
  code = (f'from nfnets_am.storage import leases; '
          f'assert leases.Lease({str(tmp_path / "x.lease")!r}).acquire(); import os; os._exit(0)')
  subprocess.run([sys.executable, '-c', code], check=True)
  found = leases.holder(tmp_path / 'x.lease')
  assert leases.gone(found)
  lease = leases.Lease(tmp_path / 'x.lease')
  assert lease.acquire()
  lease.release()


def test_another_machine_is_replaced_when_its_heartbeat_stands_still(tmp_path, monkeypatch):
  clock = [1000.0]
  monkeypatch.setattr(leases.time, 'monotonic', lambda: clock[0])
  path = tmp_path / 'x.lease'
  theirs = {'token': 'theirs', 'machine': 'elsewhere', 'pid': 1, 'started': '', 'beats': 1,
            'time': 0.0}
  path.write_text(json.dumps(theirs))
  lease = leases.Lease(path)
  assert not lease.acquire()
  clock[0] += leases.STALE_S - 1
  assert not lease.acquire()
  path.write_text(json.dumps(theirs | {'beats': 2}))
  clock[0] += leases.STALE_S - 1
  assert not lease.acquire()  # It moved: the clock starts again.
  clock[0] += leases.STALE_S + 1
  assert lease.acquire()
  lease.release()


def test_who_is_taken_over_learns_of_it(tmp_path):
  lease = leases.Lease(tmp_path / 'x.lease', beat_s=0.01)
  assert lease.acquire()
  found = leases.holder(tmp_path / 'x.lease')
  (tmp_path / 'x.lease').write_text(json.dumps(found | {'token': 'theirs'}))
  lease._thread.join(60)
  assert lease.lost
  lease.release()
  assert leases.holder(tmp_path / 'x.lease')['token'] == 'theirs'


@pytest.mark.parametrize('text', ['', '{"tok'])
def test_a_file_cut_off_by_a_full_disk_is_nobodys(tmp_path, text):
  (tmp_path / 'x.lease').write_text(text)
  lease = leases.Lease(tmp_path / 'x.lease')
  assert lease.acquire()
  lease.release()


@pytest.mark.parametrize('content', ['5', '[]', '{}', '{"token": 1}', 'null', ''])
def test_what_is_no_lease_is_nobodys(tmp_path, content):
  path = tmp_path / 'x.lease'
  path.write_text(content)
  assert leases.holder(path) is None
  lease = leases.Lease(path)
  assert lease.acquire()
  lease.release()
