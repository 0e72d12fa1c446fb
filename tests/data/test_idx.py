import gzip
import hashlib
import struct

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from minise import InputError
from minise.data import read_idx

TYPES = {"u1": 0x08, "i1": 0x09, "i2": 0x0B, "i4": 0x0C, "f4": 0x0D, "f8": 0x0E}


def idx_bytes(array):
    kind = TYPES[array.dtype.str[1:]]
    header = struct.pack(f">BBBB{array.ndim}I", 0, 0, kind, array.ndim, *array.shape)
    return header + array.astype(array.dtype.newbyteorder(">")).tobytes()


VALID = idx_bytes(np.arange(24, dtype=np.uint8).reshape(2, 3, 4))
HUGE = struct.pack(">BBBB3I", 0, 0, 8, 3, 10**6, 10**6, 10**6) + b"\0" * 100  # 10^18 items


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(
    array=st.sampled_from(list(TYPES)).flatmap(
        lambda dtype: hnp.arrays(dtype, hnp.array_shapes(min_dims=1, max_dims=4, min_side=0))
    ),
    pack=st.sampled_from([bytes, gzip.compress]),
)
def test_what_is_written_is_read(tmp_path, array, pack):
    path = tmp_path / "file"
    path.write_bytes(pack(idx_bytes(array)))
    read = read_idx(path)
    assert read.dtype == array.dtype
    np.testing.assert_array_equal(read, array)


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "not an IDX file"),
        (b"\0\0\x08", "not an IDX file"),
        (b"\0\1" + VALID[2:], "magic number is 0x00010803"),
        (b"\0\0\x0a" + VALID[3:], "magic number is 0x00000a03"),
        (VALID[:10], "ends within its header"),
        (VALID[:-1], "24 bytes"),
        (VALID + b"\0", r"claims|goes on"),
        (HUGE, r"claims 1,000,000,000,000,000,000 bytes"),
        (b"\0\0\x08\x04" + b"\xff" * 12 + bytes(4), r"an impossible shape, \(4294967295, "),
        (b"\0\0\x08\x41" + bytes(4 * 65), r"an impossible shape, \(0, 0"),
    ],
    ids=[
        "empty",
        "short",
        "magic",
        "type",
        "header",
        "truncated",
        "trailing",
        "10^18",
        "0 pixels",
        "65 axes",
    ],
)
def test_a_broken_file_is_one_clear_error(tmp_path, content, message, pack):
    path = tmp_path / "broken"
    path.write_bytes(pack(content))
    with pytest.raises(InputError, match=message) as error:
        read_idx(path)
    assert str(path) in str(error.value)


def test_a_broken_gzip_stream_is_one_clear_error(tmp_path):
    packed = gzip.compress(VALID)
    for broken in (packed[:-10], packed[:12] + b"\xff\xff" + packed[14:], packed[:-5] + b"12345"):
        path = tmp_path / "broken.gz"
        path.write_bytes(broken)
        with pytest.raises(InputError, match="corrupt"):
            read_idx(path)


def test_the_digest_is_of_the_decompressed_bytes(tmp_path):
    digest = hashlib.sha256(VALID).hexdigest()
    for level in (1, 9):
        path = tmp_path / f"level{level}"
        path.write_bytes(gzip.compress(VALID, level))
        assert read_idx(path, sha256=digest).shape == (2, 3, 4)
    message = f"level9: not the expected data: its SHA-256 is {digest[:12]}…, expected {'0' * 12}…"
    with pytest.raises(InputError, match=f"{message}$"):
        read_idx(path, sha256="0" * 64)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match="nowhere: cannot be read: No such file"):
        read_idx(tmp_path / "nowhere")


def test_what_a_packed_file_can_hold_is_told_as_the_most(tmp_path):
    (tmp_path / "plain").write_bytes(HUGE)
    (tmp_path / "packed").write_bytes(gzip.compress(HUGE))
    with pytest.raises(InputError, match=r"but the file has \d"):
        read_idx(tmp_path / "plain")
    with pytest.raises(InputError, match=r"but the file has at most \d"):
        read_idx(tmp_path / "packed")
