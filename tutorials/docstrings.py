"""Docstrings and signatures of minise for the site: from plain prose to reStructuredText.

A docstring here has no markup but single backticks. What is indented, set in columns, or lines of
code stays as it is, in a monospaced block; equations are written in these ways. The rest is prose:
names in backticks become code, and lead to their place in the reference where they have one.
"""

from __future__ import annotations

import ast
import functools
import importlib
import inspect
import re
import sys
import types
from collections.abc import Callable, Iterator, Mapping
from enum import Enum
from typing import Any

PACKAGES = (
    "minise",
    "minise.backend",
    "minise.ops",
    "minise.nn",
    "minise.models",
    "minise.gradcheck",
    "minise.data",
    "minise.train",
    "minise.runs",
    "minise.inspect",
    "minise.export",
    "minise.bench",
)
INDENTED = re.compile(r" {2}")
IN_COLUMNS = re.compile(r"\S {2,}\S|←")
CODE = re.compile(r"`([^`]+)`")
MARKUP = re.compile(r"[\\*|]|_(?!\w)")  # what reStructuredText would take for markup


def public_names(package: str) -> list[str]:
    """What is public in a package: its `__all__`."""
    return list(importlib.import_module(package).__all__)


def home(package: str, name: str) -> str | None:
    """The full name under which a public name is described; None for a package in a package.

    `minise.SEBlock` is described with the layers, and `minise.set_num_threads` with the backends.
    """
    value = getattr(importlib.import_module(package), name)
    if isinstance(value, types.ModuleType):
        return None
    if package == "minise":
        for other in PACKAGES[1:]:
            if name in public_names(other) and getattr(sys.modules[other], name) is value:
                return f"{other}.{name}"
    return f"{package}.{name}"


@functools.cache
def homes() -> Mapping[str, str]:
    """Full names by all that a docstring may call them: "nn.SEBlock", "Layer".

    A name alone is there only where no other package has it too.
    """
    found: dict[str, set[str]] = {}
    for package in PACKAGES:
        for name in public_names(package):
            full = home(package, name)
            if full is not None:
                parts = full.split(".")
                for k in range(len(parts)):
                    found.setdefault(".".join(parts[k:]), set()).add(full)
    return {name: min(full) for name, full in found.items() if len(full) == 1}


def link(name: str, package: str, parameters: frozenset[str] = frozenset()) -> str | None:
    """Where a name in a docstring of `package` leads to; None for a parameter or no public name."""
    if name in parameters:
        return None
    if name in _names_of(package):
        return home(package, name)
    if "." not in name and not name[:1].isupper():
        return None  # a plain word
    return homes().get(name)


def package_of(full: str) -> str:
    """The public package in which a full name stands; "" where there is none."""
    return max((p for p in PACKAGES if f"{full}.".startswith(f"{p}.")), key=len, default="")


@functools.cache
def _names_of(package: str) -> frozenset[str]:
    return frozenset(public_names(package)) if package in PACKAGES else frozenset()


def as_rst(text: str, link_of: Callable[[str], str | None] = lambda name: None) -> list[str]:
    """The lines of a docstring as reStructuredText; `link_of` tells what a name leads to."""
    lines: list[str] = []
    for block in re.split(r"\n[ \t]*\n", inspect.cleandoc(text)):
        rows = block.strip("\n").split("\n")
        if _stays_as_it_is(rows):
            lines += ["::", ""]
            indent = min(len(row) - len(row.lstrip()) for row in rows)
            lines += [f"    {row[indent:].replace('`', '')}" for row in rows]
        else:
            lines += _prose("\n".join(rows), link_of).split("\n")
        lines.append("")
    return lines


def _stays_as_it_is(rows: list[str]) -> bool:
    if all(INDENTED.match(row) for row in rows) or any(IN_COLUMNS.search(row) for row in rows):
        return True
    if len(rows) == 1:
        return False
    try:
        return bool(ast.parse("\n".join(rows)))
    except SyntaxError:
        return False


def _prose(text: str, link_of: Callable[[str], str | None]) -> str:
    parts = []
    for k, part in enumerate(CODE.split(text)):
        if k % 2:
            code = " ".join(part.split())
            full = link_of(code)
            parts.append(f":py:obj:`{code} <{full}>`" if full else f"``{code}``")
        else:
            # markup ends at the edge of a word, which an escaped space is, and not seen
            edge = "\\ " if k and re.match(r"\w|$", part) else ""
            parts.append(edge + MARKUP.sub(lambda found: "\\" + found[0], part))
    return "".join(parts)


class Written:
    """Shows itself in a signature as it is written in the source."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __repr__(self) -> str:
        return self.text


def signature(value: Any) -> tuple[str, str] | None:
    """The arguments and the result of a function or class, as the source has them.

    None where there is no signature. That of a protocol is how it is called.
    """
    if inspect.isclass(value) and (issubclass(value, Enum) or getattr(value, "_is_protocol", 0)):
        called = vars(value).get("__call__")
        return ("", "") if called is None else signature(called)
    try:
        found = inspect.signature(value)
    except (TypeError, ValueError):
        return None
    parameters = [
        p.replace(
            annotation=p.annotation if p.annotation is p.empty else Written(_told(p.annotation)),
            default=p.default if p.default is p.empty else Written(_default(p.default)),
        )
        for p in found.parameters.values()
        if p.name != "self"
    ]
    result = found.return_annotation
    arguments = str(found.replace(parameters=parameters, return_annotation=found.empty))
    is_class = inspect.isclass(value)
    return arguments, "" if is_class or result in (found.empty, "None") else _told(result)


def _told(annotation: Any) -> str:
    if isinstance(annotation, str):
        return annotation
    return str(getattr(annotation, "__forward_arg__", getattr(annotation, "__name__", annotation)))


def _default(value: Any) -> str:
    if inspect.isclass(value):
        package = value.__module__.replace("numpy", "np")
        return f"{package}.{value.__name__}"
    if getattr(value, "__name__", "") == "<lambda>":
        return "…"
    return str(getattr(value, "__name__", repr(value)))


def fields(value: type) -> Iterator[str]:
    """The fields of a `NamedTuple` or a dataclass, as lines of its source with their comments."""
    own = vars(value).get("__annotations__", {})
    if not (hasattr(value, "_fields") or hasattr(value, "__dataclass_fields__")) or not own:
        return
    for line in inspect.getsource(value).splitlines():
        found = re.match(r" {4}(\w+): ", line)
        if found and found[1] in own:
            told = re.sub(r"# noqa: \w+ *", "# ", line.strip()).replace("`", "")
            yield told.removesuffix("# ").rstrip()


# What Sphinx asks for, and is told.


def setup(app: Any) -> dict[str, bool]:
    """As an extension of Sphinx."""
    app.connect("autodoc-process-docstring", _process_docstring)
    app.connect("autodoc-process-signature", _process_signature)
    app.connect("autodoc-skip-member", _skip_member)
    app.connect("doctree-read", _name_types)
    app.connect("missing-reference", _missing_reference)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def _process_docstring(
    app: Any, what: str, name: str, value: Any, options: Any, lines: list[str]
) -> None:
    package = package_of(name)
    told = signature(value) if what in ("function", "method", "class") else None
    parameters = frozenset(inspect.signature(value).parameters) if told else frozenset()
    text = "\n".join(lines)
    if what == "class" and (inspect.getdoc(value) or "").startswith(f"{value.__name__}("):
        text = ""  # which NamedTuple and dataclass write by themselves
    lines[:] = as_rst(text, lambda word: link(word, package, parameters))
    rows = list(fields(value)) if what == "class" else []
    if any("#" in row for row in rows):  # else the signature tells as much
        lines += ["Fields:", "", ".. code-block:: python", "", *(f"    {row}" for row in rows), ""]


def _process_signature(
    app: Any, what: str, name: str, value: Any, options: Any, given: str, result: str
) -> tuple[str, str | None] | None:
    if what not in ("function", "method", "class"):
        return None
    found = signature(value)
    return found and (found[0], found[1] or None)


def _skip_member(
    app: Any, what: str, name: str, value: Any, skip: bool, options: Any
) -> bool | None:
    if type(value).__name__ == "_tuplegetter":
        return True  # told with the fields
    return None


def _name_types(app: Any, doctree: Any) -> None:
    """Types in signatures are written without their package: give each its full name."""
    for whole in doctree.findall(lambda node: node.tagname == "desc_signature"):
        package = package_of(whole.get("module") or "")
        for node in whole.findall(lambda node: node.tagname == "pending_xref"):
            name = node["reftarget"].rpartition(".")[2]
            node["reftarget"] = link(name, package) or node["reftarget"]


def _missing_reference(app: Any, env: Any, node: Any, inside: Any) -> Any:
    """Types that are not public here, or others', have no place on the site."""
    is_type = node.get("refdomain") == "py" and node.get("reftype") in ("class", "exc")
    return inside if is_type else None
