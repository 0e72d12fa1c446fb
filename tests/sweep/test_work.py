import json
import shutil
import threading
import time

import numpy as np
import pytest
from sweeping import found, leave_images, point, working

from minise import InputError, backend, runs
from minise.cores import most_threads
from minise.files import WriteError, read_tensors
from minise.runs import lock as locks
from minise.runs import read_every
from minise.runs.lock import Owner
from minise.sweep import images as images_module
from minise.sweep import work as module
from minise.sweep.point import FAILED, RESULT, State
from minise.sweep.work import Work, train_point


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    return leave_images(tmp_path_factory.mktemp("images") / "own.npz")


@pytest.fixture(scope="module")
def undisturbed(images, tmp_path_factory):
    """What the training finds that the tests here disturb."""
    sweep = tmp_path_factory.mktemp("undisturbed")
    with working(sweep) as (work, _):
        assert train_point(point(images), work) is State.DONE
    return found(sweep, point(images))


class KilledError(BaseException):
    """The process is killed here: nothing after that happens, but what a `finally` does."""


def die(lock):
    """What the end of a process does to a lock."""
    lock._end.set()
    lock._file.close()


def killed(monkeypatch, work, point, step):
    """Train the point, and kill the process after so many steps."""
    on_step, steps = module._Stop.on_step, iter(range(1, step + 1))

    def count(self, told):
        if next(steps) == step:
            raise KilledError
        on_step(self, told)

    with monkeypatch.context() as patch:
        patch.setattr(locks.Lock, "release", die)
        patch.setattr(module._Stop, "on_step", count)
        with pytest.raises(KilledError):
            train_point(point, work)


def test_a_point_has_one_thread_and_leaves_the_process_as_many_as_before(
    images, tmp_path, monkeypatch
):
    given, on_step = set(), module._Stop.on_step

    def seen(self, told):
        given.add(backend.get_num_threads())
        on_step(self, told)

    monkeypatch.setattr(module._Stop, "on_step", seen)
    many = most_threads()
    backend.set_num_threads(many)
    with working(tmp_path) as (work, _):
        assert train_point(point(images), work) is State.DONE
    assert (given, backend.get_num_threads()) == ({1}, many)


def test_a_point_leaves_its_result_last_and_no_checkpoint(tmp_path, images):
    with working(tmp_path) as (work, _):
        assert train_point(point(images), work) is State.DONE
        folder = tmp_path / point(images).name
        names = {path.name for path in folder.iterdir()}
        assert names == {"config.json", "metrics.jsonl", "model.safetensors", RESULT}
        before = (folder / RESULT).read_bytes()
        assert train_point(point(images), work) is State.DONE  # not once more
        assert (folder / RESULT).read_bytes() == before
    told = json.loads(before)
    assert told["parameters"] == 10662
    assert set(told["gates"]["se3"]) == {
        "mean", "between_classes", "within_class", "hidden", "dead",
    }  # fmt: skip
    assert told["machine"]["threads"] == 1


@pytest.mark.parametrize("step", [1, 3, 4, 8])
def test_one_that_is_killed_goes_on_from_its_checkpoint_with_the_same_bits(
    tmp_path, images, undisturbed, monkeypatch, step
):
    with working(tmp_path, every=read_every("2 steps")) as (work, _):
        killed(monkeypatch, work, point(images), step)
        begun = State.WAITING if step == 1 else State.STOPPED  # a checkpoint comes every 2 steps
        assert point(images).state(tmp_path) is begun
        assert train_point(point(images), work) is State.DONE
    assert found(tmp_path, point(images)) == undisturbed


@pytest.mark.parametrize(
    "name", ["config.json", "checkpoint", "metrics", "model", "best", RESULT, "after"]
)
def test_one_that_is_killed_between_two_files_goes_on_with_the_same_bits(
    tmp_path, images, undisturbed, monkeypatch, name
):
    """Before a file is written, at the last time that this happens; or after all of them."""
    write = module.write_whole

    def killed(path, content):
        if path.name.startswith(name) and (name != "metrics" or b'"epoch": 2' in content):
            raise KilledError
        write(path, content)

    def clean(folder):
        raise KilledError

    with working(tmp_path) as (work, _):
        with monkeypatch.context() as patch:
            for place in ("minise.sweep.work", "minise.runs.run", "minise.files"):
                patch.setattr(f"{place}.write_whole", killed)
            if name == "after":
                patch.setattr(module, "_clean", clean)
            with pytest.raises(KilledError):
                train_point(point(images), work)
        state = point(images).state(tmp_path)
        assert (state is State.DONE) == (name == "after")
        assert train_point(point(images), work) is State.DONE
    assert found(tmp_path, point(images)) == undisturbed
    left = {path.name for path in (tmp_path / point(images).name).iterdir()}
    assert left == {"config.json", "metrics.jsonl", "model.safetensors", RESULT}


def test_one_that_is_stopped_keeps_a_checkpoint_and_goes_on(
    tmp_path, images, undisturbed, monkeypatch
):
    monkeypatch.setattr(module, "LOOK", 0.0)
    with working(tmp_path) as (work, lock):
        on_step = module._Stop.on_step

        def ask(self, step):
            if (step.epoch, step.images) == (2, 120):
                lock.tell(stop=True, now=True)
            on_step(self, step)

        with monkeypatch.context() as patch:
            patch.setattr(module._Stop, "on_step", ask)
            assert train_point(point(images), work) is State.STOPPED
        folder = tmp_path / point(images).name
        assert not (folder / ".lock").exists()
        state = read_tensors(folder / "checkpoint.safetensors")
        assert json.loads(state.metadata["training"])["steps"] == 2
        assert train_point(point(images), work) is State.STOPPED  # is not begun again
        lock.tell(stop=False, now=True)
        assert train_point(point(images), work) is State.DONE
    assert found(tmp_path, point(images)) == undisturbed


def test_a_stop_that_comes_while_a_worker_prepares_leaves_nothing(tmp_path, images, monkeypatch):
    with working(tmp_path) as (work, lock):
        training_of = module.training_of

        def ask(*arguments):
            lock.tell(stop=True, now=True)
            return training_of(*arguments)

        monkeypatch.setattr(module, "training_of", ask)
        assert train_point(point(images), work) is State.STOPPED
        assert not list((tmp_path / point(images).name).iterdir())


def test_of_two_threads_one_trains_it(tmp_path, images):
    with working(tmp_path) as (work, _):
        states, barrier = [], threading.Barrier(2)

        def train():
            barrier.wait()
            states.append(train_point(point(images), work))

        threads = [threading.Thread(target=train) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert set(states) in ({State.RUNNING, State.DONE}, {State.DONE})


def test_one_that_another_process_took_over_is_left_alone(tmp_path, images, monkeypatch):
    folder = tmp_path / point(images).name
    other = Owner("elsewhere", 7, "", "token", {}).line()
    now = time.time

    def suspended(self, step):
        for path in folder.glob("*.*"):
            path.unlink()
        (folder / ".lock").write_bytes(other)
        monkeypatch.setattr(time, "time", lambda: now() + 2 * locks.SILENT)

    with working(tmp_path) as (work, _):
        monkeypatch.setattr(module._Stop, "on_step", suspended)
        assert train_point(point(images), work) is State.RUNNING
    assert [path.name for path in folder.iterdir()] == [".lock"]
    assert (folder / ".lock").read_bytes() == other


def test_one_that_goes_wrong_says_why_and_stops_no_other(tmp_path, images):
    wrong = point(images, lr=1e30, epochs=1)
    with working(tmp_path) as (work, _):
        assert work(wrong) is None
        assert wrong.state(tmp_path) is State.FAILED
        assert "try a smaller one" in wrong.failure(tmp_path)
        told = json.loads((tmp_path / wrong.name / FAILED).read_text())
        assert (told["traceback"], told["config"]) == (None, wrong.config._asdict())
        assert train_point(wrong, work) is State.FAILED


@pytest.mark.parametrize("error", [MemoryError("32 GB"), ValueError("what")])
def test_a_fault_is_told_with_its_traceback(tmp_path, images, monkeypatch, error):
    def fail(*arguments):
        raise error

    monkeypatch.setattr(module, "training_of", fail)
    with working(tmp_path) as (work, _):
        assert train_point(point(images), work) is State.FAILED
    told = json.loads((tmp_path / point(images).name / FAILED).read_text())
    assert told["error"] == f"{type(error).__name__}: {error}"
    assert "in fail" in told["traceback"]


def test_where_nothing_can_be_written_it_is_not_the_point_that_failed(
    tmp_path, images, monkeypatch, undisturbed
):
    def full(path, content):
        raise WriteError(f"{path}: cannot be written: No space left on device")

    with working(tmp_path) as (work, _):
        with monkeypatch.context() as patch:
            patch.setattr("minise.files.write_whole", full)
            assert "No space left on device (in process" in work(point(images))
        assert point(images).state(tmp_path) is State.WAITING
        assert train_point(point(images), work) is State.DONE
    assert found(tmp_path, point(images)) == undisturbed


def test_a_worker_that_has_other_images_marks_nothing(tmp_path, images):
    with working(tmp_path) as (work, _):
        other = point(images)._replace(images="0123")
        assert "are not those that the sweep was started with (0123)" in work(other)
        missing = point(images, data=str(tmp_path / "none.npz"))
        assert "none.npz" in work(missing)
        assert missing.state(tmp_path) is other.state(tmp_path) is State.WAITING


def test_images_that_change_while_others_are_in_use_are_not_learned_from(tmp_path):
    sources = [leave_images(tmp_path / f"{name}.npz") for name in "abc"]
    points = [point(source, epochs=1) for source in sources]
    with working(tmp_path / "sweep") as (work, _):
        assert [work(each) for each in points] == [None] * 3
        with np.load(sources[0]) as file:
            np.savez(sources[0], **dict(file) | {"x_train": 255 - file["x_train"]})
        other = points[0]._replace(config=points[0].config._replace(seed=1))
        assert "are not those that the sweep was started with" in work(other)
        assert other.state(tmp_path / "sweep") is State.WAITING


def test_a_worker_that_sees_another_folder_marks_nothing(tmp_path, images):
    with pytest.raises(InputError, match="not the folder of the sweep"):
        train_point(point(images), Work(tmp_path, ".driver-other"))
    assert not list(tmp_path.iterdir())


def test_what_kills_its_process_each_time_is_given_up(tmp_path, images, monkeypatch):
    """Its lock remains, as a dead process leaves it."""
    monkeypatch.setattr(locks.Lock, "release", die)
    with working(tmp_path) as (work, _), monkeypatch.context() as patch:
        patch.setattr(module, "Run", lambda *a, **k: (_ for _ in ()).throw(KilledError))
        for tries in range(1, module.MOST + 1):
            with pytest.raises(KilledError):
                train_point(point(images), work)
            assert point(images).tries(tmp_path) == tries
        assert train_point(point(images), work) is State.FAILED
    assert "was killed 5 times in succession, each time between step 0 and" in point(
        images
    ).failure(tmp_path)


def test_deaths_after_each_of_which_it_came_further_are_not_counted(
    tmp_path, images, undisturbed, monkeypatch
):
    with working(tmp_path, every=read_every("1 step")) as (work, _):
        for _ in range(6):
            killed(monkeypatch, work, point(images), 1)
            assert point(images).tries(tmp_path) == 1
        assert train_point(point(images), work) is State.DONE
    assert found(tmp_path, point(images)) == undisturbed


@pytest.mark.parametrize("kind", ["broken", "of another training"])
def test_a_checkpoint_that_cannot_be_used_is_told_and_kept(tmp_path, images, kind):
    other = point(images, seed=1)
    folder = tmp_path / point(images).name
    folder.mkdir()
    path = folder / "checkpoint.safetensors"
    if kind == "broken":
        path.write_bytes(b"what")
    else:
        training = runs.training_of(other.config, runs.dataset_of(other.config))
        runs.Run(folder / "other", training, other.config)
        shutil.move(folder / "other" / path.name, path)
    before = path.read_bytes()
    with working(tmp_path) as (work, _):
        assert train_point(point(images), work) is State.FAILED
    told = point(images).failure(tmp_path)
    assert str(path) in told
    assert told.endswith("without that file it is trained from the beginning")
    assert path.read_bytes() == before


def test_one_that_goes_on_elsewhere_says_so_in_its_result(tmp_path, images, monkeypatch):
    """And still does where it is stopped and goes on for a second time."""
    now = runs.run.versions()
    with working(tmp_path, every=read_every("1 step")) as (work, _):
        for change in ({}, {"numpy": "1.2.3"}, {"numpy": "1.2.3"}):
            with monkeypatch.context() as patch:
                patch.setattr("minise.runs.run.versions", lambda c=change: now | c)
                killed(patch, work, point(images), 2)
        monkeypatch.setattr("minise.runs.run.versions", lambda: now | {"numpy": "1.2.3"})
        assert train_point(point(images), work) is State.DONE
    told = json.loads((tmp_path / point(images).name / RESULT).read_text())
    assert told["resumed_with_differences"] == [f"NumPy was {now['numpy']}, is now 1.2.3"]


def test_one_that_went_on_where_it_was_has_no_differences(tmp_path, images, monkeypatch):
    with working(tmp_path, every=read_every("1 step")) as (work, _):
        killed(monkeypatch, work, point(images), 3)
        assert train_point(point(images), work) is State.DONE
    told = json.loads((tmp_path / point(images).name / RESULT).read_text())
    assert "resumed_with_differences" not in told


def test_images_are_read_once_for_many_points(tmp_path, images, monkeypatch):
    images_module.loaded.cache_clear()
    images_module.images_of.cache_clear()
    load, loaded = images_module.data.load, []
    monkeypatch.setattr(
        images_module.data, "load", lambda source: loaded.append(source) or load(source)
    )
    with working(tmp_path) as (work, _):
        for seed in range(3):
            train_point(point(images, epochs=1, seed=seed), work)
    assert loaded == [str(images)]
