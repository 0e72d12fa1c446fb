import os

import pytest

from minise import cores
from minise.cores import most_threads

COUNT = 64


@pytest.fixture
def machine(monkeypatch, tmp_path):
    """A machine of 64 processors, whose cgroups are files that a test writes."""
    monkeypatch.setattr(os, "environ", {})  # Numba would see it if the true one were changed
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(COUNT)), raising=False)
    monkeypatch.setattr(cores, "CGROUPS", tmp_path / "cgroup")
    monkeypatch.setattr(cores, "OF_PROCESS", tmp_path / "self")

    def write(path, text):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)

    most_threads.cache_clear()
    yield write
    most_threads.cache_clear()


@pytest.mark.parametrize(
    ("files", "count"),
    [
        ({}, COUNT),
        ({"cgroup/cpu.max": "200000 100000\n"}, 2),  # a container sees its own group as the root
        ({"cgroup/cpu.max": "max 100000\n"}, COUNT),
        ({"cgroup/cpu.max": "150000 100000\n"}, 2),
        ({"cgroup/cpu.max": "5000 100000\n"}, 1),
        ({"cgroup/cpu.max": "nonsense"}, COUNT),
        ({"self": "0::/user/app\n", "cgroup/user/app/cpu.max": "300000 100000\n"}, 3),
        (
            {
                "self": "0::/user/app\n",
                "cgroup/user/app/cpu.max": "max 100000",
                "cgroup/user/cpu.max": "400000 100000",
            },
            4,
        ),
        ({"cgroup/cpu/cpu.cfs_quota_us": "-1", "cgroup/cpu/cpu.cfs_period_us": "100000"}, COUNT),
        ({"cgroup/cpu/cpu.cfs_quota_us": "250000", "cgroup/cpu/cpu.cfs_period_us": "100000"}, 3),
        (
            {
                "self": "7:cpu,cpuacct:/docker/1\n1:memory:/x\n",
                "cgroup/cpu/docker/1/cpu.cfs_quota_us": "500000",
                "cgroup/cpu/docker/1/cpu.cfs_period_us": "100000",
            },
            5,
        ),
    ],
)
def test_a_container_has_as_many_as_it_was_given(machine, files, count):
    for path, text in files.items():
        machine(path, text)
    assert cores.cores() == count


def test_what_a_process_is_bound_to_counts(machine, monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {3, 5, 9})
    assert cores.cores() == 3
    machine("cgroup/cpu.max", "200000 100000")
    assert cores.cores() == 2


def test_elsewhere_all_of_the_machine_count(machine, monkeypatch):
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(os, "cpu_count", lambda: 12)
    assert cores.cores() == 12


def test_who_asks_for_a_number_gets_it(machine, monkeypatch):
    os.environ["NUMBA_NUM_THREADS"] = "100"
    assert cores.cores() == 100
    assert most_threads() == 100
    os.environ["NUMBA_NUM_THREADS"] = "200"
    assert most_threads() == 100, "kernels have made room for as many"
