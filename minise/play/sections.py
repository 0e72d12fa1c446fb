"""Sections of the tutorials as HTML, with what their code printed and drew.

Needs `markdown-it-py` and `latex2mathml`, of the extra "play". Without the first a section is its
plain text, without the second a formula is its LaTeX.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterator
from html import escape
from typing import Any, NamedTuple

from minise.errors import InputError
from minise.lessons import PACKAGE, find_notebooks

MATH = re.compile(r"(```.*?```|`+[^`]*`+)|\$\$(.+?)\$\$|\$([^\s$](?:[^$\n]*[^\s$])?)\$", re.DOTALL)
LARGE = re.compile(r"\\[Bb]igg?([lr])(?=\s*\\)")  # a bracket that has a name
COLOURS = re.compile(r"\x1b\[[0-9;]*m")  # of a terminal


class Section(NamedTuple):
    """A part of a tutorial."""

    number: int
    title: str  # of the tutorial
    section: str  # its heading
    html: str


class _Piece(NamedTuple):
    level: int  # of a heading; 0 for what follows it
    text: str
    html: str


@functools.cache
def find(number: int, heading: str) -> Section | None:
    """The section with this heading, without what has a heading of its own level."""
    pieces = _pieces(number)
    start = next((k for k, piece in enumerate(pieces) if piece[:2] == (2, heading)), None)
    if start is None:
        return None
    title = next((piece.text for piece in pieces if piece.level == 1), "")
    rest = pieces[start + 1 :]
    end = next((k for k, piece in enumerate(rest) if 0 < piece.level <= 2), len(rest))
    title = re.sub(r"^\d+\.\s*", "", title)
    return Section(number, title, heading, "\n".join(piece.html for piece in rest[:end]))


def mathml(latex: str, display: bool = False) -> str | None:
    """A formula for a browser; None where the package is missing, or does not know a sign."""
    try:
        from latex2mathml.converter import convert

        # what it knows, of what the tutorials write: without these, a table is one line
        latex = latex.replace("{aligned}", "{align*}")
        latex = LARGE.sub(lambda side: {"l": r"\left", "r": r"\right"}[side[1]], latex)
        return str(convert(latex, display="block" if display else "inline"))
    except Exception:  # it raises many kinds
        return None


@functools.cache
def _pieces(number: int) -> list[_Piece]:
    try:
        notebooks = find_notebooks(PACKAGE)
    except InputError:
        return []
    name = f"{number:02}-"
    path = next((p for p in notebooks if p.name.startswith(name) and p.name.count(".") == 1), None)
    if path is None:
        return []
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return [piece for cell in cells for piece in _of_cell(cell)]


def _of_cell(cell: dict[str, Any]) -> Iterator[_Piece]:
    source = "".join(cell["source"])
    if cell["cell_type"] == "markdown":
        for part in re.split(r"^(?=#{1,6} )", source, flags=re.MULTILINE):
            marks, _, rest = part.partition(" ")
            if marks and not marks.strip("#"):
                heading, _, part = rest.partition("\n")
                shown = f"<h{len(marks)}>{escape(heading.strip())}</h{len(marks)}>"
                yield _Piece(len(marks), heading.strip(), shown)
            if part.strip():
                yield _Piece(0, part, _markdown(part))
    elif cell["cell_type"] == "code":
        outputs = "".join(_output(output) for output in cell["outputs"])
        yield _Piece(0, source, f"<pre><code>{escape(source)}</code></pre>{outputs}")


def _markdown(text: str) -> str:
    formulas: list[str] = []

    def set_aside(match: re.Match[str]) -> str:
        code, block, line = match.groups()
        if code is not None:
            return str(code)
        latex = block or line
        shown = mathml(latex, display=block is not None)
        formulas.append(f"<code>{escape(latex)}</code>" if shown is None else shown)
        return f"\ue000{len(formulas) - 1}\ue001"

    text = MATH.sub(set_aside, text)
    html = _rendered(text)
    return re.sub("\ue000(\\d+)\ue001", lambda match: formulas[int(match[1])], html)


def _rendered(text: str) -> str:
    try:
        from markdown_it import MarkdownIt
    except ImportError:
        return f"<pre>{escape(text)}</pre>"
    render = MarkdownIt("commonmark", {"html": False}).enable("table")
    render.add_render_rule("link_open", _link)
    render.add_render_rule("link_close", lambda *_: "</a>")
    render.add_render_rule("image", lambda _, tokens, k, *rest: escape(tokens[k].content))
    return str(render.render(text))


def _link(_: Any, tokens: Any, k: int, *rest: Any) -> str:
    """Pages elsewhere open in a tab of their own; other notebooks are not beside this page."""
    href = str(tokens[k].attrGet("href"))
    if not href.startswith("https://"):
        return "<a>"
    return f'<a href="{escape(href)}" target="_blank" rel="noopener noreferrer">'


def _output(output: dict[str, Any]) -> str:
    """What was printed, or a picture."""
    if output["output_type"] == "stream":
        return f"<pre>{escape(COLOURS.sub('', ''.join(output['text'])))}</pre>"
    shown = output.get("data", {})
    if "image/png" in shown:
        content = re.sub(r"\s", "", "".join(shown["image/png"]))
        return f'<img alt="what the code above drew" src="data:image/png;base64,{content}">'
    return f"<pre>{escape(''.join(shown['text/plain']))}</pre>" if "text/plain" in shown else ""
