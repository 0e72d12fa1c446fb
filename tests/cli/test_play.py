"""`minise play` as it is typed; its server has tests of its own."""

import os
import signal
import socket
import subprocess
import sys
import webbrowser
from types import SimpleNamespace
from urllib.parse import urlsplit

import asking
import numpy as np
import pytest

from minise import backend, data, models, runs
from minise.play import server, site
from minise.play.messages import Answer

effect = pytest.mark.effect
HELLO = {"kind": "hello", "id": 1}


@pytest.fixture(autouse=True)
def folder(minise, tmp_path):
    """Two runs, of which "new" has the newer weights, and images of two places."""
    rng = np.random.default_rng(0)
    for name, count in {"own": 8, "other": 5}.items():
        images = rng.integers(0, 256, (count, 28, 28), np.uint8)
        labels = np.arange(count) % 2
        np.savez(f"{name}.npz", x_train=images, y_train=labels, x_test=images, y_test=labels)
    for name, model, age in (("new", "se-cnn", 0), ("old", "cnn", 1)):
        about = runs.About(model, 2, (1, 28, 28), 0.5, 0.3, "own.npz", 0, {}, ("ant", "bee"))
        weights = tmp_path / "runs" / name / "model.safetensors"
        weights.parent.mkdir(parents=True)
        runs.save_weights(weights, models.create(model, num_classes=2), about)
        os.utime(weights, (0, 10 - age))


@pytest.fixture
def played(minise, monkeypatch):
    """Run the command, ask it something as its page would, and press Ctrl-C."""
    sites, opened = [], []

    class Watched(site.Site):
        def __init__(self, *arguments):
            super().__init__(*arguments)
            sites.append(self)

    monkeypatch.setenv("BROWSER", "one that is not started")
    monkeypatch.setattr(webbrowser, "open", opened.append)
    monkeypatch.setattr(server, "Site", Watched)

    def play(*arguments, question=HELLO):
        found = SimpleNamespace(opened=opened, answer=None)

        def wait(seconds):
            found.address = sites[-1].address
            with asking.asking(found.address) as page:
                found.answer, _ = page.ask(question)
            signal.raise_signal(signal.SIGINT)

        monkeypatch.setattr(server, "time", SimpleNamespace(sleep=wait))
        found.code, out, found.err = minise("play", *arguments)
        lines = out.splitlines()  # some machines have no kernels yet
        found.lines = [line for line in lines if not line.startswith("compiling")]
        return found

    return play


STOPPED = "\nminise: stopped\n"


def test_the_newest_run_is_served_until_ctrl_c(played):
    found = played("--no-browser")
    newest = os.path.join("runs", "new")
    assert found.code == 130
    assert found.lines == [
        f"{newest}, se-cnn, in a browser of this machine:",
        f"  {found.address}",
        "Ctrl-C stops it",
    ]
    assert found.err == f"minise: using {newest}, the newest run\n{STOPPED}"
    assert found.answer["kind"] == "net"
    assert found.answer["title"] == f"{newest}, se-cnn"
    assert found.answer["classes"] == ["ant", "bee"]
    assert found.answer["labels"] == [0, 1, 0, 1, 0, 1, 0, 1]


@effect("minise play RUN")
def test_the_run_that_is_named_is_served(played):
    for name in ("runs/old", "runs/old/model.safetensors"):
        found = played(name, "--no-browser")
        assert (found.code, found.err) == (130, STOPPED)
        assert found.answer["title"] == f"{os.path.join(*name.split('/'))}, cnn"
        assert found.answer["parameters"] != played("--no-browser").answer["parameters"]


@effect("minise play --data")
def test_the_images_that_are_named_are_shown(played):
    assert played("--no-browser", "--data", "other.npz").answer["labels"] == [0, 1, 0, 1, 0]


@effect("minise play --no-browser")
def test_a_browser_is_opened_unless_it_is_declined(played):
    found = played()
    (address,) = found.opened
    assert urlsplit(address).netloc == urlsplit(found.address).netloc
    assert urlsplit(found.address).path.strip("/") not in address  # other users can read that
    played("--no-browser")
    assert len(found.opened) == 1


@pytest.mark.parametrize(
    "error", [webbrowser.Error("no browser"), OSError(2, "none"), ValueError()]
)
def test_a_browser_that_fails_is_no_mistake(played, monkeypatch, error):
    def fail(address):
        raise error

    monkeypatch.setattr(webbrowser, "open", fail)
    found = played("runs/old")
    assert (found.code, found.err) == (130, STOPPED)
    assert found.answer["kind"] == "net"


@pytest.mark.parametrize(
    ("platform", "screen", "opens"),
    [
        ("linux", {}, 0),
        ("linux", {"DISPLAY": ":0"}, 1),
        ("linux", {"WAYLAND_DISPLAY": "wayland-0"}, 1),
        ("linux", {"BROWSER": "firefox"}, 1),
        ("darwin", {}, 1),
        ("win32", {}, 1),
    ],
)
def test_no_browser_is_opened_within_the_terminal(monkeypatch, platform, screen, opens):
    opened = []
    monkeypatch.setattr(webbrowser, "open", opened.append)
    monkeypatch.setattr(server.sys, "platform", platform)
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER"):
        monkeypatch.delenv(name, raising=False)
    for name, value in screen.items():
        monkeypatch.setenv(name, value)
    server._open("http://127.0.0.1:1/x")
    assert len(opened) == opens


def test_without_a_run_a_net_is_trained_and_leaves_nothing(played, monkeypatch, tmp_path, stripes):
    for path in sorted((tmp_path / "runs").rglob("*"), reverse=True):
        path.unlink() if path.is_file() else path.rmdir()
    sample = data.load("sample")
    few = sample._replace(
        train=data.Split(*(part[:300] for part in sample.train)),
        test=data.Split(*(part[:40] for part in sample.test)),
    )
    monkeypatch.setattr("minise.runs.dataset_of", lambda config: few)
    before = sorted(tmp_path.rglob("*"))
    found = played("--no-browser")
    assert found.code == 130
    told = "minise: there is no run yet; a small net is trained first, which is not kept\n"
    assert found.err == told + STOPPED
    lines = found.lines
    assert lines[0] == "se-cnn3, 10,662 parameters, on sample (numba)"
    assert [line.split("  ")[0] for line in lines[2:5]] == ["epoch 1/3", "epoch 2/3", "epoch 3/3"]
    assert lines[5].startswith("trained se-cnn3 on the sample: test accuracy ")
    assert lines[6] == "se-cnn3, trained on the sample, in a browser of this machine:"
    assert found.answer["title"] == "se-cnn3, trained on the sample"
    assert found.answer["labels"] == few.test.labels.tolist()
    assert sorted(tmp_path.rglob("*")) == before


def test_ctrl_c_while_it_trains_is_one_line(minise, monkeypatch, tmp_path):
    (tmp_path / "runs" / "new" / "model.safetensors").unlink()
    (tmp_path / "runs" / "old" / "model.safetensors").unlink()
    steps = []

    def on_step(self, step):
        steps.append(step)
        signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr("minise.cli.play.EpochProgress.on_step", on_step)
    code, _, err = minise("play", "--no-browser")
    assert (code, len(steps)) == (130, 1)
    assert err.endswith(f"not kept\n{STOPPED}")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["runs/none"], "runs/none: there is no such file"),
        (["--data", "sample"], "runs/new learned 2 classes of images (1, 28, 28); sample has 10"),
        (["--data", "none.npz"], "none.npz"),
        (["runs/new", "more"], "Got unexpected extra argument"),
    ],
)
def test_every_mistake_is_one_clear_line(minise, arguments, message):
    code, out, err = minise("play", "--no-browser", *arguments)
    assert code in (1, 2)
    assert out == ""
    assert message.replace("/", os.sep) in err.replace("/", os.sep)
    assert "Traceback" not in err


def test_where_the_extra_is_missing_one_line_says_what_to_install(minise, monkeypatch):
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    code, out, err = minise("play")
    assert (code, out) == (1, "")
    assert err == "minise: play needs the package uvicorn: python -m pip install uvicorn\n"


@effect("minise play --backend", "minise play --threads")
def test_it_computes_as_it_is_told(played, monkeypatch):
    class Telling:
        def __init__(self, *_):
            pass

        def answer(self, message, content=None):
            used = {"backend": backend.current().name, "threads": backend.get_num_threads()}
            return Answer({"kind": "told"} | used, b"")

    monkeypatch.setattr(server, "Session", Telling)
    found = played("--no-browser", "--backend", "numpy", "--threads", "1")
    assert (found.answer["backend"], found.answer["threads"]) == ("numpy", 1)
    assert played("--no-browser", "--backend", "numba").answer["backend"] == "numba"


@pytest.fixture
def started(tmp_path):
    """The command as a process of its own, with its page served; gives it and the address."""
    processes = []

    def start(*arguments):
        flags = getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0)
        process = subprocess.Popen(
            [sys.executable, "-m", "minise", "play", "--no-browser", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            creationflags=flags,
        )
        processes.append(process)
        return process, asking.address_of(process)

    yield start
    for process in processes:
        process.kill()
        process.communicate()


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="Ctrl-C goes to all processes of a console")
@pytest.mark.parametrize("busy", [False, True])
def test_ctrl_c_ends_the_process_with_pages_open(started, busy):
    process, address = started("runs/new")
    with asking.asking(address) as one, asking.asking(address, close_timeout=1) as two:
        assert one.ask(HELLO)[0]["kind"] == "net"
        for n in range(200 if busy else 0):
            two.send(asking.LOOK | {"id": n})
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=120)
    assert (process.returncode, out, err) == (130, "", STOPPED)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", urlsplit(address).port), timeout=5)
