import gzip
import hashlib
import io
import os
import shutil
import zipfile
from importlib import resources
from pathlib import Path

import numpy as np
import pooch
import pytest

from minise import InputError, data
from minise.data import sources

SAMPLE = Path(str(resources.files("minise.data") / "sample"))

needs_mnist = pytest.mark.skipif(
    "MINISE_DATA" not in os.environ, reason="MINISE_DATA names no folder with MNIST"
)


@pytest.fixture
def arrays():
    return {
        "x_train": np.zeros((6, 8, 9), np.uint8),
        "y_train": np.array([0, 1, 2, 0, 1, 2]),
        "x_test": np.zeros((3, 8, 9), np.uint8),
        "y_test": np.array([0, 1, 2], np.uint8),
    }


def test_the_sample_is_the_first_part_of_mnist():
    sample = data.load()
    assert sample.train.images.shape == (10_000, 1, 28, 28)
    assert sample.test.images.shape == (2_000, 1, 28, 28)
    assert sample.train.images.dtype == np.uint8
    assert sample.num_classes == 10
    assert sample.train.labels[:5].tolist() == [5, 0, 4, 1, 9]  # as everybody knows MNIST to begin
    assert sum(path.stat().st_size for path in SAMPLE.iterdir()) < 2.5e6


@needs_mnist
def test_the_sample_is_equal_to_mnist_where_they_overlap():
    sample, mnist = data.load("sample"), data.load("mnist")
    assert mnist.train.images.shape == (60_000, 1, 28, 28)
    for part, whole in zip(sample[1:], mnist[1:], strict=True):
        np.testing.assert_array_equal(part.images, whole.images[: len(part.images)])
        np.testing.assert_array_equal(part.labels, whole.labels[: len(part.labels)])


def test_a_folder_of_idx_files_is_read(tmp_path):
    shutil.copytree(SAMPLE, tmp_path / "digits")
    assert data.load(tmp_path / "digits").name == "digits"


def test_a_folder_without_a_file_says_which(tmp_path):
    shutil.copytree(SAMPLE, tmp_path / "digits")
    (tmp_path / "digits" / "t10k-labels-idx1-ubyte.gz").unlink()
    with pytest.raises(InputError, match=r"no file named \*t10k-labels"):
        data.load(tmp_path / "digits")


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_an_npz_is_read(tmp_path, arrays, save):
    save(tmp_path / "mine.npz", **arrays)
    mine = data.load(tmp_path / "mine.npz")
    assert mine.name == "mine"
    assert mine.image_shape == (1, 8, 9)
    assert mine.num_classes == 3
    assert mine.test.labels.dtype == np.int64


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"y_test": np.array([0, 1, 3])}, "test label 3 is outside the 3 classes"),
        ({"y_train": np.array([0, 1, 2, 0, 1, -2])}, "label -2 is below 0"),
        ({"y_train": np.zeros(5, int)}, "expected integers for 6 images"),
        ({"y_train": np.zeros(6)}, "labels are float64"),
        ({"x_train": np.zeros((6, 8, 9))}, "images are float64"),
        ({"x_test": np.zeros((3, 8, 8), np.uint8)}, r"test images are \(1, 8, 8\)"),
        ({"x_test": np.zeros((0, 8, 9), np.uint8)}, "none of them 0"),
        ({"y_test": np.array([None, 1, 2])}, "Python objects"),
    ],
)
def test_arrays_that_do_not_fit_together_are_one_clear_error(tmp_path, arrays, changes, message):
    np.savez(tmp_path / "mine.npz", **{**arrays, **changes})
    with pytest.raises(InputError, match=message):
        data.load(tmp_path / "mine.npz")


def test_an_npz_without_an_array_names_it(tmp_path, arrays):
    del arrays["y_test"]
    np.savez(tmp_path / "mine.npz", **arrays)
    with pytest.raises(InputError, match="y_test"):
        data.load(tmp_path / "mine.npz")


def test_an_npz_header_that_claims_too_much_is_not_believed(tmp_path):
    claim = io.BytesIO()
    header = {"descr": "|u1", "fortran_order": False, "shape": (10**9, 10**9)}
    np.lib.format.write_array_header_1_0(claim, header)
    with zipfile.ZipFile(tmp_path / "huge.npz", "w") as archive:
        archive.writestr("x_train.npy", claim.getvalue() + bytes(100))
    with pytest.raises(InputError, match=r"claims shape \(1000000000, 1000000000\) in"):
        data.load(tmp_path / "huge.npz")


def test_a_file_that_is_no_npz_is_one_clear_error(tmp_path):
    (tmp_path / "mine.npz").write_bytes(b"PK\3\4 no zip at all")
    with pytest.raises(InputError, match=r"no \.npz file"):
        data.load(tmp_path / "mine.npz")
    (tmp_path / "mine.txt").write_text("text")
    with pytest.raises(InputError, match="neither a folder"):
        data.load(tmp_path / "mine.txt")


def test_an_unknown_name_is_answered_with_the_nearest_one():
    with pytest.raises(InputError, match="did you mean 'mnist'"):
        data.load("minst")


def test_a_name_that_no_file_can_have_is_told_as_any_other():
    with pytest.raises(InputError, match="data: there is no 'xxx"):
        data.load("x" * 5000)


def test_minise_data_with_a_missing_file_says_which(tmp_path, monkeypatch):
    (tmp_path / "train-images-idx3-ubyte.gz").write_bytes(b"")
    monkeypatch.setenv("MINISE_DATA", str(tmp_path))
    with pytest.raises(InputError, match="has no train-labels-idx1-ubyte"):
        data.load("mnist")


def test_minise_data_with_other_images_is_refused(monkeypatch):
    monkeypatch.setenv("MINISE_DATA", str(SAMPLE))
    with pytest.raises(InputError, match="SHA-256"):
        data.load("mnist")


class FakeWeb:
    """Stands in for the mirrors: what each address serves."""

    def __init__(self, pages):
        self.pages, self.asked = pages, []

    def __call__(self, **options):
        def download(url, path, _):
            self.asked.append(url)
            if url not in self.pages:
                raise OSError("404")
            Path(path).write_bytes(self.pages[url])

        return download


@pytest.fixture
def web(tmp_path, monkeypatch):
    """An empty cache, and MNIST's names and digests replaced by the sample's."""
    names = [path.name[:-3] for path in SAMPLE.glob("*.gz")]
    digests = {}
    for name in names:
        content = gzip.decompress((SAMPLE / f"{name}.gz").read_bytes())
        digests[name] = hashlib.sha256(content).hexdigest()
    monkeypatch.delenv("MINISE_DATA", raising=False)
    monkeypatch.setattr(sources, "MNIST", {name: digests[name] for name in sources.MNIST})
    monkeypatch.setattr(pooch, "os_cache", lambda name: tmp_path / "cache")
    fake = FakeWeb(
        {f"{sources.MIRRORS[1]}{name}.gz": (SAMPLE / f"{name}.gz").read_bytes() for name in names}
    )
    monkeypatch.setattr(pooch, "HTTPDownloader", fake)
    return fake


def test_mnist_is_downloaded_once_from_the_mirror_that_has_it(web, tmp_path):
    assert data.load("mnist").train.images.shape == (10_000, 1, 28, 28)
    assert len(web.asked) == 8  # each file from the first mirror, in vain, and from the second
    data.load("mnist")
    assert len(web.asked) == 8
    assert len(list((tmp_path / "cache" / "mnist").iterdir())) == 4


def test_a_broken_file_in_the_cache_is_replaced(web, tmp_path):
    data.load("mnist")
    (tmp_path / "cache" / "mnist" / "t10k-labels-idx1-ubyte.gz").write_bytes(b"broken")
    assert len(data.load("mnist").test.labels) == 2_000
    assert len(web.asked) == 10


def test_a_broken_file_that_another_process_replaces_meanwhile_is_no_error(
    web, tmp_path, monkeypatch
):
    broken = tmp_path / "cache" / "mnist" / "train-images-idx3-ubyte"
    broken.parent.mkdir(parents=True)
    broken.write_bytes(b"half")

    def meanwhile(**options):
        broken.unlink(missing_ok=True)
        return web(**options)

    monkeypatch.setattr(pooch, "HTTPDownloader", meanwhile)
    assert len(data.load("mnist").train.labels) == 10_000
    assert not broken.exists()


def test_a_download_with_other_content_never_reaches_the_cache(web, tmp_path):
    web.pages = dict.fromkeys(web.pages, b"captive portal")
    with pytest.raises(InputError, match="could not be downloaded"):
        data.load("mnist")
    assert list((tmp_path / "cache" / "mnist").iterdir()) == []
