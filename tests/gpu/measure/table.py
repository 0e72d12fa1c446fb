"""The table at the end, in Markdown."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from minise.bench.report import gpu

if TYPE_CHECKING:
    from gpu.measure.parts import Outcome


def markdown(facts: dict[str, Any], outcomes: list[Outcome], quick: bool, seconds: float) -> str:
    """The head and one table."""
    failed = [outcome.part.name for outcome in outcomes if not outcome.passed]
    verdict = f"**failed: {', '.join(failed)}**" if failed else "all parts passed"
    lines = [
        f"## minise on {'a stand-in for a GPU' if facts['stand_in'] else facts['gpu']}",
        "",
        *warning(facts, quick),
        *(f"{line}  " for line in machine(facts)),
        f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC; {seconds:.0f} seconds; {verdict}",
        "",
        "| part | what | measured | goal |",
        "|---|---|---|---|",
    ]
    for outcome in outcomes:
        lines.append(_row(f"**{outcome.part.name}**", f"**{outcome.how}**", _took(outcome)))
        lines += [_row("", text, "**WRONG**") for text in outcome.wrong]
        lines += [_row("", *figure) for figure in outcome.figures]
    return "\n".join(lines) + "\n"


def warning(facts: dict[str, Any], quick: bool) -> list[str]:
    """What keeps the figures from meaning anything."""
    if facts["stand_in"]:
        return ["**This ran on a stand-in for CuPy, without a GPU: its figures mean nothing.**", ""]
    return ["**Every size was shrunk (--quick): its figures mean nothing.**", ""] if quick else []


def machine(facts: dict[str, Any]) -> list[str]:
    """The card, and the versions of all that matters."""
    torch = "no PyTorch" if facts["torch"] is None else f"PyTorch {facts['torch']}"
    revision = "" if facts["revision"] is None else f" at {facts['revision']}"
    return [
        f"{gpu(facts)}; {facts['memory'] / 2**30:.0f} GB",
        f"minise {facts['minise']}{revision}, CuPy {facts['cupy']}, {torch}, "
        f"NumPy {facts['numpy']}, Numba {facts['numba']}, Python {facts['python']}",
        f"{facts['processor']}, {facts['threads']} cores, {facts['system']}",
    ]


def _took(outcome: Outcome) -> str:
    return f"{outcome.seconds:.0f} s"


def _row(part: str, what: str, measured: str, goal: str = "") -> str:
    cells = (cell.replace("|", "\\|").replace("\n", " ") for cell in (part, what, measured, goal))
    return f"| {' | '.join(cells)} |"
