"""Jobs of Slurm, submitted with the package submitit."""

from __future__ import annotations

import contextlib
import io
import math
import shutil
import signal
import subprocess
import time
from collections.abc import Generator, Iterable, Mapping
from types import FrameType
from typing import Any, NamedTuple

from minise.errors import InputError
from minise.nearest import nearest
from minise.sweep.engines import TICK
from minise.sweep.point import Point, State
from minise.sweep.task import Task, minise_here
from minise.sweep.work import ORPHANED, Work

# What `--slurm` may say, and its type. submitit's names; sbatch itself reads others from variables
# such as SBATCH_RESERVATION.
SLURM = {
    "partition": str,
    "timeout_min": int,
    "mem_gb": float,
    "cpus_per_task": int,
    "array_parallelism": int,
    "account": str,
    "qos": str,
    "constraint": str,
    "nodelist": str,
    "exclude": str,
}
LOGS = ".slurm"  # the folder of scripts and logs of jobs, in that of the sweep
WARNING = 30  # seconds before its time is up in which a job is asked to stop
LOOK = 5.0  # seconds between two questions which jobs are left
PATIENCE = 600.0  # seconds without an answer to them after which the sweep ends
PARALLEL = 256  # jobs that submitit lets run at the same time, where nothing is said
ARRAY = 500  # jobs that are submitted at once; Slurm's own limit is usually 1,000


class Job(NamedTuple):
    """A `Task` in a process of its own, which Slurm asks to end."""

    task: Task

    def __call__(self, point: Point) -> str | None:
        """As `Task`. The training stops after its step when the job's time is nearly up."""
        for number in (signal.SIGTERM, signal.SIGUSR2):  # scancel's, and what submitit asks for
            signal.signal(number, _stop)
        return self.task(point)


def _stop(number: int, frame: FrameType | None) -> None:
    signal.signal(number, signal.SIG_IGN)
    ORPHANED.set()


def read_slurm(given: Iterable[str]) -> dict[str, Any]:
    """From words such as "partition=cpu". Raises `InputError` for what is not in `SLURM`."""
    values: dict[str, Any] = {}
    for text in given:
        name, equals, value = text.partition("=")
        if name not in SLURM:
            raise InputError(f"--slurm: {nearest('name', name, list(SLURM))}")
        if not equals or not value:
            raise InputError(f"--slurm {text}: expected a value, as in {name}=…")
        try:
            values[name] = SLURM[name](value)
        except ValueError:
            raise InputError(f"--slurm {text}: expected a number") from None
        if SLURM[name] is not str and not 0 < values[name] < math.inf:
            raise InputError(f"--slurm {text}: expected a number above 0")
    if values.get("timeout_min", 2) < 2:
        raise InputError(
            "--slurm timeout_min=1: expected at least 2: Slurm may ask a job to stop a minute early"
        )
    return values


class Slurm:
    """Jobs of Slurm, one for each point, submitted as arrays.

    A job whose time is up stops after its step; the next round submits its point again. Raises
    `InputError` where submitit or Slurm is missing.
    """

    def __init__(self, parameters: Mapping[str, Any]) -> None:
        try:
            import submitit  # noqa: F401
        except ImportError as error:
            raise InputError(
                f"--slurm needs the package submitit: python -m pip install submitit ({error})"
            ) from None
        if missing := [name for name in ("sbatch", "srun", "squeue") if not shutil.which(name)]:
            raise InputError(
                f"--slurm: no {missing[0]} on this machine; type it where you submit jobs to Slurm"
            )
        self.parameters = {"cpus_per_task": 1, "timeout_min": 60} | dict(parameters)
        self.workers = self.parameters.get("array_parallelism", PARALLEL)

    def train(self, points: Iterable[Point], work: Work) -> Generator[str | None, None, None]:
        """See `Engine`."""
        points = list(points)
        for begin in range(0, len(points), ARRAY):
            if not work.stopped:
                yield from self._array(points[begin : begin + ARRAY], work)

    def _array(self, points: list[Point], work: Work) -> Generator[str | None, None, None]:
        left = self._submit(points, work)
        first, idle = left[0], len(left)  # jobs that left nothing behind
        looked = heard = time.monotonic()
        stopping = False
        try:
            while left:
                yield None
                time.sleep(TICK)
                if work.stopped and not stopping:
                    stopping = True
                    _cancel(left, "--state=PENDING")
                if time.monotonic() - looked < LOOK:
                    continue
                queued, looked = _queued(), time.monotonic()
                if queued is not None:
                    heard = looked
                elif looked - heard > PATIENCE:
                    raise InputError(
                        f"--slurm: squeue has failed for {PATIENCE / 60:.0f} minutes: see what it "
                        "says; once it lists your jobs again, the same command continues"
                    )
                for job in [job for job in left if queued is not None and job.job_id not in queued]:
                    left.remove(job)
                    if job.paths.result_pickle.exists():
                        idle -= 1
                        yield _said(job)
        finally:
            _cancel(left)
        began = idle < len(points) or any(p.state(work.sweep) is not State.WAITING for p in points)
        if not began and not stopping:
            yield (
                f"the jobs of Slurm end before they begin to train: {_last_line(first)} (see "
                f"{first.paths.stderr})"
            )

    def _submit(self, points: list[Point], work: Work) -> list[Any]:
        from submitit import SlurmExecutor
        from submitit.core.utils import FailedJobError

        given = dict(self.parameters)
        if "mem_gb" in given:
            # rounded up: of 0MB Slurm makes all memory of a machine
            given["mem"] = f"{math.ceil(1024 * given.pop('mem_gb'))}MB"
        executor = SlurmExecutor(work.sweep / LOGS)
        executor.update_parameters(
            job_name="minise", signal_delay_s=WARNING, time=given.pop("timeout_min"), **given
        )
        job: Any = Job(Task(work, minise_here()))
        try:
            with contextlib.redirect_stderr(io.StringIO()):
                return list(executor.map_array(job, points))
        except FailedJobError as error:  # what sbatch said
            told = str(error).strip().rpartition("\n")[2].removeprefix("sbatch: error: ")
            raise InputError(f"--slurm: sbatch takes no jobs: {told}") from None
        except OSError as error:
            raise InputError(
                f"{work.sweep / LOGS}: cannot be written to: {error.strerror}"
            ) from None


def _said(job: Any) -> str | None:
    """What a job returned; where it did so, its files are removed."""
    try:
        said: str | None = job.result()
    except Exception:  # its own, or that it left nothing: the log has it
        return f"a job of Slurm could not take a point: {_last_line(job)} (see {job.paths.stderr})"
    if said is None:
        for path in (
            job.paths.submitted_pickle,
            job.paths.result_pickle,
            job.paths.stdout,
            job.paths.stderr,
        ):
            path.unlink(missing_ok=True)
    return said


def _last_line(job: Any) -> str:
    """Of its log, and not of srun, which only says that something went wrong."""
    lines = (job.stderr() or "").strip().splitlines()
    own = [line for line in lines if not line.startswith(("srun:", "slurmstepd:"))]
    return (own or lines or ["they write nothing"])[-1]


def _queued() -> set[str] | None:
    """The jobs of this user that wait or run; None where Slurm does not say."""
    states = "PENDING,RUNNING,SUSPENDED,CONFIGURING,COMPLETING,STOPPED"
    command = ["squeue", "--me", "--noheader", "--array", "--format=%i", f"--states={states}"]
    try:
        done = subprocess.run(command, capture_output=True, encoding="utf-8", timeout=60)
    except subprocess.TimeoutExpired:
        return None
    return None if done.returncode else set(done.stdout.split())


def _cancel(jobs: list[Any], *options: str) -> None:
    if jobs:
        command = ["scancel", *options, *(job.job_id for job in jobs)]
        with contextlib.suppress(OSError, subprocess.TimeoutExpired):
            subprocess.run(command, capture_output=True, timeout=60)
