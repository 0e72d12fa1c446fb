"""minise has types for others: their code is checked against the package as it is installed."""

import re
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
USERS = Path(__file__).with_name("users_code.py")


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """The interpreter of an environment that has minise from its wheel, and all else from ours."""
    folder = tmp_path_factory.mktemp("installed")
    _run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder, cwd=ROOT)
    (wheel,) = folder.glob("*.whl")
    _run(sys.executable, "-m", "venv", "--without-pip", folder / "venv")
    scripts = "Scripts" if sys.platform == "win32" else "bin"
    python = folder / "venv" / scripts / Path(sys.executable).name
    ask = "import sysconfig; print(sysconfig.get_path('purelib'))"
    packages = Path(_run(python, "-c", ask).strip())
    zipfile.ZipFile(wheel).extractall(packages)
    (packages / "ours.pth").write_text(sysconfig.get_path("purelib"), encoding="utf-8")
    return python


def _run(*command, cwd=None):
    done = subprocess.run(list(map(str, command)), cwd=cwd, capture_output=True, encoding="utf-8")
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.slow
def test_what_users_write_has_the_types_that_it_should_have(installed, tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--python-executable", installed,
         "--config-file", "", "--cache-dir", tmp_path / "cache", USERS],
        cwd=tmp_path, capture_output=True, encoding="utf-8",
    )  # fmt: skip
    found = re.findall(r":(\d+): error: .*\[(.*)\]$", done.stdout, re.MULTILINE)
    lines = USERS.read_text(encoding="utf-8").splitlines()
    wanted = [
        (str(number), line.rpartition("# wrong: ")[2])
        for number, line in enumerate(lines, start=1)
        if "# wrong: " in line
    ]
    assert len(wanted) == 6
    assert found == wanted, done.stdout + done.stderr
