"""Data sets by name, from a server on this machine that stands in for the web."""

import gzip
import hashlib
import io
import re
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import resources
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pooch
import pytest
from layouts import EMNIST, GZIP, IMAGES, LABELS, QMNIST, within, write

from minise import InputError, data
from minise.data import download as named_download
from minise.data import named

CLOTHES = ["T-shirt/top", "Trouser", "Pullover", "Dress", "Coat"]
CLOTHES += ["Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"]
SYLLABLES = ["o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo"]
SAMPLE = Path(str(resources.files("minise.data") / "sample"))
PACKED = {f"{name}.gz": gzip.compress(content) for name, content in QMNIST.items()}


def zip_of(files):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return file.getvalue()


LETTERS_AND_DIGITS = zip_of({f"gzip/{n}.gz": gzip.compress(c, mtime=0) for n, c in EMNIST.items()})


@pytest.fixture
def web(tmp_path, monkeypatch):
    """Pages by their paths, what was asked for, and an empty cache."""
    pages, asked = {}, []

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            content = pages.get(self.path)
            self.send_response(404 if content is None else 200)
            self.send_header("Content-Length", str(len(content or b"")))
            self.end_headers()
            self.wfile.write(content or b"")

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.delenv("MINISE_DATA", raising=False)
    monkeypatch.setattr(pooch, "os_cache", lambda name: tmp_path / "cache")
    address = f"http://127.0.0.1:{server.server_port}"
    yield SimpleNamespace(pages=pages, asked=asked, address=address, cache=tmp_path / "cache")
    server.shutdown()
    thread.join()
    server.server_close()


def serve(web, monkeypatch, name, files):
    """Let the server have these files, and be where the set of this name is."""
    web.pages.update({f"/{name}/{file}": content for file, content in files.items()})
    digests = {file: hashlib.md5(content).hexdigest() for file, content in files.items()}
    there = named.NAMED[name]._replace(root=f"{web.address}/{name}/", files=digests)
    monkeypatch.setitem(named.NAMED, name, there)


@pytest.mark.parametrize(
    ("name", "files", "classes", "said"),
    [
        ("fashion-mnist", GZIP, "T-shirt/top, Trouser, Pullover", ""),
        ("kmnist", GZIP, "o, ki, su", ""),
        ("qmnist", PACKED, "0 to 2", "; labels are the first of eight columns, as QMNIST has them"),
        ("emnist-digits", {"gzip.zip": LETTERS_AND_DIGITS}, "0 to 2",
         "; turned, since EMNIST stores its images transposed"),
    ],
)  # fmt: skip
def test_a_set_is_downloaded_once(web, monkeypatch, name, files, classes, said):
    serve(web, monkeypatch, name, files)
    names = named.NAMED[name].class_names[:3]  # the set served has three classes, not ten
    monkeypatch.setitem(named.NAMED, name, named.NAMED[name]._replace(class_names=names))
    for _ in range(2):
        mine = data.load(name)
        assert mine.name == name
        for split, part in ((mine.train, slice(0, 6)), (mine.test, slice(6, 9))):
            np.testing.assert_array_equal(split.images, IMAGES[part, None])
            np.testing.assert_array_equal(split.labels, LABELS[part])
        assert mine.summary == f"6 training and 3 test images of 6×6, 3 classes: {classes}{said}"
        assert web.asked == [f"/{name}/{file}" for file in files]


def test_one_download_has_all_sets_of_emnist(web, monkeypatch):
    serve(web, monkeypatch, "emnist-digits", {"gzip.zip": LETTERS_AND_DIGITS})
    data.load("emnist-digits")
    letters = data.load("emnist-letters")
    np.testing.assert_array_equal(letters.train.images, 255 - IMAGES[:6, None])
    np.testing.assert_array_equal(letters.train.labels, LABELS[:6])
    assert len(web.asked) == 1
    assert sorted(path.name for path in (web.cache / "emnist").iterdir()) == sorted(
        f"{name}.gz" for name in EMNIST
    )


def test_of_a_zip_only_the_files_of_the_set_are_unpacked(web, monkeypatch):
    packed = {f"gzip/{n}.gz": gzip.compress(c) for n, c in EMNIST.items()}
    more = {
        "../../emnist-digits-evil.gz": b"",
        "gzip/emnist-byclass-train-images.gz": b"",
        "x": b"",
    }
    serve(web, monkeypatch, "emnist-digits", {"gzip.zip": zip_of({**packed, **more})})
    data.load("emnist-digits")
    assert {path.parent for path in web.cache.rglob("*.gz")} == {web.cache / "emnist"}
    assert not list(web.cache.parent.glob("*.gz"))
    assert not list(web.cache.rglob("*byclass*"))


def test_a_zip_of_nothing_is_refused(web, monkeypatch):
    bomb = zip_of({"gzip/emnist-digits-train-images-idx3-ubyte.gz": bytes(70 * 1024**2)})
    serve(web, monkeypatch, "emnist-digits", {"gzip.zip": bomb})
    with pytest.raises(InputError, match=r"emnist-digits-train-images-idx3-ubyte\.gz claims 73,"):
        data.load("emnist-digits")
    assert not list(web.cache.rglob("*.*"))


def test_what_is_broken_in_the_cache_is_downloaded_again(web, monkeypatch):
    serve(web, monkeypatch, "kmnist", GZIP)
    data.load("kmnist")
    (web.cache / "kmnist" / "t10k-labels-idx1-ubyte.gz").write_bytes(b"broken")
    assert data.load("kmnist").test.labels.tolist() == LABELS[6:].tolist()
    (web.cache / "kmnist" / "t10k-labels-idx1-ubyte.gz").unlink()
    assert data.load("kmnist").test.labels.tolist() == LABELS[6:].tolist()
    assert len(web.asked) == 12


def test_other_content_never_reaches_the_cache(web, monkeypatch):
    serve(web, monkeypatch, "kmnist", GZIP)
    web.pages["/kmnist/t10k-images-idx3-ubyte.gz"] = b"captive portal"
    with pytest.raises(
        InputError, match=r"kmnist could not be downloaded \(.*its MD5 is .*, expec"
    ):
        data.load("kmnist")
    del web.pages["/kmnist/t10k-images-idx3-ubyte.gz"]
    with pytest.raises(InputError, match=r"kmnist could not be downloaded \(.*404"):
        data.load("kmnist")
    assert list((web.cache / "kmnist").iterdir()) == []


@pytest.mark.parametrize("folder", ["fashion-mnist", "FashionMNIST/raw"])
def test_a_folder_of_minise_data_comes_before_the_web(web, monkeypatch, tmp_path, folder):
    write(tmp_path / "shared", within(folder, GZIP))
    monkeypatch.setenv("MINISE_DATA", str(tmp_path / "shared"))
    assert data.load("fashion-mnist").train.labels.tolist() == LABELS[:6].tolist()
    assert web.asked == []


@pytest.fixture
def mnist(web, monkeypatch):
    """MNIST's names and digests replaced by the sample's, on the second of two mirrors."""
    for name in named.MNIST:
        packed = (SAMPLE / f"{name}.gz").read_bytes()
        web.pages[f"/two/{name}.gz"] = packed
        monkeypatch.setitem(named.MNIST, name, hashlib.sha256(gzip.decompress(packed)).hexdigest())
    monkeypatch.setattr(named, "MIRRORS", (f"{web.address}/one/", f"{web.address}/two/"))
    return web


def test_mnist_is_downloaded_once_from_the_mirror_that_has_it(mnist):
    assert data.load("mnist").train.images.shape == (10_000, 1, 28, 28)
    assert len(mnist.asked) == 8  # each file from the first mirror, in vain, and from the second
    data.load("mnist")
    assert len(mnist.asked) == 8
    assert len(list((mnist.cache / "mnist").iterdir())) == 4


def test_a_broken_file_of_mnist_is_replaced(mnist):
    data.load("mnist")
    (mnist.cache / "mnist" / "t10k-labels-idx1-ubyte.gz").write_bytes(b"broken")
    assert len(data.load("mnist").test.labels) == 2_000
    assert len(mnist.asked) == 10


def test_a_broken_file_that_another_process_replaces_meanwhile_is_no_error(mnist, monkeypatch):
    broken = mnist.cache / "mnist" / "train-images-idx3-ubyte"
    broken.parent.mkdir(parents=True)
    broken.write_bytes(b"half")
    download = named_download.download

    def meanwhile(url, path):
        broken.unlink(missing_ok=True)
        download(url, path)

    monkeypatch.setattr(named_download, "download", meanwhile)
    assert len(data.load("mnist").train.labels) == 10_000
    assert not broken.exists()


def test_a_download_with_other_content_is_no_mnist(mnist):
    mnist.pages.update(dict.fromkeys(mnist.pages, b"captive portal"))
    with pytest.raises(InputError, match="could not be downloaded"):
        data.load("mnist")
    assert list((mnist.cache / "mnist").iterdir()) == []


@pytest.mark.parametrize("folder", [".", "mnist", "MNIST/raw"])
def test_mnist_is_looked_for_in_minise_data_first(mnist, monkeypatch, tmp_path, folder):
    write(tmp_path / folder, {path.name: path.read_bytes() for path in SAMPLE.glob("*.gz")})
    monkeypatch.setenv("MINISE_DATA", str(tmp_path))
    assert len(data.load("mnist").test.labels) == 2_000
    assert mnist.asked == []


def test_minise_data_with_a_missing_file_says_which(tmp_path, monkeypatch):
    (tmp_path / "train-images-idx3-ubyte.gz").write_bytes(b"")
    monkeypatch.setenv("MINISE_DATA", str(tmp_path))
    with pytest.raises(InputError, match="has no train-labels-idx1-ubyte"):
        data.load("mnist")


def test_minise_data_with_other_images_is_refused(monkeypatch):
    monkeypatch.setenv("MINISE_DATA", str(SAMPLE))
    with pytest.raises(InputError, match="SHA-256"):
        data.load("mnist")


@pytest.mark.parametrize(
    ("name", "classes"),
    [
        ("fashion-mnist", CLOTHES),
        ("kmnist", SYLLABLES),
        ("qmnist", []),
        ("emnist-digits", []),
        ("emnist-letters", [chr(code) for code in range(ord("A"), ord("Z") + 1)]),
    ],
)
def test_classes_are_named_in_the_order_of_their_labels(name, classes):
    of = named.NAMED[name]
    assert list(of.class_names) == classes
    assert of.root.startswith("http")
    assert of.root.endswith("/")
    assert all(re.fullmatch("[0-9a-f]{32}", digest) for digest in of.files.values())
