"""Reads CUDA C as far as needed: which kernels there are, and what the host's compiler misses."""

from __future__ import annotations

import re
from dataclasses import dataclass

KERNEL = re.compile(
    r'(?P<linkage>extern\s+"C"\s+)?__global__\s+(?:__launch_bounds__\s*\((?P<before>[^()]*)\)\s*)?'
    r"void\s+(?:__launch_bounds__\s*\((?P<after>[^()]*)\)\s*)?(?P<name>\w+)\s*(?=\()"
)
DYNAMIC_SHARED = re.compile(
    r"extern\s+__shared__\s+(?:__align__\s*\(\s*\d+\s*\)\s*)?(?P<type>[\w\s]+?)\s+(?P<name>\w+)"
    r"\s*\[\s*\]\s*;"
)
WAITS = re.compile(r"__(?:syncthreads|syncwarp|shfl\w*_sync|ballot_sync|any_sync|all_sync)\b")
DEFINITION = re.compile(r"^[ \t]*#[ \t]*define[ \t]+(\w+)((?:\\\n|[^\n])*)", re.MULTILINE)
INCLUDE = re.compile(r"^[ \t]*#[ \t]*include[^\n]*", re.MULTILINE)
NOT_IN_NVRTC = re.compile(r"\b(__builtin_(?:inf|nan|huge)\w*|__\w+_(?:MAX|MIN|EPSILON)__|throw)\b")
CALL = re.compile(r"\b(\w+)\s*(?=\()")
TEXT_OR_COMMENT = re.compile(
    r'"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'|//[^\n]*|/\*.*?\*/', re.DOTALL
)


@dataclass(frozen=True)
class Parameter:
    """A kernel's parameter, by what cannot be seen in its type."""

    name: str
    is_restrict: bool


@dataclass(frozen=True)
class KernelSource:
    """One `__global__` function."""

    name: str
    parameters: tuple[Parameter, ...]
    waits: bool
    most_threads: str  # as `__launch_bounds__` says it, or 1024
    start: int
    end: int


@dataclass(frozen=True)
class Source:
    """A source for the host's compiler, and what there is in it."""

    text: str
    kernels: tuple[KernelSource, ...]
    macros: tuple[str, ...]


def read(code: str) -> Source:
    """Find the kernels and rewrite what a C++ compiler would not take. Lines stay where they are.

    Raises `ValueError` for an `#include`, since NVRTC has no headers, and for a few things that
    the host's compiler has built in.
    """
    code = TEXT_OR_COMMENT.sub(_without_comment, code)
    for pattern, message in (
        (INCLUDE, "cannot open source file"),
        (NOT_IN_NVRTC, "error: NVRTC does not know"),
    ):
        if found := pattern.search(code):
            line = code.count("\n", 0, found.start()) + 1
            raise ValueError(f"line {line}: {message}: {found[0].strip()}")
    kernels = tuple(_kernels(code))
    macros = tuple(match[1] for match in DEFINITION.finditer(code))
    return Source(_rewritten(code, kernels), kernels, macros)


def _without_comment(match: re.Match[str]) -> str:
    if match[0][0] in "\"'":
        return match[0]
    return re.sub(r"[^\n]", " ", match[0])


def _kernels(code: str) -> list[KernelSource]:
    functions = _functions(code)
    waiting = {name for name, body in functions.items() if WAITS.search(body)}
    while more := {
        name
        for name, body in functions.items()
        if name not in waiting and waiting & set(re.findall(r"\w+", body))
    }:
        waiting |= more
    kernels = []
    for match in KERNEL.finditer(code):
        closed = _closing(code, match.end())
        end = _closing(code, code.index("{", closed))
        body = code[closed:end]
        bounds = match["before"] or match["after"] or "1024"
        kernels.append(
            KernelSource(
                match["name"],
                tuple(_parameters(code[match.end() + 1 : closed])),
                bool(WAITS.search(body) or waiting & set(re.findall(r"\w+", body))),
                bounds.split(",")[0].strip(),
                match.start(),
                end,
            )
        )
    return kernels


def _functions(code: str) -> dict[str, str]:
    """Functions and macros by name: their bodies."""
    functions = {match[1]: match[2] for match in DEFINITION.finditer(code)}
    for match in CALL.finditer(code):
        closed = _closing(code, match.end())
        if code[closed + 1 :].lstrip().startswith("{"):
            body = code[closed : _closing(code, code.index("{", closed))]
            functions[match[1]] = functions.get(match[1], "") + body
    for statement in ("if", "for", "while", "switch"):
        functions.pop(statement, None)
    return functions


def _parameters(text: str) -> list[Parameter]:
    parts, depth = [""], 0
    for character in text:
        depth += (character in "(<[") - (character in ")>]")
        if character == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += character
    if parts == [parts[0]] and parts[0].strip() in ("", "void"):
        return []
    return [
        Parameter(re.findall(r"\w+", part)[-1], bool(re.search(r"\b__restrict(__)?\b", part)))
        for part in parts
    ]


def _closing(code: str, start: int) -> int:
    """Where the bracket closes that opens at `start`; the end of the code if it does not."""
    opening = code[start]
    closing = {"(": ")", "{": "}"}[opening]
    depth = 0
    for match in re.compile(rf"[{re.escape(opening + closing)}]").finditer(code, start):
        depth += 1 if match[0] == opening else -1
        if depth == 0:
            return match.start()
    return len(code)


def _rewritten(code: str, kernels: tuple[KernelSource, ...]) -> str:
    def shared(match: re.Match[str]) -> str:
        inside = [k.name for k in kernels if k.start <= match.start() < k.end]
        return f'CUDA_SHARED("shared_of_{inside[0] if inside else "functions"}")'

    def dynamic(match: re.Match[str]) -> str:
        lines = "\n" * match[0].count("\n")
        kind = match["type"].strip()
        return f"{kind}* const {match['name']} = ({kind}*)cuda_on_host::dynamic_shared;{lines}"

    # From the end on, so that the places of the kernels stay right.
    edits = [(m.start(), m.end(), dynamic(m)) for m in DYNAMIC_SHARED.finditer(code)]
    taken = [range(start, end) for start, end, _ in edits]
    for match in re.finditer(r"\b__shared__\b", code):
        if not any(match.start() in span for span in taken):
            edits.append((match.start(), match.end(), shared(match)))
    for match in KERNEL.finditer(code):
        if match["linkage"]:
            lines = "\n" * match["linkage"].count("\n")
            edits.append((match.start("linkage"), match.end("linkage"), lines))
    for start, end, text in sorted(edits, reverse=True):
        code = code[:start] + text + code[end:]
    return code
