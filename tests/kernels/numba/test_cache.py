import errno
import inspect
import shutil
from pathlib import Path

import numba
import numpy as np
import pytest

from minise.kernels.numba import add, ahead, cache, team

pytestmark = pytest.mark.skipif(numba.config.DISABLE_JIT, reason="nothing is compiled")


def double(x):
    return 2 * x


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty cache, and nothing said so far."""
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))  # if it has changed, Numba reads it again
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(cache, "_told", False)
    return tmp_path


def anew(function=double):
    """The function as a process that has just started has it."""
    return cache.kept(numba.njit(function))


def files(folder):
    return sorted(path for path in folder.rglob("*") if path.is_file())


def test_a_kernel_that_was_kept_is_not_compiled_again(folder):
    assert anew()(4.0) == 8
    assert len(files(folder)) == 1
    again = anew()
    assert again(4.0) == 8
    assert (sum(again.stats.cache_hits.values()), again.stats.cache_misses) == (1, {})


def with_one_byte_changed(place):
    def changed(content):
        at = int(place * (len(content) - 1))
        return content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :]

    return changed


DAMAGE = {
    "empty": lambda content: b"",
    "cut within the digest": lambda content: content[:7],
    "nothing but the digest": lambda content: content[: cache.DIGEST],
    "half of it": lambda content: content[: len(content) // 2],
    "without its last byte": lambda content: content[:-1],
    "with a byte more": lambda content: content + b"\0",
    "other data": lambda content: b"0123456789abcdef" * 200,
    "zeros": lambda content: bytes(len(content)),
    **{f"a byte changed at {k}/8": with_one_byte_changed(k / 8) for k in range(9)},
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_a_damaged_file_is_compiled_anew_and_replaced(folder, damage):
    anew()(4.0)
    (file,) = files(folder)
    whole = file.read_bytes()
    file.write_bytes(damage(whole))

    with pytest.MonkeyPatch.context() as patch:
        unpickled = []
        patch.setattr("pickle.loads", unpickled.append)
        loop = anew()
        assert loop(4.0) == 8
    assert (sum(loop.stats.cache_misses.values()), unpickled) == (1, [])

    again = anew()
    assert again(4.0) == 8
    assert sum(again.stats.cache_hits.values()) == 1


def test_the_file_of_another_signature_is_not_taken_for_it(folder):
    loop = anew()
    loop(4.0)
    (of_floats,) = files(folder)
    loop(4)
    (of_integers,) = set(files(folder)) - {of_floats}
    shutil.copy(of_floats, of_integers)
    again = anew()
    assert again(2**60 + 1) == 2**61 + 2  # what a float could not hold
    assert sum(again.stats.cache_misses.values()) == 1


def test_a_change_in_the_files_of_which_all_kernels_are_made_compiles_anew(folder, monkeypatch):
    anew()(4.0)
    monkeypatch.setattr(cache, "_shared_sources", lambda: "another")
    loop = anew()
    assert loop(4.0) == 8
    assert sum(loop.stats.cache_misses.values()) == 1
    assert len(files(folder)) == 1  # the old one is replaced


@pytest.mark.parametrize("name", cache.SHARED)
def test_those_files_are_there(name):
    assert Path(cache.__file__).with_name(name).is_file()


def test_what_comes_out_whole_and_still_cannot_be_used_is_compiled_anew(folder, monkeypatch):
    anew()(4.0)

    def refuse(*_):
        raise ValueError("made by another version")

    loop = anew()
    monkeypatch.setattr(type(loop._cache._impl), "rebuild", refuse)
    assert loop(4.0) == 8


def test_a_full_disk_stops_nothing_and_is_told_once(folder, monkeypatch):
    def full(path, content):
        path.touch()
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    loop = anew()
    with pytest.warns(RuntimeWarning, match=r"No space left.*NUMBA_CACHE_DIR") as warned:
        assert (loop(4.0), loop(4)) == (8, 8)
    (told,) = (str(w.message) for w in warned if w.category is RuntimeWarning)
    assert str(loop._cache.cache_path) in told
    assert files(folder) == []


def test_a_folder_that_has_gone_stops_nothing(folder):
    loop = anew()
    place = Path(loop._cache.cache_path)
    place.rmdir()
    place.write_text("in its way")
    with pytest.warns(RuntimeWarning, match="cannot be kept in"):
        assert loop(4.0) == 8


def test_a_file_that_another_process_has_just_written_is_as_good(folder, monkeypatch):
    anew()(4.0)
    (file,) = files(folder)
    content = file.read_bytes()
    file.unlink()

    def in_use(path, target):  # as Windows has it while somebody reads the file
        file.write_bytes(content)
        raise PermissionError(errno.EACCES, "Access is denied")

    monkeypatch.setattr(Path, "replace", in_use)
    assert anew()(4.0) == 8  # and no word of it
    assert files(folder) == [file]


def test_where_no_cache_can_be_written_kernels_run_uncached_with_one_notice(folder, monkeypatch):
    monkeypatch.setattr("numba.core.caching.CacheImpl._locator_classes", [])
    with pytest.warns(RuntimeWarning, match="NUMBA_CACHE_DIR") as told:
        loops = [anew(), anew()]
    assert ([loop(4.0) for loop in loops], len(told)) == ([8, 8], 1)
    assert files(folder) == []


def test_a_numba_whose_inside_is_another_keeps_kernels_in_its_own_way(folder, monkeypatch):
    monkeypatch.setattr(cache, "_KNOWN", False)
    assert anew()(4.0) == 8
    assert {path.suffix for path in files(folder)} == {".nbi", ".nbc"}
    again = anew()
    assert again(4.0) == 8
    assert sum(again.stats.cache_hits.values()) == 1


def test_a_kernel_of_minise_outlives_a_damaged_file(folder, monkeypatch):
    monkeypatch.setattr(ahead, "_loops", {})
    rng = np.random.default_rng(0)
    x, r = rng.standard_normal((2, 3, 2, 8), np.float32)
    for _ in range(2):
        y = np.zeros_like(x)
        team.compiled_parallel(inspect.unwrap(add._add))(x, r, y, 2)
        np.testing.assert_array_equal(y, x + r)
        (file,) = files(folder)
        whole = file.read_bytes()
        file.write_bytes(with_one_byte_changed(0.6)(whole))
    assert len(whole) > 10_000
