"""The reference's tables of checkers side by side are what they say of the same code today."""

import importlib
import re
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "tutorials/reference/other-checkers.md"


@pytest.fixture(scope="module")
def peers():
    for package in ("torch", "jax"):
        pytest.importorskip(package, reason=f"{package} is not installed")
    return importlib.import_module("gradcheck.peers")


def tables():
    """By the first column, what each checker said."""
    text = PAGE.read_text(encoding="utf-8")
    for kind in ("wrong", "right"):
        _, rows = text.split(f"\n| {kind} backward |")
        for line in rows.split("\n\n")[0].splitlines()[2:]:
            name, *cells = (cell.strip() for cell in line.strip("| ").split(" | "))
            yield name, [re.split(r"[,<]", cell)[0] for cell in cells]


TABLES = dict(tables())


def case_of(peers, name):
    return (peers.FAULTS | peers.RIGHT)[name]


def test_every_case_has_its_row(peers):
    assert list(TABLES) == [*peers.FAULTS, *peers.RIGHT]
    assert len(peers.FAULTS) == 20


def test_the_reference_counts_them(peers):
    text = PAGE.with_name("gradcheck.md").read_text(encoding="utf-8")
    for cases, verdict, row in (
        (peers.FAULTS, "rejected", "| 20 wrong ones, rejected | "),
        (peers.RIGHT, "passed", "| 8 right ones, accepted | "),
    ):
        assert f"| {len(cases)} " in row
        said = [[TABLES[name][k] for name in cases] for k in range(3)]
        of = [f" of {len(each) - each.count('—')}" if "—" in each else "" for each in said]
        cells = [f"{each.count(verdict)}{n}" for each, n in zip(said, of, strict=True)]
        assert row + " | ".join(cells) + " |\n" in text


@pytest.mark.parametrize("name", TABLES)
def test_the_verdicts_are_those_of_the_table(peers, name):
    said = [checker(case_of(peers, name)).verdict for checker in peers.CHECKERS.values()]
    assert said == TABLES[name]


@pytest.mark.parametrize("name", TABLES)
def test_minise_says_the_same_of_a_function_of_pytorch(peers, name):
    said = peers.by_minise(case_of(peers, name), peers.as_function)
    assert said.verdict == TABLES[name][-1]


@pytest.mark.slow
@pytest.mark.parametrize("name", TABLES)
def test_minise_says_the_same_of_a_custom_vjp(peers, name):
    case = case_of(peers, name)
    assert case.writes == (TABLES[name][1] == "—")
    if not case.writes:
        assert peers.by_minise(case, peers.as_custom_vjp).verdict == TABLES[name][-1]
