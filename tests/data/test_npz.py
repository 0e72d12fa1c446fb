import io
import zipfile

import numpy as np
import pytest
from numpy.lib import format as npy

from minise import InputError
from minise.data.npz import read_npz


@pytest.fixture
def path(tmp_path):
    return tmp_path / "arrays.npz"


def test_pickled_objects_are_not_read(path):
    np.savez(path, x=np.array([{}, None], object))
    with pytest.raises(InputError, match=r"x\.npy holds Python objects, which are not read"):
        read_npz(path, ("x",))


LAYOUTS = {
    "by rows": np.ascontiguousarray,
    "as in Fortran": np.asfortranarray,
    "big-endian": lambda x: x.astype(x.dtype.newbyteorder(">")),
    "big-endian, as in Fortran": lambda x: np.asfortranarray(x.astype(x.dtype.newbyteorder(">"))),
    "every second": lambda x: x.repeat(2, axis=2)[:, :, ::2],
    "from the end": lambda x: x[::-1].copy()[::-1],
}


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.float64])
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_arrays_are_what_was_saved_however_it_lay_in_memory(path, save, layout, dtype):
    x = np.arange(24, dtype=dtype).reshape(2, 3, 4)
    save(path, a=LAYOUTS[layout](x), b=LAYOUTS[layout](x.transpose(2, 1, 0)), c=np.arange(3))
    b, a = read_npz(path, ("b", "a"))
    np.testing.assert_array_equal(a, x)
    np.testing.assert_array_equal(b, x.transpose(2, 1, 0))


@pytest.mark.parametrize("version", [(1, 0), (2, 0)])
def test_both_versions_of_a_header_are_read(path, version):
    x = np.arange(6.0).reshape(2, 3)
    write(path, x, version)
    np.testing.assert_array_equal(read_npz(path, ("x",))[0], x)


def test_another_version_of_a_header_is_refused(path):
    write(path, np.arange(6.0), (3, 0))
    with pytest.raises(InputError, match=r"a header of version \(3, 0\), expected 1\.0 or 2\.0"):
        read_npz(path, ("x",))


def write(path, x, version):
    member = io.BytesIO()
    npy.write_array(member, x, version)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x.npy", member.getvalue())


@pytest.mark.parametrize("change", [lambda content: content + b"1", lambda content: content[:-1]])
def test_a_header_that_does_not_fit_what_follows_is_refused(path, change):
    member = io.BytesIO()
    npy.write_array(member, np.arange(6.0))
    content = change(member.getvalue())
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x.npy", content)
    with pytest.raises(InputError, match=rf"x\.npy claims shape \(6,\) in {len(content)} bytes"):
        read_npz(path, ("x",))


@pytest.mark.parametrize("content", [b"", b"PK", b"no zip at all" * 99])
def test_what_is_no_zip_is_refused(path, content):
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"not a usable \.npz file"):
        read_npz(path, ("x",))


def test_what_is_not_there_cannot_be_read(path):
    with pytest.raises(InputError, match="cannot be read: No such file or directory"):
        read_npz(path, ("x",))
