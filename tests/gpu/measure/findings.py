"""What a part of the run finds out, told at once, and kept in a file in case the part is killed."""

import json
from pathlib import Path
from typing import NamedTuple


class Figure(NamedTuple):
    """A row of the table."""

    what: str
    measured: str
    goal: str = ""


class Findings:
    """Figures, and what is wrong: where anything is, the part has failed."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.figures: list[Figure] = []
        self.wrong: list[str] = []
        self._keep()

    def figure(self, what: str, measured: str, goal: str = "") -> None:
        self.figures.append(Figure(what, measured, goal))
        print(f"  {what}: {measured}" + (f" ({goal})" if goal else ""), flush=True)
        self._keep()

    def note(self, text: str) -> None:
        """What to know, without a figure."""
        self.figure(text, "")

    def is_wrong(self, text: str) -> None:
        self.wrong.append(text)
        print(f"  WRONG: {text}", flush=True)
        self._keep()

    def _keep(self) -> None:
        self.path.write_text(json.dumps({"figures": self.figures, "wrong": self.wrong}))


def read_findings(path: Path) -> tuple[list[Figure], list[str]]:
    """Figures and what is wrong, of a part that has ended in whatever way."""
    try:
        kept = json.loads(path.read_text())
    except (OSError, ValueError):
        return [], []
    return [Figure(*figure) for figure in kept["figures"]], kept["wrong"]


def judged(goal: str, reached: bool) -> str:
    """A goal, and whether it was reached."""
    return f"{goal}: {'reached' if reached else 'missed'}"


def seconds(value: float) -> str:
    if value >= 10:
        return f"{value:.0f} s"
    if value >= 1:
        return f"{value:.2f} s"
    return f"{1e3 * value:.3g} ms" if value >= 1e-3 else f"{1e6 * value:.3g} µs"


def megabytes(value: float) -> str:
    return f"{value / 2**20:,.0f} MB"
