"""What a gradient check found, and its report."""

from __future__ import annotations

import textwrap
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from minise import notebook
from minise.figures import png
from minise.files import write_whole
from minise.gradcheck.checked import Checked
from minise.gradcheck.differences import Verdict
from minise.gradcheck.picture import draw

if TYPE_CHECKING:
    from matplotlib.figure import Figure

WIDTH = 80  # of a terminal
UNSEEN = 3  # are told at most
MOST_DRAWN = 6  # rows of the picture in a notebook: a net has hundreds of parameters
HEADS = ["gradient of", "entries", "verdict", "worst at", "backward", "numeric", "error", "step"]


@dataclass(frozen=True)
class Report:
    """All gradients of one subject, and what else was wrong."""

    subject: str
    gradients: tuple[Checked, ...]
    problems: tuple[str, ...]
    tolerance: float
    method: str
    said: tuple[str, ...] = ()  # of the code: in which precision it computes
    unseen: tuple[str, ...] = ()  # faults that these inputs cannot show, and which would
    smallest: str | None = None  # code with the smallest input that still fails

    @property
    def passed(self) -> bool:
        """Whether no entry is wrong, and nothing else was."""
        return all(gradient.passed for gradient in self.gradients) and not self.problems

    @property
    def relative_error(self) -> float:
        """The largest of all, NaN before everything; 0 where nothing was compared."""
        errors = [gradient.relative_error for gradient in self.gradients]
        return next((e for e in errors if e != e), max(errors, default=0.0))

    def __getitem__(self, name: str) -> Checked:
        """The gradient of that name. Raises `KeyError` where there is none."""
        return {gradient.name: gradient for gradient in self.gradients}[name]

    def __str__(self) -> str:
        lines = [self._title, *_table(self)]
        for text in (*self.problems, *self.said, *_notes(self), *_unseen(self)):
            lines += textwrap.wrap(text, WIDTH, initial_indent="  ", subsequent_indent="    ")
        if self.smallest is not None:
            lines += ["  The smallest input that still fails:", ""]
            lines.append(textwrap.indent(self.smallest, "    "))
        return "\n".join(lines)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        """What a notebook shows: the table, and below it the picture."""
        rows = [_row(gradient, self.method) for gradient in self.gradients]
        parts = [notebook.verdict(self.subject, self.passed)]
        if rows:
            parts.append(notebook.table(HEADS, rows, left=(0, 2)))
        drawn = sorted(self.gradients, key=lambda gradient: gradient.passed)[:MOST_DRAWN]
        lines = [*self.problems, *self.said, *_notes(self), *_unseen(self)]
        if len(drawn) < len(rows):
            lines.append(
                f"The picture has {len(drawn)} of {len(rows)} gradients, wrong ones first."
            )
        parts.append(notebook.notes(lines))
        if self.smallest is not None:
            parts += [notebook.title("The smallest input that still fails:")]
            parts += [notebook.code(self.smallest)]
        if drawn:
            figure = draw(drawn, title=self._title, tolerance=self.tolerance)
            said = f"{self._title}: backward against differences, and errors"
            parts.append(notebook.picture(png(figure), said))
        return notebook.page(*parts)

    @property
    def _title(self) -> str:
        return f"{self.subject}: {'passed' if self.passed else 'FAILED'}"

    def plot(self, path: str | Path | None = None) -> Figure:
        """Draw analytic against numeric, errors laid out as the array is, and error against step.

        Saved as a PNG file at `path`, if it is given. Raises `InputError` where it cannot be.
        """
        figure = draw(self.gradients, title=self._title, tolerance=self.tolerance)
        if path is not None:
            write_whole(Path(path), png(figure))
        return figure


def _unseen(report: Report) -> list[str]:
    lines = [f"unseen: {text}" for text in report.unseen[:UNSEEN]]
    more = len(report.unseen) - UNSEEN
    return [*lines, f"… and {more} more in report.unseen"] if more > 0 else lines


def _table(report: Report) -> list[str]:
    """A line for each gradient; two of them, where names and shapes leave no room for one."""
    rows = [HEADS, *(_row(gradient, report.method) for gradient in report.gradients)]
    if not report.gradients:
        return []
    for gap in ("  ", " "):
        lines = ["  " + line for line in _aligned(rows, gap, left=(0, 2))]
        if max(map(len, lines)) <= WIDTH:
            return lines
    firsts = ["  " + "  ".join(row[:3]) for row in rows]
    seconds = ["    " + line for line in _aligned([row[3:] for row in rows], "  ", left=())]
    return [line for both in zip(firsts, seconds, strict=True) for line in both]


def _row(gradient: Checked, method: str) -> list[str]:
    k = gradient.worst
    said, found = float(gradient.analytic.reshape(-1)[gradient.entries[k]]), gradient.numeric[k]
    entries = f"{len(gradient.entries):,}"
    if gradient.overall is not None:
        entries += f"/{gradient.analytic.size:,}"
    return [
        gradient.name,
        entries,
        _counts(gradient),
        "[" + ", ".join(map(str, gradient.index(k))) + "]",
        f"{said:.4g}",
        f"{found:.4g}",
        f"{gradient.errors[k]:.1e}",
        "i" if method == "complex" else f"{gradient.step:.0e}".replace("e+00", ""),
    ]


def _aligned(rows: list[list[str]], gap: str, left: tuple[int, ...]) -> list[str]:
    """The cells in columns, to the right but for the columns of `left`."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        gap.join(
            cell.ljust(width) if k in left else cell.rjust(width)
            for k, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def _counts(gradient: Checked) -> str:
    counts = Counter(gradient.verdicts)
    if len(counts) == 1:
        return next(iter(counts)).value
    return ", ".join(f"{counts[v]:,} {v.value}" for v in Verdict if counts[v])


def _notes(report: Report) -> list[str]:
    notes = []
    for gradient in report.gradients:
        name, size = gradient.name, gradient.analytic.size
        if gradient.cause:
            notes.append(f"{name}: {gradient.cause}")
        if gradient.kinks:
            k, below, above = gradient.kinks[0]
            said = gradient.analytic.reshape(-1)[gradient.entries[k]]
            slopes = " and ".join(f"{slope + 0.0:.4g}" for slope in (below, above))
            notes.append(
                f"{name}: at a kink at {list(gradient.index(k))}: the slopes on its sides are "
                f"{slopes}; backward says {said + 0.0:.4g}, and any number between them is right"
            )
        for verdict in (Verdict.TOO_COARSE, Verdict.TOO_FINE):
            if verdict in gradient.verdicts:
                notes.append(f"{name}: {verdict.value}: right with another one; leave out step=?")
        if gradient.together is Verdict.WRONG:
            notes.append(
                f"{name}: {len(gradient.kinks)} entries at a kink are wrong when moved "
                "together: is the gradient of a tie given more than once?"
            )
        if gradient.overall not in (None, Verdict.RIGHT):
            notes.append(
                f"{name}: {gradient.overall.value} along a direction over all {size:,} entries"
            )
        if set(gradient.verdicts) == {Verdict.TOO_SMALL} and gradient.analytic.any():
            notes.append(
                f"{name}: none of it could be judged: it is lost in the rounding of the output"
            )
    if any(gradient.overall is not None for gradient in report.gradients):
        notes.append(
            "Of large arrays only some entries, drawn at random, and the slope along one random "
            "direction over all entries were compared; that can miss a single wrong entry."
        )
    return notes
