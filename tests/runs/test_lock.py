import errno
import json
import os
import signal
import subprocess
import sys
import threading
import time
from types import SimpleNamespace

import pytest

from minise.runs import lock as locks
from minise.runs.lock import Lost, Owner, Taken, is_free, locked, read_owner

# Owns a lock until it is killed.
HOLDER = """
import sys, time
from pathlib import Path
from minise.runs.lock import locked

with locked(Path(sys.argv[1]), epoch=3):
    print("mine", flush=True)
    time.sleep(600)
"""


@pytest.fixture
def path(tmp_path):
    return tmp_path / "run" / ".lock"


@pytest.fixture(autouse=True)
def _quick(monkeypatch, path):
    """Nobody waits for what happens between hosts, nor knows the time from another test."""
    monkeypatch.setattr(locks, "_CLOCKS", {})
    path.parent.mkdir()
    monkeypatch.setattr(locks, "SETTLE", 0.05)


@pytest.fixture
def holder(path):
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, path], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "mine\n"
    yield process
    process.kill()
    process.communicate()


@pytest.fixture
def without_locks(monkeypatch):
    """As on a mount that has none."""

    def flock(file, how):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setitem(sys.modules, "fcntl", SimpleNamespace(flock=flock, LOCK_EX=2, LOCK_NB=4))


def leave(path, *, host="elsewhere", age=0.0, now=None):
    """A lock as the process of another host leaves it that is killed, or stops for a while."""
    owner = Owner(host, 77, "2026-11-30T10:00:00+00:00", "token", {"epoch": 2})
    path.write_bytes(owner.line())
    os.utime(path, ((time.time() if now is None else now) - age,) * 2)
    return owner


def test_its_line_says_who_owns_it_and_what_he_tells(path):
    with locked(path, epoch=1) as lock:
        owner = read_owner(path)
        assert (owner.pid, owner.told) == (os.getpid(), {"epoch": 1})
        assert len(path.read_bytes()) == locks.SIZE
        lock.tell(epoch=2, accuracy=0.5, now=True)
        assert json.loads(path.read_bytes())["epoch"] == 2
        assert len(path.read_bytes()) == locks.SIZE
        lock.tell(much="x" * locks.SIZE, now=True)  # has no room: who it is goes before
        assert read_owner(path) == owner._replace(told={})
    assert not path.exists()


def test_what_is_told_is_written_with_the_next_sign_of_life(path, monkeypatch):
    monkeypatch.setattr(locks, "BEAT", 0.02)
    with locked(path) as lock:
        os.utime(path, (0, 0))
        lock.tell(epoch=4)
        deadline = time.monotonic() + 120
        while read_owner(path).told != {"epoch": 4} and time.monotonic() < deadline:
            time.sleep(0.01)
        assert read_owner(path).told == {"epoch": 4}
        assert path.stat().st_mtime > 0


def test_of_a_process_that_lives_it_cannot_be_had_and_of_a_dead_one_at_once(path, holder):
    assert not is_free(path)
    with pytest.raises(Taken) as error, locked(path):
        pytest.fail("owned twice")
    owner = read_owner(path)
    who = f"process {holder.pid} on {owner.host} is training in it, since {owner.since}"
    assert str(error.value) == f"{path.parent}: {who}"
    holder.kill()
    holder.wait()
    assert is_free(path)
    with locked(path) as lock:
        assert lock.before == {"epoch": 3}
        assert not is_free(path)
    assert is_free(path)


@pytest.mark.skipif(os.name == "nt", reason="Windows suspends no process")
def test_of_a_suspended_process_of_this_host_it_cannot_be_had_however_long(path, holder):
    holder.send_signal(signal.SIGSTOP)
    os.utime(path, (0, 0))
    with pytest.raises(Taken), locked(path):
        pytest.fail("owned twice")
    assert not is_free(path)


def test_of_two_threads_one_has_it(path):
    with locked(path), pytest.raises(Taken), locked(path):
        pytest.fail("owned twice")


@pytest.mark.parametrize(("age", "free"), [(30, False), (100, True)])
def test_that_of_another_host_is_free_when_it_has_been_silent_for_long(
    path, monkeypatch, age, free
):
    """Whatever the system says: it may know only the locks of this host."""
    now = time.time()
    monkeypatch.setattr(locks, "now_at", lambda folder: now)  # however long the test takes
    leave(path, age=age, now=now)
    assert is_free(path) == free
    if free:
        with locked(path) as lock:
            assert lock.before == {"epoch": 2}
    else:
        hint = rf"process 77 on elsewhere .+ its last sign of life came {age} seconds ago"
        with pytest.raises(Taken, match=hint), locked(path):
            pytest.fail("owned twice")
        assert read_owner(path).host == "elsewhere"


@pytest.mark.parametrize("wrong", [3600, -3600])
def test_ages_are_those_of_the_file_system_whatever_the_clock_says(path, monkeypatch, wrong):
    now = time.time
    monkeypatch.setattr(time, "time", lambda: now() + wrong)
    path.write_bytes(Owner("elsewhere", 7, "", "token", {}).line())
    assert not is_free(path)
    os.utime(path, (now() - 100,) * 2)
    assert is_free(path)


@pytest.mark.usefixtures("without_locks")
@pytest.mark.parametrize("host", ["elsewhere", locks.socket.gethostname()])
def test_without_locks_of_the_system_the_signs_of_life_decide(path, host):
    with locked(path):
        assert not is_free(path)
        with pytest.raises(Taken), locked(path):
            pytest.fail("owned twice")
    assert not path.exists()
    leave(path, host=host)
    with pytest.raises(Taken), locked(path):
        pytest.fail("owned twice")
    leave(path, host=host, age=100)
    assert is_free(path)
    with locked(path):
        pass


@pytest.mark.usefixtures("without_locks")
def test_of_several_that_take_it_over_at_once_one_gets_it(path, monkeypatch):
    """All see that the owner is silent, then all write their lines, and then all look."""
    silence, silent = locks.silence, threading.Barrier(4)
    written, looked, seen = threading.Barrier(4), threading.Barrier(4), threading.local()

    def together(path):
        age = silence(path)
        if not hasattr(seen, "age"):  # the losers look again
            seen.age = age
            silent.wait(60)
        return age

    clock = SimpleNamespace(
        sleep=lambda seconds: written.wait(60), time=time.time, monotonic=time.monotonic
    )
    monkeypatch.setattr(locks, "silence", together)
    monkeypatch.setattr(locks, "time", clock)
    for _ in range(3):
        leave(path, age=100)
        got = []

        def take(got=got):
            try:
                with locked(path):
                    got.append("mine")
                    looked.wait(60)
            except Taken:
                got.append("taken")
                looked.wait(60)

        threads = [threading.Thread(target=take) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(got) == ["mine", "taken", "taken", "taken"]


def test_an_owner_that_was_suspended_finds_that_it_has_lost_it_and_leaves_it_alone(
    path, monkeypatch
):
    monkeypatch.setattr(locks, "BEAT", 3600)  # it gives no sign of life but those below
    with locked(path) as lock:
        leave(path)
        lock.check()  # nothing is known yet
        now = time.time()
        monkeypatch.setattr(time, "time", lambda: now + locks.SILENT)
        with pytest.raises(Lost, match="another process has taken it over"):
            lock.check()
        lock.tell(epoch=5, now=True)
        assert read_owner(path).host == "elsewhere"
    assert read_owner(path).host == "elsewhere"


def test_a_lock_that_was_removed_is_lost(path):
    with locked(path) as lock:
        path.unlink()
        lock.tell(now=True)
        with pytest.raises(Lost):
            lock.check()
    assert not path.exists()


@pytest.mark.parametrize("content", [b"", b"{", b'{"host": 3}', b"[]", b"\xff" * 600])
def test_what_says_nothing_locks_nobody_out(path, content):
    path.write_bytes(content)
    assert read_owner(path) is None
    assert is_free(path)
    with locked(path):
        assert read_owner(path).pid == os.getpid()
    assert not path.exists()


def test_where_locks_are_those_of_windows_the_line_stays_readable(path, monkeypatch):
    def locking(descriptor, mode, count):
        held.append((mode, count, os.lseek(descriptor, 0, os.SEEK_CUR)))
        if len(held) > 1:
            raise PermissionError(errno.EACCES, "Permission denied")

    held = []
    monkeypatch.setitem(sys.modules, "fcntl", None)
    monkeypatch.setitem(sys.modules, "msvcrt", SimpleNamespace(locking=locking, LK_NBLCK=2))
    with locked(path, epoch=1):
        assert not is_free(path)
        with pytest.raises(Taken), locked(path):
            pytest.fail("owned twice")
        assert len(path.read_bytes()) == locks.SIZE
    assert set(held) == {(2, 1, locks.BEHIND)}
    assert locks.BEHIND > locks.SIZE


def test_a_long_name_of_a_machine_fits_the_line(tmp_path, monkeypatch):
    monkeypatch.setattr(locks.socket, "gethostname", lambda: "é" * 200)
    with locks.locked(tmp_path / ".lock", epoch=3):
        line = (tmp_path / ".lock").read_bytes()
        owner = locks.read_owner(tmp_path / ".lock")
    assert len(line) == locks.SIZE
    assert owner.told == {"epoch": 3}
