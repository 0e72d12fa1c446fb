"""What Jupyter shows in place of text: parts of a page, readable in light and in dark.

They take their colours from the page, wide tables scroll in a box of their own, and pictures
shrink. All text is escaped: names come from people's own code.
"""

from __future__ import annotations

import base64
from collections.abc import Collection, Iterable, Sequence
from html import escape

LINE = "1px solid rgba(128,128,128,.35)"
COLOURS = {True: "#1a7f37", False: "#c2202c"}  # behind white letters


def title(text: str, rest: str = "") -> str:
    """A line in bold; the rest of it is not."""
    return f'<div style="margin:.3em 0"><b>{escape(text)}</b> {escape(rest)}</div>'


def verdict(text: str, passed: bool) -> str:
    """A line in bold that ends with "passed" or "FAILED"."""
    said = (
        f'<span style="background:{COLOURS[passed]};color:#fff;padding:.1em .5em;'
        f'border-radius:.3em">{"passed" if passed else "FAILED"}</span>'
    )
    return f'<div style="margin:.3em 0"><b>{escape(text)}</b> {said}</div>'


def table(
    heads: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    left: Collection[int],
    indents: Sequence[int] = (),
) -> str:
    """Cells to the right but in the columns of `left`; `indents` are those of the first column."""

    def cells(kind: str, row: Sequence[str], indent: int) -> str:
        made = []
        for k, cell in enumerate(row):
            style = (
                f"text-align:{'left' if k in left else 'right'};white-space:nowrap;"
                f"padding:.15em .6em .15em {0.6 + (0 if k else 1.2 * indent):g}em;border:0;"
                f"border-bottom:{LINE};font-variant-numeric:tabular-nums"
            )
            made.append(f'<{kind} style="{style}">{escape(cell)}</{kind}>')
        return f"<tr>{''.join(made)}</tr>"

    body = [cells("td", row, indents[k] if indents else 0) for k, row in enumerate(rows)]
    return (
        '<div style="overflow-x:auto;max-width:100%">'
        '<table style="border-collapse:collapse;margin:.3em 0">'
        f"<thead>{cells('th', heads, 0)}</thead><tbody>{''.join(body)}</tbody></table></div>"
    )


def notes(lines: Iterable[str]) -> str:
    """A list, or nothing."""
    items = "".join(f"<li>{escape(line)}</li>" for line in lines)
    style = "margin:.3em 0;padding-left:1.4em;overflow-wrap:anywhere"
    return f'<ul style="{style}">{items}</ul>' if items else ""


def code(text: str) -> str:
    """Lines as they are."""
    return f'<pre style="overflow-x:auto;max-width:100%">{escape(text)}</pre>'


def picture(png: bytes, text: str) -> str:
    """A PNG, with what to read where it cannot be seen."""
    data = base64.b64encode(png).decode()
    return (
        f'<img alt="{escape(text)}" style="display:block;max-width:100%;height:auto" '
        f'src="data:image/png;base64,{data}">'
    )


def page(*parts: str) -> str:
    """They below each other."""
    return f'<div style="max-width:100%">{"".join(parts)}</div>'
