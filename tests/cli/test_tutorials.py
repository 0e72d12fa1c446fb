"""`minise tutorials` copies all notebooks and their table, or nothing, and overwrites nothing."""

from pathlib import Path

import pytest

import minise as package
from minise import InputError
from minise.cli import tutorials

HERE = tutorials.find_notebooks(Path(package.__file__).parent)
TABLES = tutorials.find_tables(HERE)


def test_all_notebooks_are_copied_as_they_are(minise, tmp_path):
    code, out, err = minise("tutorials")
    assert (code, err) == (0, "")
    copied = {path.name: path.read_bytes() for path in (tmp_path / "minise-tutorials").iterdir()}
    assert copied == {path.name: path.read_bytes() for path in [*HERE, *TABLES]}
    assert [path.name for path in TABLES] == ["ablations.csv"]
    assert out.splitlines() == [
        f"minise-tutorials: {len(HERE)} notebooks, the first is {HERE[0].name}",
        "To work in them:",
        "  python -m pip install jupyterlab",
        "  jupyter lab minise-tutorials",
    ]


@pytest.mark.effect("minise tutorials FOLDER")
def test_a_folder_of_ones_own_may_hold_other_files(minise, tmp_path):
    folder = tmp_path / "my own" / "notes"
    folder.mkdir(parents=True)
    (folder / "precious.txt").write_text("text")
    code, out, err = minise("tutorials", folder)
    assert (code, err) == (0, "")
    assert f"jupyter lab '{folder}'" in out  # as a shell takes a name with a space
    assert (folder / "precious.txt").read_text() == "text"
    assert len(list(folder.iterdir())) == len(HERE) + len(TABLES) + 1


def test_nothing_is_overwritten_and_nothing_copied_beside_it(minise, tmp_path):
    mine = tmp_path / "minise-tutorials" / HERE[-1].name
    mine.parent.mkdir()
    mine.write_text("solved")
    code, out, err = minise("tutorials")
    assert (code, out) == (1, "")
    assert err.startswith(f"minise: minise-tutorials/{mine.name}: exists already")
    assert err.count("\n") == 1
    assert [path.read_text() for path in mine.parent.iterdir()] == ["solved"]


def test_a_folder_that_cannot_be_made_is_one_clear_line(minise, tmp_path):
    (tmp_path / "file").write_text("")
    for folder in ("file", "file/in"):
        code, _, err = minise("tutorials", folder)
        assert code == 1
        assert err.startswith(f"minise: {folder}: cannot be written to: ")


def test_what_was_copied_goes_again_when_a_later_one_fails(tmp_path, monkeypatch):
    write_whole = tutorials.write_whole

    def full(path, content):
        if path.name == HERE[2].name:
            raise InputError(f"{path}: cannot be written: No space left on device")
        write_whole(path, content)

    monkeypatch.setattr(tutorials, "write_whole", full)
    with pytest.raises(InputError, match="No space left"):
        tutorials.copy_all(HERE, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_notebooks_in_the_package_come_before_those_beside_it(tmp_path):
    package = tmp_path / "minise"
    package.mkdir()
    with pytest.raises(InputError, match="not in this installation"):
        tutorials.find_notebooks(package)
    for folder in (tmp_path / "tutorials", package / "tutorials"):
        folder.mkdir()
        for name in ("02-b.ipynb", "01-a.ipynb", "index.md", "Untitled.ipynb"):
            (folder / name).write_text("{}")
        assert tutorials.find_notebooks(package) == [folder / "01-a.ipynb", folder / "02-b.ipynb"]


def test_the_command_explains_itself(minise):
    code, out, err = minise("tutorials", "--help")
    assert (code, err) == (0, "")
    assert out.startswith("Usage: minise tutorials")
