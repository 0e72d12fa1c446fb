"""What pip is told: which Numba goes where, and that minise has types."""

import importlib.resources
import re
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement

import minise

PROJECT = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text(encoding="utf-8"))


def numbas(system, machine, python):
    """The requirements of Numba that hold there."""
    environment = {"sys_platform": system, "platform_machine": machine, "python_version": python}
    requirements = map(Requirement, PROJECT["project"]["dependencies"])
    return [
        requirement.specifier
        for requirement in requirements
        if requirement.name == "numba"
        and (requirement.marker is None or requirement.marker.evaluate(environment))
    ]


# tests/wheels/run asks the registry whether this is still so
@pytest.mark.parametrize("python", ["3.11", "3.12", "3.13", "3.14"])
@pytest.mark.parametrize(
    ("system", "machine"),
    [
        ("linux", "x86_64"),
        ("linux", "aarch64"),
        ("darwin", "arm64"),
        ("win32", "AMD64"),
        ("win32", "ARM64"),
        ("darwin", "x86_64"),
    ],
)
def test_numba_is_asked_for_where_it_has_wheels(system, machine, python):
    found = numbas(system, machine, python)
    if (system, machine, python) in [("darwin", "x86_64", "3.14"), ("win32", "ARM64", "3.11")]:
        assert not found
        return
    (versions,) = found
    assert versions.contains("0.62.1")
    assert versions.contains("0.63.1") == versions.contains("0.68.1")
    assert versions.contains("0.68.1") == ((system, machine) != ("darwin", "x86_64"))


def test_minise_has_types_for_others_too():
    assert (importlib.resources.files("minise") / "py.typed").is_file()


def test_the_version_has_one_source():
    assert "version" not in PROJECT["project"]
    assert PROJECT["project"]["dynamic"] == ["version"]
    source = Path(__file__).parents[1] / PROJECT["tool"]["hatch"]["version"]["path"]
    found = re.findall(r'^__version__ = "(\d+\.\d+\.\d+)"', source.read_text(), re.MULTILINE)
    # what was installed says the same; `minise --version` is in tests/cli
    assert found == [minise.__version__] == [metadata.version("minise")]
