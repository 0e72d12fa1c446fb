import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import minise
from minise import backend
from minise.runs import environment
from minise.runs.environment import differences, versions

THEN = versions()


@pytest.fixture
def copy(tmp_path, monkeypatch):
    """The sources in a folder of their own, where they may be changed."""
    room = tmp_path / "minise"
    shutil.copytree(Path(minise.__file__).parent, room, ignore=shutil.ignore_patterns("sample"))
    monkeypatch.setattr(environment, "ROOM", room)
    return room


def digest():
    return environment.sources.__wrapped__()


def test_what_bits_depend_on_is_known():
    assert list(THEN) == list(environment.NAMES)
    assert THEN["minise"] == minise.__version__
    assert len(THEN["sources"]) == 16
    with backend.using("numpy"):
        assert versions()["features"] is None  # nothing is compiled


@pytest.mark.parametrize(
    "name", ["ops/conv.py", "kernels/numba/conv.py", "kernels/cupy/conv.cu", "runs/config.py"]
)
def test_the_digest_changes_with_a_source_that_numbers_come_from(copy, name):
    before = digest()
    assert before == THEN["sources"]
    with (copy / name).open("a") as file:
        file.write("\n")
    assert digest() != before


def test_the_digest_knows_a_file_that_is_new_renamed_or_gone(copy):
    digests = [digest()]
    (copy / "ops" / "new.py").write_text("")
    digests.append(digest())
    (copy / "ops" / "new.py").rename(copy / "ops" / "old.py")
    digests.append(digest())
    assert len(set(digests)) == 3
    (copy / "ops" / "old.py").unlink()
    assert digest() == digests[0]


def test_the_digest_does_not_change_with_what_only_shows(copy):
    before = digest()
    for room in environment.ASIDE:
        (copy / room / "new.py").write_text("1")
    (copy / "ops" / "notes.txt").write_text("1")
    for path in copy.glob("nn/*.py"):  # as Git may write them on Windows
        path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    assert digest() == before


def test_no_source_that_counts_uses_one_that_does_not():
    aside = re.compile(
        rf"^ *(?:from|import) minise\.({'|'.join(environment.ASIDE)})\b", re.MULTILINE
    )
    together = re.compile(
        rf"^ *from minise import .*\b({'|'.join(environment.ASIDE)})\b", re.MULTILINE
    )
    using = [
        str(path.relative_to(environment.ROOM))
        for path in environment.ROOM.rglob("*.py")
        if path.relative_to(environment.ROOM).parts[0] not in environment.ASIDE
        and any(kind.search(path.read_text(encoding="utf-8")) for kind in (aside, together))
    ]
    assert sorted(using) == ["__init__.py", "__main__.py"]  # which name all that is there


def test_without_files_there_is_no_digest(tmp_path, monkeypatch):
    monkeypatch.setattr(environment, "ROOM", tmp_path / "minise.zip" / "minise")
    assert digest() is None


def test_what_differs_is_named():
    assert differences(THEN, THEN) == []
    told = f"NumPy was 2.0.0, is now {THEN['numpy']}"
    assert differences(THEN | {"numpy": "2.0.0"}, THEN) == [told]
    then, now = (THEN | {"features": features} for features in ("avx avx2 sse", "avx sse4a sse"))
    assert differences(then, now) == ["the processor's features are now without avx2, with sse4a"]
    then = THEN | {"features": " ".join(f"f{k}" for k in range(environment.MOST))}
    assert differences(then, THEN | {"features": ""})[0].endswith(", without f5")
    then = THEN | {"features": " ".join(f"f{k}" for k in range(8))}
    (told,) = differences(then, THEN | {"features": ""})
    assert told.endswith("now " + ", ".join(f"without f{k}" for k in range(6)) + " and 2 more")
    assert differences(then, THEN | {"features": None})[0].endswith("f7, is now None")
    del then["sources"], then["features"]
    told = "the checkpoint does not record the processor's features, the digest of minise's sources"
    assert differences(then, THEN) == [told]


def test_the_features_are_those_that_numba_compiles_for():
    code = "from minise.runs.environment import versions; print(versions()['features'])"
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "NUMBA_CPU_FEATURES": "+sse2,-avx,+sse3"},
    )
    assert done.stdout == "sse2 sse3\n"
