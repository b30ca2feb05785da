"""Leases in a bucket whose store checks what an object is before it writes: one holder, at once."""

import concurrent.futures
import json
import threading

import pytest

from nfnets_am.storage import leases
from nfnets_am.storage import objects
from tests.storage import google_store

_PATH = 'gs://bucket/a sweep/run/launcher.lease'
_NAME = 'a sweep/run/launcher.lease'
_THEIRS = {'token': 'theirs', 'machine': 'elsewhere', 'pid': 1, 'started': '', 'beats': 1,
           'time': 0.0}


@pytest.fixture
def store(monkeypatch):
  found = google_store.Store()
  google_store.use(monkeypatch, found)
  objects._client.cache_clear()
  # Nobody waits for others to have written: it would be more than the test may take.
  monkeypatch.setattr(leases, '_SETTLE_S', 1e6)
  yield found
  objects._client.cache_clear()


def _held(store):
  return json.loads(store.objects[_NAME][1])


def test_an_object_changes_only_while_it_is_as_it_was_seen(store):
  mine, theirs = objects.open_object(_PATH), objects.open_object(_PATH)
  assert mine.read() is None and theirs.read() is None
  assert mine.write('a') and not theirs.write('b') and mine.write('c')
  assert theirs.read() == 'c' and theirs.write('d')
  assert not mine.write('e') and not mine.remove() and mine.read() == 'd' and mine.remove()
  assert not theirs.remove() and theirs.read() is None and not store.objects


def test_other_addresses_have_none(store, tmp_path):
  assert objects.open_object(tmp_path / 'x') is None and objects.open_object('s3://b/x') is None


def test_without_the_library_there_is_none(monkeypatch):
  monkeypatch.setitem(google_store.sys.modules, 'google.cloud', None)
  objects._client.cache_clear()
  assert objects.open_object(_PATH) is None
  objects._client.cache_clear()


def test_of_many_who_take_a_lease_at_once_one_holds_it(store):
  count = 16
  store.delay_s = 0.05
  ready = threading.Barrier(count)
  held = [leases.Lease(_PATH) for _ in range(count)]
  for lease in held:
    # All have looked before any of them writes.
    look = lease._free
    lease._free = lambda look=look: (look(), ready.wait())[0]
  with concurrent.futures.ThreadPoolExecutor(count) as pool:
    took = list(pool.map(lambda lease: lease.acquire(), held))
  assert sum(took) == 1
  holder = held[took.index(True)]
  assert holder.holder() == _held(store)
  for lease in held:
    lease.release()
  assert not store.objects


def test_of_two_who_take_over_a_silent_one_one_does(store, monkeypatch):
  clock = [1000.0]
  monkeypatch.setattr(leases.time, 'monotonic', lambda: clock[0])
  store.put(_NAME, json.dumps(_THEIRS))
  a, b = leases.Lease(_PATH), leases.Lease(_PATH)
  assert not a.acquire() and not b.acquire()
  clock[0] += leases.STALE_S + 1
  assert a._free() and b._free()  # Both have seen the same.
  assert b.acquire()
  token = _held(store)['token']
  monkeypatch.setattr(a, '_free', lambda: True)
  assert not a.acquire() and _held(store)['token'] == token
  b.release()


def test_beats_go_on_and_who_is_taken_over_learns_of_it(store):
  lease = leases.Lease(_PATH, beat_s=0.01)
  assert lease.acquire()
  beats = _held(store)['beats']
  end = threading.Event()
  for _ in range(6000):
    if _held(store)['beats'] > beats + 2:
      break
    end.wait(0.01)
  assert _held(store)['beats'] > beats + 2 and not lease.lost
  store.put(_NAME, json.dumps(_THEIRS))
  lease._thread.join(60)
  assert lease.lost
  lease.release()
  assert _held(store) == _THEIRS
