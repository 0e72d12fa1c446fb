"""Pieces of C: numbers, arrays, names, and nested statements."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np

from minise.arrays import Array

# A line, or a loop and what it repeats.
Statement: TypeAlias = "str | tuple[str, Sequence[Statement]]"
INDENT, WIDTH, PER_LINE = "    ", 100, 16
_OWN = "c col count f g i j k ki kj largest row sum v x pixels scores"
_WORDS = """
alignas alignof and asm auto bitand bitor bool break case catch char class compl const constexpr
continue decltype default delete do double else enum explicit export extern false float for friend
goto if inline int long mutable namespace new noexcept not nullptr operator or private protected
public register restrict return short signed sizeof static struct switch template this throw true
try typedef typeid typename union unsigned using virtual void volatile while xor
"""  # of C and C++
_FUNCTIONS = "expf sqrtf tanhf"
TAKEN = frozenset(f"{_OWN} {_WORDS} {_FUNCTIONS}".split())


def number(value: Any) -> str:
    """A float32 with as many digits as it takes to read the same one back."""
    value = np.float32(value)
    if not np.isfinite(value):
        return "-INFINITY" if value < 0 else "INFINITY"
    text = str(value)  # the shortest that does, as 0.1, 1e-05 or 123.0
    return f"{text}f"


def comment(text: str) -> str:
    """Text that does not end or open a comment."""
    return text.replace("*/", "* /").replace("/*", "/ *")


def note(text: str, width: int = WIDTH) -> str:
    """A comment."""
    return "/* " + "\n   ".join(textwrap.wrap(comment(text), width - 6)) + " */"


class Names:
    """Identifiers for what has a name in the net: one for each, and none that a macro could have.

    Nor do they begin as what the header itself declares, `prefix_`.
    """

    def __init__(self, prefix: str) -> None:
        self._own = f"{prefix}_".lower()
        self._of: dict[tuple[str, ...], str] = {}

    def __call__(self, *parts: str | int) -> str:
        key = tuple(map(str, parts))
        if key not in self._of:
            name = re.sub(r"\W", "_", "_".join(key), flags=re.ASCII)
            if not name[:1].isalpha() or name.isupper() or name.lower().startswith(self._own):
                name = f"layer_{name}"
            free, n = name, 1
            while free in TAKEN or free in self._of.values():
                n += 1
                free = f"{name}_{n}"
            self._of[key] = free
        return self._of[key]


def squeezed(shape: Sequence[int]) -> tuple[int, ...]:
    """The axes that an array in C has: those of more than one, or a single one."""
    return tuple(size for size in shape if size != 1) or (1,)


def sized(name: str, shape: Sequence[int]) -> str:
    """The declaration of an array, or of a single number."""
    return name + "".join(f"[{size}]" for size in shape if size != 1)


def at(name: str, shape: Sequence[int], indices: Sequence[str]) -> str:
    """An element of an array whose axes of size 1 are left out."""
    kept = [index for index, size in zip(indices, shape, strict=True) if size != 1] or ["0"]
    return name + "".join(f"[{index}]" for index in kept)


def flat(name: str, shape: Sequence[int], indices: Sequence[str]) -> str:
    """The same element of an array that has one axis."""
    index = ""
    for size, along in zip(shape, indices, strict=True):
        if size == 1:
            continue
        before = f"({index})" if " + " in index else index
        index = f"{size} * {before} + {along}" if index else along
    return f"{name}[{index or '0'}]"


def linear(*terms: tuple[int, str], plus: int = 0) -> str:
    """stride * i + dilation * ki − padding, without what is 0."""
    parts = [along if factor == 1 else f"{factor} * {along}" for factor, along in terms if along]
    text = " + ".join(parts)
    if not text:
        return str(plus)
    return text if plus == 0 else f"{text} {'+' if plus > 0 else '-'} {abs(plus)}"


def loops(axes: Sequence[tuple[str, int]], body: Sequence[Statement]) -> list[Statement]:
    """for each i, for each j, …: the body. Axes of size 1 need no loop."""
    body = list(body)
    for letter, size in reversed(axes):
        if size != 1:
            body = [(f"for (int {letter} = 0; {letter} < {size}; {letter}++)", body)]
    return body


def written(statements: Sequence[Statement], depth: int) -> list[str]:
    """Lines; braces where a loop repeats more than one statement."""
    lines: list[str] = []
    for statement in statements:
        if isinstance(statement, str):
            lines += [textwrap.indent(statement, INDENT * depth)]
            continue
        head, body = statement
        alone = len(body) == 1
        lines.append(textwrap.indent(f"{head}{'' if alone else ' {'}".strip(), INDENT * depth))
        lines += written(body, depth + 1)
        lines += [] if alone else [INDENT * depth + "}"]
    return lines


def constant_array(kind: str, name: str, value: Array) -> str:
    """static const float name[3][3][8] = {…}."""
    shape = squeezed(value.shape)
    sizes = "".join(f"[{size}]" for size in shape)
    return f"static const {kind} {name}{sizes} = {_braces(value.reshape(shape), 0)};"


def _braces(values: Array, depth: int) -> str:
    pad = INDENT * (depth + 1)
    if values.ndim == 1:
        suffix = "f" if values.dtype.kind == "f" else ""
        texts = [f"{v!s}{suffix}" for v in values]
        rows = [", ".join(texts[i : i + PER_LINE]) for i in range(0, len(texts), PER_LINE)]
        if len(rows) == 1:
            return "{" + rows[0] + "}"
        inside = ",\n".join(pad + row for row in rows)
    else:
        inside = ",\n".join(pad + _braces(part, depth + 1) for part in values)
    return "{\n" + inside + "\n" + INDENT * depth + "}"
