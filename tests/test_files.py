import errno
import os
import re
import stat
import sys

import numpy as np
import pytest
from safetensors.numpy import save

from minise import InputError
from minise.files import (
    FLOATS,
    Tensors,
    check_writable,
    read_tensors,
    remove_parts,
    write_tensors,
    write_whole,
)

ARRAYS = {"a": np.arange(6, dtype=np.float32).reshape(2, 3), "b": np.ones(3)}


@pytest.fixture
def path(tmp_path):
    write_tensors(tmp_path / "x.safetensors", Tensors(ARRAYS, {"of": "a test"}))
    return tmp_path / "x.safetensors"


def test_arrays_and_text_come_back_as_they_were(path):
    arrays, metadata = read_tensors(path)
    assert metadata == {"of": "a test"}
    assert arrays.keys() == ARRAYS.keys()
    for name, array in arrays.items():
        assert array.dtype == ARRAYS[name].dtype
        np.testing.assert_array_equal(array, ARRAYS[name])


def test_an_array_in_another_memory_order_is_written_by_its_values(tmp_path):
    turned = np.asfortranarray(ARRAYS["a"])
    write_tensors(tmp_path / "x.safetensors", Tensors({"a": turned}, {}))
    np.testing.assert_array_equal(read_tensors(tmp_path / "x.safetensors").arrays["a"], turned)


def hostile_contents():
    def header(text, after=b""):
        return len(text).to_bytes(8, "little") + text + after

    entry = '{"a":{"dtype":"F32","shape":[%s],"data_offsets":[%s]}}'
    yield "empty", b""
    yield "no header", b"no weights at all"
    yield "a header longer than the file", (10**15).to_bytes(8, "little") + b"{}"
    yield "no JSON", header(b"{" * 30)
    yield "no UTF-8", header(b'{"\xff\xfe":1}')
    yield "more than there is", header((entry % (10**12, f"0,{4 * 10**12}")).encode(), b"1234")
    yield "a shape beyond its bytes", header((entry % (100, "0,4")).encode(), b"1234")
    yield "sizes that overflow", header((entry % (f"{2**62},{2**62}", "0,4")).encode(), b"1234")
    yield "offsets backwards", header((entry % (1, "4,0")).encode(), b"1234")
    yield "a hole", header((entry % (1, "4,8")).encode(), b"12345678")
    yield "negative sizes", header((entry % (-1, "0,4")).encode(), b"1234")
    yield "an unknown dtype", header((entry % (1, "0,4")).replace("32", "33").encode(), b"1234")
    yield "truncated", save(ARRAYS)[:-10]
    yield "too long", save(ARRAYS) + b"1234"


@pytest.mark.parametrize(("kind", "content"), list(hostile_contents()))
def test_a_hostile_file_is_one_clear_error(tmp_path, kind, content):
    path = tmp_path / "hostile.safetensors"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"hostile\.safetensors: the weights cannot be read"):
        read_tensors(path)


def file_of(path, kind, data, name="deep.weight"):
    """A `.safetensors` file of one array in a row, written by hand."""
    width = 2 if "16" in kind else 1
    text = b'{"%s":{"dtype":"%s","shape":[%d],"data_offsets":[0,%d]}}'
    header = text % (name.encode(), kind.encode(), len(data) // width, len(data))
    path.write_bytes(len(header).to_bytes(8, "little") + header + data)
    return path


def test_bfloat16_is_read_exactly(tmp_path):
    values = [1.0, -2.5, 3.140625, 0.0, -0.0, np.inf, -np.inf, 2.0**-133, 3.3895313892515355e38]
    bits = [0x3F80, 0xC020, 0x4049, 0, 0x8000, 0x7F80, 0xFF80, 1, 0x7F7F]
    path = file_of(tmp_path / "x.safetensors", "BF16", np.array(bits, "<u2").tobytes())
    found = read_tensors(path).arrays["deep.weight"]
    assert found.dtype == np.float32
    assert found.tobytes() == np.array(values, np.float32).tobytes()


@pytest.mark.parametrize("kind", ["F8_E4M3", "F8_E5M2"])
def test_floats_of_8_bits_are_refused(tmp_path, kind):
    path = file_of(tmp_path / "narrow.safetensors", kind, bytes(4))
    with pytest.raises(InputError, match=rf"deep\.weight is {kind}, expected .* write bfloat16$"):
        read_tensors(path)


@pytest.mark.parametrize("dtype", FLOATS)
def test_numbers_are_written_in_another_dtype(tmp_path, dtype):
    path = tmp_path / "x.safetensors"
    wide = np.array([1 + 2.0**-7, -3, 1 + 2.0**-40], np.float64)
    content = {"a": wide, "count": np.arange(3), "b": wide.astype(np.float32)}
    write_tensors(path, Tensors(content, {"of": "ü"}), dtype)
    arrays, metadata = read_tensors(path)
    assert metadata == {"of": "ü"}
    expected = np.float32 if dtype == "bfloat16" else dtype
    assert [arrays[name].dtype for name in "ab"] == [expected, expected]
    assert arrays["count"].tolist() == [0, 1, 2]
    kept = 1 + 2.0**-40 if dtype == "float64" else 1
    assert arrays["a"].tolist() == [1 + 2.0**-7, -3, kept]


def test_what_does_not_fit_a_narrow_dtype_is_told_and_not_written(tmp_path):
    path = tmp_path / "x.safetensors"
    with pytest.raises(InputError, match="unknown dtype 'float8': did you mean 'float16'"):
        write_tensors(path, Tensors(ARRAYS, {}), "float8")
    for dtype, large in (("float16", 65520.0), ("bfloat16", 3.4e38), ("float32", -1e39)):
        content = {"w": np.array([1, large, np.inf])}
        told = re.escape(f"w has {abs(large):g}, which is too large for {dtype}")
        with pytest.raises(InputError, match=told):
            write_tensors(path, Tensors(content, {}), dtype)
    assert not path.exists()


def test_what_is_no_file_is_told(tmp_path):
    for path in (tmp_path / "nothing.safetensors", tmp_path):
        with pytest.raises(InputError, match="there is no such file"):
            read_tensors(path)


def test_a_file_of_pytorch_without_pytorch_is_one_clear_error(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    (tmp_path / "x.pth").write_bytes(b"")
    with pytest.raises(InputError, match="needs PyTorch, which is not installed"):
        read_tensors(tmp_path / "x.pth")


@pytest.mark.parametrize("raised", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(path, monkeypatch, raised):
    before = path.read_bytes()

    def fail(descriptor):
        raise raised

    monkeypatch.setattr(os, "fsync", fail)
    error = InputError if isinstance(raised, OSError) else KeyboardInterrupt
    with pytest.raises(error):
        write_whole(path, b"other")
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


def test_a_file_has_the_mode_that_others_have_and_keeps_its_own(tmp_path):
    (tmp_path / "plain").write_bytes(b"")
    write_whole(tmp_path / "new", b"1")
    assert (tmp_path / "new").stat().st_mode == (tmp_path / "plain").stat().st_mode
    (tmp_path / "new").chmod(0o640)
    write_whole(tmp_path / "new", b"2")
    assert (tmp_path / "new").stat().st_mode & 0o777 == 0o640


def test_a_link_stays_one_and_its_file_is_written(path, tmp_path):
    (tmp_path / "link").symlink_to(path)
    write_whole(tmp_path / "link", b"other")
    assert (tmp_path / "link").is_symlink()
    assert path.read_bytes() == b"other"


def test_what_a_killed_writer_left_is_taken_away(tmp_path):
    for name in (".model.safetensors.12-34.part", "mine.part", "model.safetensors"):
        (tmp_path / name).write_bytes(b"")
    remove_parts(tmp_path)
    assert {p.name for p in tmp_path.iterdir()} == {"mine.part", "model.safetensors"}


def test_a_folder_that_is_not_there_is_told(tmp_path):
    with pytest.raises(InputError, match="cannot be written: No such file"):
        write_whole(tmp_path / "no" / "x", b"")
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(InputError, match="cannot be written: Not a directory"):
        write_whole(tmp_path / "file" / "x", b"")


def refusing(monkeypatch, name, refusal, calls=lambda *given: True, times=10**9):
    """Let `os.<name>` refuse so many of its calls; gives those that it got."""
    real, got = getattr(os, name), []

    def call(*given, **options):
        if not calls(*given):
            return real(*given, **options)
        got.append(given)
        if len(got) <= times:
            raise refusal
        return real(*given, **options)

    monkeypatch.setattr(os, name, call)
    return got


def of_windows(code):
    refusal = PermissionError(errno.EACCES, "The process cannot access the file")
    refusal.winerror = code
    return refusal


@pytest.mark.parametrize("where", ["open", "fsync"])
@pytest.mark.parametrize("name", ["EINVAL", "EACCES", "EPERM", "ENOTSUP", "EBADF", "EISDIR"])
def test_a_folder_that_cannot_be_synced_is_no_failure(path, monkeypatch, where, name):
    calls = {"open": lambda file, *_: file == path.parent, "fsync": is_folder}[where]
    got = refusing(monkeypatch, where, OSError(getattr(errno, name), "refused"), calls)
    write_whole(path, b"other")
    assert got
    assert path.read_bytes() == b"other"


def is_folder(descriptor):
    return stat.S_ISDIR(os.fstat(descriptor).st_mode)


@pytest.mark.parametrize("name", ["EIO", "ENOSPC"])
def test_a_folder_whose_sync_fails_is_a_failure(path, monkeypatch, name):
    refusing(monkeypatch, "fsync", OSError(getattr(errno, name), "broken"), is_folder)
    with pytest.raises(InputError, match="cannot be written: broken"):
        write_whole(path, b"other")


def test_a_disk_without_modes_is_no_failure(path, monkeypatch):
    got = refusing(monkeypatch, "chmod", PermissionError(errno.EPERM, "no modes"))
    write_whole(path, b"other")
    assert got
    assert path.read_bytes() == b"other"


@pytest.mark.parametrize("code", [5, 32])
def test_a_file_that_somebody_has_open_for_a_moment_is_replaced(path, monkeypatch, code):
    monkeypatch.setattr("minise.files.time.sleep", lambda seconds: None)
    got = refusing(monkeypatch, "replace", of_windows(code), times=3)
    refusing(monkeypatch, "unlink", of_windows(code), times=2)
    write_whole(path, b"other")
    assert len(got) == 4
    assert path.read_bytes() == b"other"
    assert list(path.parent.iterdir()) == [path]


def test_a_file_that_somebody_keeps_open_stays_whole(path, monkeypatch):
    before, waited = path.read_bytes(), []
    monkeypatch.setattr("minise.files.time.sleep", waited.append)
    refusing(monkeypatch, "replace", of_windows(32))
    message = (
        r"x\.safetensors: cannot be written: .*; is it read-only, or open in another program\?"
    )
    with pytest.raises(InputError, match=message) as raised:
        write_whole(path, b"other")
    assert "\n" not in str(raised.value)
    assert 1 < sum(waited) < 5
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


def test_a_refusal_that_does_not_pass_is_told_at_once(path, monkeypatch):
    got = refusing(monkeypatch, "replace", PermissionError(errno.EACCES, "Permission denied"))
    with pytest.raises(InputError, match=r"cannot be written: Permission denied$"):
        write_whole(path, b"other")
    assert len(got) == 1


def test_whether_a_folder_can_be_written_to_is_known_before(tmp_path, monkeypatch):
    check_writable(tmp_path)
    check_writable(tmp_path / "not" / "there")
    assert not list(tmp_path.iterdir())
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "file", tmp_path / "file" / "deeper"):
        with pytest.raises(InputError, match=f"{path}: cannot be written to: Not a directory"):
            check_writable(path)
    refusing(monkeypatch, "open", PermissionError(errno.EACCES, "Permission denied"))
    with pytest.raises(InputError, match="there: cannot be written to: Permission denied"):
        check_writable(tmp_path / "not" / "there")
