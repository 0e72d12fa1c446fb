import json
import os
import subprocess
import sys

import fake_slurm
import pytest
from click.testing import CliRunner
from sweeping import config, epochs_done, found, leave_images, waiting, working

from minise import InputError
from minise.cli import cli
from minise.sweep import slurm as module
from minise.sweep.point import RESULT, State
from minise.sweep.slurm import Slurm, read_slurm
from minise.sweep.sweep import Sweep
from minise.sweep.work import train_point

on_posix = pytest.mark.skipif(os.name == "nt", reason="Slurm is not for Windows")


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    return leave_images(tmp_path_factory.mktemp("images") / "own.npz")


@pytest.fixture
def slurm(tmp_path, monkeypatch):
    """Commands that stand in for Slurm's."""
    fake_slurm.put_on_path(tmp_path / "slurm", monkeypatch)
    monkeypatch.setattr(module, "LOOK", 0.2)
    return tmp_path / "slurm"


def sweep_of(images, folder, *seeds, **options):
    return Sweep([config(images, seed=seed, **{"epochs": 1} | options) for seed in seeds], folder)


def test_parameters_have_the_types_of_their_names():
    given = ["partition=cpu", "timeout_min=60", "mem_gb=1.5"]
    assert read_slurm(given) == {"partition": "cpu", "timeout_min": 60, "mem_gb": 1.5}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("partitoin=cpu", "--slurm: unknown name 'partitoin': did you mean 'partition'"),
        ("partition", "--slurm partition: expected a value, as in partition="),
        ("timeout_min=1h", "--slurm timeout_min=1h: expected a number"),
        ("mem_gb=nan", "--slurm mem_gb=nan: expected a number above 0"),
        ("mem_gb=inf", "--slurm mem_gb=inf: expected a number above 0"),
        ("cpus_per_task=0", "--slurm cpus_per_task=0: expected a number above 0"),
        ("timeout_min=1", "--slurm timeout_min=1: expected at least 2"),
    ],
)
def test_other_parameters_are_refused(given, message):
    with pytest.raises(InputError) as caught:
        read_slurm([given])
    assert str(caught.value).startswith(message)


def test_it_is_told_what_is_missing(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InputError, match="--slurm: no sbatch on this machine"):
        Slurm({})
    monkeypatch.setitem(sys.modules, "submitit", None)
    with pytest.raises(InputError, match="the package submitit: python -m pip install submitit"):
        Slurm({})


@on_posix
def test_what_sbatch_refuses_is_told(slurm, images, tmp_path, capfd):
    task = sweep_of(images, tmp_path / "sweep", 0, 1)
    with pytest.raises(InputError, match=r"sbatch takes no jobs: .*Invalid partition name"):
        task.run(Slurm(read_slurm(["partition=nowhere"])))
    assert capfd.readouterr() == ("", "")


@on_posix
def test_jobs_find_what_this_process_does(slurm, images, tmp_path):
    alone = sweep_of(images, tmp_path / "alone", 0, 1)
    with working(alone.folder) as (work, _):
        for point in alone.points:
            train_point(point, work)
    task = sweep_of(images, tmp_path / "sweep", 0, 1)
    assert task.run(Slurm(read_slurm(["mem_gb=1.9999", "partition=cpu"]))) == {State.DONE: 2}
    for point in task.points:
        assert found(task.folder, point) == found(alone.folder, point)
        told = json.loads((task.folder / point.name / RESULT).read_text(encoding="utf-8"))
        assert told["machine"]["threads"] == 1
    script = (slurm / "1.array").read_text(encoding="utf-8")
    for flag in ("cpus-per-task=1", "time=60", "mem=2048MB", "partition=cpu", "job-name=minise"):
        assert f"#SBATCH --{flag}\n" in script
    # of jobs that went well only the scripts stay
    assert {path.suffix for path in (task.folder / module.LOGS).iterdir()} <= {".sh", ".pkl"}
    assert not list((task.folder / module.LOGS).glob("*_log.*"))


@on_posix
@pytest.mark.slow
def test_a_job_whose_time_is_up_goes_on_in_another(slurm, images, tmp_path, monkeypatch):
    task, go = sweep_of(images, tmp_path / "sweep", 0, epochs=4), tmp_path / "go"
    monkeypatch.setattr(module, "Job", waiting(module.Job, go))
    (point,) = task.points

    def show():
        if not go.exists() and epochs_done(task.folder, point) == 2:
            subprocess.run(["scancel", "--signal=USR2", "1"], check=True)
            go.touch()

    assert task.run(Slurm({}), show) == {State.DONE: 1}
    assert (slurm / "2.array").exists()
    starts = json.loads((task.folder / point.name / "config.json").read_text("utf-8"))["starts"]
    assert len(starts) == 2


@on_posix
def test_jobs_that_end_before_they_begin_stop_the_sweep(slurm, images, tmp_path):
    task = sweep_of(images, tmp_path / "sweep", 0, 1)
    (slurm / "srun").write_text("#!/bin/sh\nexit 1\n", encoding="utf-8")
    with pytest.raises(InputError, match="the jobs of Slurm end before they begin to train: they"):
        task.run(Slurm({}))


@on_posix
def test_where_squeue_fails_the_sweep_ends(slurm, images, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "PATIENCE", 0.3)
    (slurm / "squeue").write_text("#!/bin/sh\nexit 1\n", encoding="utf-8")
    (slurm / "srun").write_text("#!/bin/sh\nexit 1\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"squeue has failed for .* the same command continues"):
        sweep_of(images, tmp_path / "sweep", 0).run(Slurm({}))


@pytest.mark.effect("minise sweep --slurm")
def test_the_command_refuses_parameters_before_it_begins(images, tmp_path):
    words = ["sweep", "--data", str(images), "--out", str(tmp_path / "sweep")]
    done = CliRunner().invoke(cli, [*words, "--slurm", "memgb=3"])
    assert done.exit_code == 2
    assert "--slurm: unknown name 'memgb': did you mean 'mem_gb'?" in done.output
    assert not (tmp_path / "sweep").exists()


@on_posix
def test_a_full_disk_is_told(slurm, images, tmp_path, monkeypatch):
    import submitit

    def full(self, function, points):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(submitit.SlurmExecutor, "map_array", full)
    with pytest.raises(InputError, match=r"\.slurm: cannot be written to: No space left on device"):
        sweep_of(images, tmp_path / "sweep", 0).run(Slurm({}))
