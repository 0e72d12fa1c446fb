"""What submitit and minise call of Slurm, as one script under four names: jobs run at once, here.

Jobs are files in the folder $FAKE_SLURM while they run. The script stands in for `sbatch`, `srun`,
`squeue` and `scancel`, with those options alone that are given.
"""

import os
import re
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

NAMES = ("sbatch", "srun", "squeue", "scancel")


def put_on_path(folder, monkeypatch):
    """Let this process find the commands."""
    (folder / "jobs").mkdir(parents=True)
    for name in NAMES:
        script = folder / name
        script.write_text(
            f'#!/bin/sh\nexec {sys.executable} {__file__} {name} "$@"\n', encoding="utf-8"
        )
        script.chmod(0o755)
    monkeypatch.setenv("FAKE_SLURM", str(folder / "jobs"))
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")


def sbatch(jobs, script):
    text = Path(script).read_text(encoding="utf-8")
    if "--partition=nowhere" in text:
        sys.exit("sbatch: error: Batch job submission failed: Invalid partition name specified")
    number = len(list(jobs.parent.glob("*.array"))) + 1
    (jobs.parent / f"{number}.array").write_text(text, encoding="utf-8")
    array = re.search(r"--array=0-(\d+)", text)
    for task in range(int(array[1]) + 1) if array else [None]:
        name, its = f"{number}", {"SLURM_JOB_ID": f"{number}"}
        if task is not None:
            name = f"{number}_{task}"
            its |= {"SLURM_ARRAY_JOB_ID": f"{number}", "SLURM_ARRAY_TASK_ID": f"{task}"}
        (jobs / name).touch()
        process = subprocess.Popen(
            ["sh", "-c", f"trap '' TERM USR2; bash {script}; rm -f {jobs / name}"],
            env=os.environ | its,
            start_new_session=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        with suppress(FileNotFoundError), (jobs / name).open("r+", encoding="utf-8") as file:
            file.write(f"{process.pid}")  # unless it has ended, and its file is gone
    print(f"Submitted batch job {number}")


def srun(jobs, *words):
    """Become the command, which writes into the files of --output and --error."""
    words = list(words)
    here = {"%j": "SLURM_JOB_ID", "%A": "SLURM_ARRAY_JOB_ID", "%a": "SLURM_ARRAY_TASK_ID"}
    while words[0].startswith("--"):
        option = words.pop(0)
        if option in ("--output", "--error"):
            path = words.pop(0).replace("%t", "0")
            for sign, variable in here.items():
                path = path.replace(sign, os.environ.get(variable, ""))
            file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
            os.dup2(file, 1 if option == "--output" else 2)
    os.execvp(words[0], words)


def squeue(jobs, *words):
    print("\n".join(path.name for path in jobs.iterdir()))


def scancel(jobs, *words):
    if "--state=PENDING" in words:  # here none waits
        return
    number = signal.SIGTERM
    for word in words:
        if word.startswith("--signal="):
            number = signal.Signals[f"SIG{word.partition('=')[2]}"]
        elif (jobs / word).exists():
            os.killpg(int((jobs / word).read_text(encoding="utf-8")), number)


if __name__ == "__main__":
    globals()[sys.argv[1]](Path(os.environ["FAKE_SLURM"]), *sys.argv[2:])
