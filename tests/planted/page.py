"""The page of planted faults in the reference: `cd tests; python -m planted.page` writes it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from minise import gradcheck
from planted import SUBJECTS
from planted.fault import Fault, line

PAGE = Path(__file__).parents[2] / "tutorials" / "reference" / "planted-faults.md"

HEAD = """# Planted faults

{faults} small mistakes, each planted in otherwise right code of the kind that people write by hand,
one at a time. `gradcheck.check` rejects all of them and names the gradient that is wrong; for
{told} it tells a cause as well, and for the others none. The right code passes. A cause is a guess
from the numbers, for minise does not read code.

This page is made by the test that runs the list: `cd tests`, `python -m planted.page`. The code is
in `tests/planted`: its backward has what stands under "right", and in its place what stands under
"wrong". Where only one gradient is named, all others were found right.
"""
COLUMNS = "| code | right | wrong | verdict | cause |\n|---|---|---|---|---|\n"


def found(fault: Fault) -> dict[str, str]:
    """For each gradient that is wrong what is told of it, "" where nothing is."""
    pair, inputs = fault.example()
    report = gradcheck.check(pair, *inputs)
    told = {g.name: g.cause or "" for g in report.gradients if not g.passed}
    for problem in report.problems:
        first, _, rest = problem.partition(" has the shape ")
        if rest:
            told[first.removeprefix("the gradient of ")] = f"it has the shape {rest}"
    return told


def row(fault: Fault, told: dict[str, str]) -> str:
    by_text: dict[str, list[str]] = {}
    for name, text in told.items():
        by_text.setdefault(text, []).append(name)
    causes = [
        f"{', '.join(names)}: {text}" if len(by_text) > 1 or len(told) > 1 else text
        for text, names in by_text.items()
        if text
    ]
    wrong = f"`{line(fault.wrong)}`" if fault.wrong else "left out"
    cells = [fault.code.name, f"`{line(fault.right)}`", wrong, f"{', '.join(told)} wrong"]
    return "| " + " | ".join([*cells, "; ".join(causes)]).rstrip() + " |\n"


def section(title: str, subject: Any) -> str:
    rows = "".join(row(fault, found(fault)) for fault in subject.FAULTS)
    return f"\n## {title}\n\n{COLUMNS}{rows}"


def page() -> str:
    sections = [section(title, subject) for title, subject in SUBJECTS.items()]
    return head(sections) + "".join(sections)


def head(sections: list[str]) -> str:
    rows = [r for s in sections for r in s.splitlines() if " wrong | " in r or " wrong |" in r]
    rows = [r for r in rows if not r.startswith("| code |")]
    told = sum(not r.endswith("wrong | |") for r in rows)
    return HEAD.format(faults=len(rows), told=told)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8", newline="\n")
