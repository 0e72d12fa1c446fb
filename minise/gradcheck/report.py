"""What a gradient check found."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Worst:
    """The entry of one gradient where backward and finite differences differ most."""

    name: str  # of the input or parameter
    index: tuple[int, ...]
    analytic: float  # what backward says
    numeric: float  # what finite differences say
    relative_error: float
    entries: int  # how many were compared


@dataclass(frozen=True)
class Report:
    """The worst entry of each input and parameter, and what else was wrong."""

    subject: str
    worst: tuple[Worst, ...]
    problems: tuple[str, ...]
    tolerance: float

    @property
    def passed(self) -> bool:
        """Whether every entry is within the tolerance, and nothing else was wrong."""
        within = (entry.relative_error <= self.tolerance for entry in self.worst)  # NaN is not
        return all(within) and not self.problems

    @property
    def relative_error(self) -> float:
        """The largest of all, NaN before everything; 0 where nothing was compared."""
        errors = [entry.relative_error for entry in self.worst]
        return next((e for e in errors if e != e), max(errors, default=0.0))

    def __str__(self) -> str:
        rows = [("gradient of", "entries", "worst at", "analytic", "numeric", "relative error")]
        for entry in self.worst:
            at = "[" + ", ".join(map(str, entry.index)) + "]"
            numbers = (f"{entry.analytic:.9g}", f"{entry.numeric:.9g}")
            error = f"{entry.relative_error:.1e}"
            rows.append((entry.name, str(entry.entries), at, *numbers, error))
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = [f"{self.subject}: {'passed' if self.passed else 'FAILED'}"]
        for row in rows:
            cells = [cell.rjust(width) for cell, width in zip(row, widths, strict=True)]
            cells[0] = row[0].ljust(widths[0])
            lines.append("  " + "  ".join(cells).rstrip())
        lines += [f"  {problem}" for problem in self.problems]
        return "\n".join(lines)
