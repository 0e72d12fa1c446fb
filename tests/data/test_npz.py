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


@pytest.mark.parametrize("content", [b"", b"PK", b"no zip at all" * 99])
def test_what_is_no_zip_is_refused(path, content):
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"not a usable \.npz file"):
        read_npz(path, ("x",))


def test_what_is_not_there_cannot_be_read(path):
    with pytest.raises(InputError, match="cannot be read: No such file or directory"):
        read_npz(path, ("x",))
