import re
import threading
from multiprocessing import get_context

import pytest

from minise import InputError, runs
from minise.runs.folder import LOCK, check_empty, claimed

TOGETHER = 4


def at_once(work):
    """What `work` gives in each of several threads that begin in the same moment."""
    barrier, given = threading.Barrier(TOGETHER), []

    def begin():
        barrier.wait()
        given.append(work())

    threads = [threading.Thread(target=begin) for _ in range(TOGETHER)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return given


def test_of_several_that_begin_at_once_each_gets_a_folder_of_its_own(tmp_path):
    for k in range(1, 6):
        given = at_once(lambda k=k: runs.next_folder("se-cnn", tmp_path / "runs" / str(k)))
        names = [f"se-cnn-{number}" for number in range(1, TOGETHER + 1)]
        assert sorted(folder.name for folder in given) == names


def test_a_file_where_the_runs_should_be_is_told(tmp_path):
    (tmp_path / "runs").write_text("")
    with pytest.raises(InputError, match="runs/se-cnn-1: cannot be created: "):
        runs.next_folder("se-cnn", tmp_path / "runs")


def claim_in_another_process(path, taken, answers):
    for name in iter(taken.get, None):
        try:
            with claimed(path / name, "se-cnn"):
                answers.put("mine")
                taken.get()  # until all have tried
        except InputError as error:
            answers.put(str(error))
            taken.get()


def test_of_several_processes_that_want_the_same_folder_one_gets_it(tmp_path):
    context = get_context("spawn")
    answers, taken = context.Queue(), [context.Queue() for _ in range(2)]
    processes = [
        context.Process(target=claim_in_another_process, args=(tmp_path, queue, answers))
        for queue in taken
    ]
    for process in processes:
        process.start()
    try:
        for k in range(10):
            for queue in taken:
                queue.put(str(k))
            mine, other = sorted((answers.get(timeout=300) for _ in processes), key=len)
            pids = "|".join(str(process.pid) for process in processes)
            pattern = rf"/{k}: process ({pids}) on .+ is training in it, since 20\S+$"
            assert mine == "mine"
            assert re.search(pattern, other) or other.endswith("another process is training in it")
            for queue in taken:
                queue.put("done")
    finally:
        for queue in taken:
            queue.put(None)
        for process in processes:
            process.join(timeout=300)


def test_a_folder_into_which_nothing_came_is_gone_again(tmp_path):
    deep = tmp_path / "deep" / "run"
    with claimed(deep, "se-cnn"):
        assert [path.name for path in deep.iterdir()] == [LOCK]
        check_empty(deep)
    assert not (tmp_path / "deep").exists()
    with pytest.raises(KeyboardInterrupt), claimed(deep, "se-cnn"):
        raise KeyboardInterrupt
    assert not (tmp_path / "deep").exists()
    with claimed(deep, "se-cnn"):
        (deep / "file").write_text("")
    assert [path.name for path in deep.iterdir()] == ["file"]


def test_without_a_name_it_is_the_next_that_is_free(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with claimed(None, "se-cnn") as first, claimed(None, "se-cnn") as second:
        assert [claim.folder.as_posix() for claim in (first, second)] == [
            "runs/se-cnn-1",
            "runs/se-cnn-2",
        ]
    assert not (tmp_path / "runs").exists()


def test_a_folder_that_is_claimed_twice_is_refused_the_second_time(tmp_path):
    with claimed(tmp_path, "se-cnn", resumed=True):
        for resumed in (True, False):
            with (
                pytest.raises(InputError, match="is training in it"),
                claimed(tmp_path, "se-cnn", resumed=resumed),
            ):
                pytest.fail("claimed twice")
    with claimed(tmp_path, "se-cnn", resumed=True):
        pass


def test_what_is_in_a_folder_is_left_alone_unless_a_run_is_resumed_there(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match="holds files"), claimed(tmp_path, "se-cnn"):
        pytest.fail("claimed")
    with claimed(tmp_path, "se-cnn", resumed=True) as claim:
        assert claim.folder == tmp_path
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_what_a_killed_run_left_locks_nobody_out(tmp_path):
    (tmp_path / LOCK).write_text("")
    with claimed(tmp_path, "se-cnn"):
        pass
    assert not list(tmp_path.iterdir())
