import json
import os
import time

import pytest

from minise.runs import Config
from minise.runs import lock as locks
from minise.runs.lock import Owner, locked
from minise.sweep.point import FAILED, RESULT, Point, State


@pytest.fixture
def point():
    return Point(Config(epochs=7), "0123")


@pytest.fixture
def folder(tmp_path, point):
    folder = tmp_path / point.name
    folder.mkdir()
    return folder


def result(point, **other):
    config = point.config._asdict()
    return {"config": config, "images": point.images, "test_accuracy": 0.5} | other


def write(path, content):
    path.write_text(json.dumps(content), encoding="utf-8")


def test_what_is_in_its_folder_says_how_far_a_point_is(tmp_path, point):
    assert point.state(tmp_path) is State.WAITING
    folder = tmp_path / point.name
    folder.mkdir()
    assert point.state(tmp_path) is State.WAITING
    with locked(folder / ".lock"):
        assert point.state(tmp_path) is State.RUNNING
        (folder / "checkpoint.safetensors").touch()
        assert point.state(tmp_path) is State.RUNNING
    assert point.state(tmp_path) is State.STOPPED
    write(folder / FAILED, {"error": "diverged"})
    assert (point.state(tmp_path), point.failure(tmp_path)) == (State.FAILED, "diverged")
    write(folder / RESULT, result(point))
    assert (point.state(tmp_path), point.failure(tmp_path)) == (State.DONE, None)


def test_one_whose_process_was_killed_runs_no_more(tmp_path, point, folder):
    host = os.uname().nodename if hasattr(os, "uname") else ""
    (folder / ".lock").write_bytes(Owner(host, 1, "", "token", {"tries": 2}).line())
    assert point.state(tmp_path) is State.WAITING
    assert point.tries(tmp_path) == 2


def test_data_may_lie_elsewhere_and_rates_be_told_as_they_are_by_default(tmp_path, point, folder):
    told = result(point)
    told["config"] |= {"data": "/elsewhere/sample", "lr": 0.1}
    write(folder / RESULT, told)
    assert point.state(tmp_path) is State.DONE


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ('{"config"', "broken"),
        ("", "broken"),
        ("[]", "broken"),
        ('{"config": {"what": 1}, "images": "0123"}', "broken"),
        # what minise runs would not count
        (json.dumps(result(Point(Config(), "4567")) | {"test_accuracy": 7.0}), "broken"),
        (json.dumps(result(Point(Config(), "4567")) | {"gates": 3}), "broken"),
        (json.dumps(result(Point(Config(), "0123"))), "the result of another training"),
        (json.dumps(result(Point(Config(epochs=7), "4567"))), "the result of another training"),
    ],
)
def test_a_result_that_is_broken_is_none_and_nothing_of_it_is_lost(
    tmp_path, point, folder, content, problem
):
    (folder / RESULT).write_text(content, encoding="utf-8")
    assert point.state(tmp_path) is State.FAILED
    assert isinstance(point.result(tmp_path), dict)
    assert point.failure(tmp_path) == f"{folder / RESULT}: {problem}"
    point.retry(tmp_path)
    assert point.state(tmp_path) is State.WAITING
    assert (folder / "result.json.broken").read_text(encoding="utf-8") == content


def test_a_failure_that_cannot_be_read_is_one(tmp_path, point, folder):
    (folder / FAILED).write_bytes(b"\xff")
    assert point.failure(tmp_path) == f"{folder / FAILED}: broken"
    point.retry(tmp_path)
    assert point.state(tmp_path) is State.WAITING


def test_a_file_in_place_of_its_folder_is_a_failure(tmp_path, point):
    (tmp_path / point.name).write_text("mine", encoding="utf-8")
    assert point.state(tmp_path) is State.FAILED
    assert "is a file, expected the folder of a training" in point.failure(tmp_path)
    point.retry(tmp_path)
    assert (tmp_path / point.name).read_text(encoding="utf-8") == "mine"


def test_its_lock_says_how_far_a_training_is(tmp_path, point, folder, monkeypatch):
    now = time.time()
    monkeypatch.setattr(locks, "BEAT", 3600)  # no sign of life but those below
    monkeypatch.setattr(locks, "now_at", lambda folder: now)
    assert point.progress(tmp_path) is None
    with locked(folder / ".lock") as lock:
        first = point.progress(tmp_path)
        assert first[:4] == (0, 7, 0.0, None)
        assert first.pid == os.getpid()
        lock.tell(epoch=3, share=0.25, accuracy=0.75, now=True)
        assert point.progress(tmp_path)[:4] == (3, 7, 0.25, 0.75)
        assert point.progress(tmp_path).silent < 1
        os.utime(folder / ".lock", (now - 50,) * 2)
        assert 49 < point.progress(tmp_path).silent < 51
    assert point.progress(tmp_path) is None
