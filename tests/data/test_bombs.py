"""Small files that declare or unpack to gigabytes: refused, and below 200 MB of memory."""

import gzip
import io
import struct
import subprocess
import sys
import tracemalloc
import zipfile
import zlib

import pytest
from numpy.lib import format as npy
from PIL import Image

from minise import InputError, data
from minise.data.idx import most_unpacked
from minise.data.npz import read_npz

GB, MB = 1024**3, 1024**2


@pytest.fixture
def memory():
    """The test may take no more than 200 MB that Python and NumPy know of."""
    tracemalloc.start()
    yield
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 200 * MB


def zeros(size):
    """A gzip stream of so many zero bytes: a thousandth of them."""
    stream = io.BytesIO()
    with gzip.GzipFile(fileobj=stream, mode="wb", compresslevel=9) as file:
        file.write(struct.pack(">BBBB3I", 0, 0, 8, 3, size // 784, 28, 28))
        for _ in range(size // MB):
            file.write(bytes(MB))
    return stream.getvalue()


@pytest.mark.usefixtures("memory")
@pytest.mark.parametrize("size", [300 * MB, 20 * MB])
def test_an_idx_file_of_nothing_is_refused_where_it_is_large(tmp_path, size):
    path = tmp_path / "bomb.gz"
    path.write_bytes(zeros(size))
    assert path.stat().st_size < size / 900
    message = "claims" if size > 64 * MB else r"has more than|ends after"
    with pytest.raises(InputError, match=rf"bomb\.gz: .*({message})"):
        data.read_idx(path)


@pytest.mark.usefixtures("memory")
def test_an_npz_member_of_nothing_is_refused(tmp_path):
    path = tmp_path / "bomb.npz"
    header = {"descr": "|u1", "fortran_order": False, "shape": (300 * MB,)}
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("x.npy", "w") as member,
    ):
        npy.write_array_header_1_0(member, header)
        for _ in range(300):
            member.write(bytes(MB))
    with pytest.raises(InputError, match=r"bomb\.npz: .* x\.npy claims 314,"):
        read_npz(path, ("x",))


@pytest.mark.usefixtures("memory")
@pytest.mark.parametrize("shape", [(10**6, 10**6), (2**62, 2**62), (4 * GB,)])
def test_an_npz_header_that_claims_more_than_there_is_is_refused(tmp_path, shape):
    path = tmp_path / "lying.npz"
    with zipfile.ZipFile(path, "w") as archive:
        member = io.BytesIO()
        header = {"descr": "|u1", "fortran_order": False, "shape": shape}
        npy.write_array_header_1_0(member, header)
        archive.writestr("x.npy", member.getvalue() + bytes(100))
    with pytest.raises(InputError, match=r"lying\.npz: .* x\.npy claims shape"):
        read_npz(path, ("x",))


def test_real_images_unpack_however_many_they_are():
    mnist, emnist = (9_912_422, 47_040_016), (117_000_000, 548_000_000)  # compressed and not
    for compressed, unpacked in (mnist, emnist):
        assert most_unpacked(compressed) > unpacked


def png(width, height, rows):
    """A grey PNG that declares this size."""

    def chunk(kind, content):
        checked = kind + content
        return struct.pack(">I", len(content)) + checked + struct.pack(">I", zlib.crc32(checked))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    pixels = zlib.compress(rows * (b"\0" + bytes(min(width, 50_000))))
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize("size", [(16_400, 16_400), (2**31 - 1, 2**31 - 1)])
def test_a_picture_that_declares_too_many_pixels_is_refused(tmp_path, size):
    path = tmp_path / "bomb.png"
    path.write_bytes(png(*size, rows=10))
    with pytest.raises(InputError, match=r"bomb\.png: .* more than 256 MB; save a smaller"):
        data.read_picture(path)


@pytest.mark.usefixtures("memory")
@pytest.mark.parametrize("size", [(4000, 3001), (12_000, 12_000), (2**31 - 1, 2**31 - 1)])
def test_a_picture_of_a_class_that_declares_too_many_pixels_is_refused(tmp_path, size):
    for name in ("cat", "dog"):
        (tmp_path / name).mkdir()
        for k in range(3):
            (tmp_path / name / f"{k}.png").write_bytes(png(*size, rows=10))
    message = r"0\.png: the picture (is .*make it smaller|cannot be read)"
    with pytest.raises(InputError, match=message):
        data.load(tmp_path)


def test_many_pictures_that_are_more_than_memory_are_refused_at_the_first(tmp_path):
    (tmp_path / "cat").mkdir()
    (tmp_path / "dog").mkdir()
    Image.new("RGB", (3000, 3000)).save(tmp_path / "cat" / "0.png")
    for k in range(300):
        (tmp_path / "dog" / f"{k}.png").write_bytes(b"not looked at")
    (tmp_path / "cat" / "1.png").write_bytes(b"not looked at")
    with pytest.raises(InputError, match=r"0\.png: 302 pictures of 3000×3000 take more than 2 GiB"):
        data.load(tmp_path)


@pytest.mark.usefixtures("memory")
def test_a_set_in_npz_files_of_nothing_is_refused(tmp_path):
    header = {"descr": "|u1", "fortran_order": False, "shape": (100 * MB // 784, 28, 28)}
    for part in ("train-imgs", "train-labels", "test-imgs", "test-labels"):
        path = tmp_path / f"kmnist-{part}.npz"
        with (
            zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive,
            archive.open("arr_0.npy", "w") as member,
        ):
            npy.write_array_header_1_0(member, header)
            for _ in range(70):
                member.write(bytes(MB))
    with pytest.raises(InputError, match=r"kmnist-train-imgs\.npz: .* arr_0\.npy claims 73,"):
        data.load(tmp_path)


# What a fresh process takes for the largest pictures that are read, beside Python and its imports.
# Its parent is small: on Linux a child begins with the peak of the process that started it.
LARGEST = """
import resource, sys
from minise import data
data.read_picture(sys.argv[1])
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
data.read_picture(sys.argv[2])
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024)
"""
SMALL_PARENT = "import subprocess, sys; subprocess.run([sys.executable, '-c', *sys.argv[1:]])"


@pytest.mark.parametrize(
    ("name", "mode", "size", "most"),
    [
        ("photo.png", "RGB", (8000, 6250), 256),  # 50 megapixels
        ("grey.png", "L", (8000, 6250), 100),
        ("photo.webp", "RGB", (4000, 3000), 256),
        ("photo.jpg", "RGB", (8000, 6000), 50),  # of 48 megapixels the 64th part is decoded
    ],
)
def test_large_pictures_are_read_in_bounded_memory(tmp_path, name, mode, size, most):
    Image.new(mode, (9, 9)).save(tmp_path / f"small-{name}")
    quick = {"png": {"compress_level": 1}, "webp": {"method": 0}}.get(name.split(".")[1], {})
    Image.new(mode, size, "silver").save(tmp_path / name, **quick)
    done = subprocess.run(
        [sys.executable, "-c", SMALL_PARENT, LARGEST, tmp_path / f"small-{name}", tmp_path / name],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert 1 < float(done.stdout) < most


@pytest.mark.parametrize(("name", "size"), [("p.webp", (4200, 4200)), ("p.jpg", (6700, 6700))])
def test_what_a_decoder_holds_besides_the_pixels_is_counted(tmp_path, name, size):
    """WebP's holds several pictures, and that of a progressive JPEG the coefficients of all."""
    options = {"progressive": True} if name == "p.jpg" else {"method": 0}
    Image.new("RGB", size).save(tmp_path / name, **options)
    with pytest.raises(InputError, match=rf"{size[0]} × {size[1]} pixels: .* more than 256 MB"):
        data.read_picture(tmp_path / name)
