"""What the command prints reaches its reader: in a narrow encoding, through a pipe that closes."""

from __future__ import annotations

import errno
import os
import re
import shlex
import sys
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, cast

WINDOWS = os.name == "nt"
# What a write says where nobody reads any more: to a pipe, to one of Windows, to a terminal.
CLOSED = {errno.EPIPE, errno.EINVAL, errno.EIO}
LOOKALIKES = {
    **dict.fromkeys("−–—‐━╸╺", "-"),
    **dict.fromkeys("│┃", "|"),
    **dict.fromkeys("‘’▀", "'"),
    **dict.fromkeys("“”", '"'),
    "×": "x",
    "·": "*",
    "±": "~",  # one sign, as columns of tables are laid out before
    "√": "sqrt ",
    "Σ": "sum ",
    "→": "->",
    "≤": "<=",
    "≥": ">=",
    "≈": "~",
    "█": "#",
    "▄": ".",
}


def quoted(argument: str | Path) -> str:
    """As it is typed after a command: for a POSIX shell, or for those of Windows."""
    text = str(argument)
    if not WINDOWS:
        return shlex.quote(text)
    return text if re.fullmatch(r"[\w.:/\\+-]+", text) else f'"{text}"'


def readable(text: str, encoding: str, errors: str = "strict") -> str:
    """The text with signs that the encoding lacks written as others that look alike, or as "?"."""
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return "".join(_shown(sign, encoding, errors) for sign in text)
    return text


def _shown(sign: str, encoding: str, errors: str) -> str:
    if errors == "surrogateescape" and "\udc80" <= sign <= "\udcff":
        return sign  # a byte of a file's name, which is written as it is
    bare = "".join(c for c in unicodedata.normalize("NFKD", sign) if not unicodedata.combining(c))
    for shown in (sign, LOOKALIKES.get(sign), bare):
        with suppress(UnicodeEncodeError):
            if shown and shown.encode(encoding):
                return shown
    return "?"


class OutputError(Exception):
    """What is printed cannot be written: nobody reads it any more, or the disk is full.

    No `OSError`, of which click and rich end the process before anything could be saved.
    """


class Readable:
    """A stream of text that writes what its encoding lacks as it can be read.

    It has no `buffer`: into that of an ASCII stream click would write UTF-8. Where it cannot be
    written to it raises `OutputError`.
    """

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write the text, or what looks like it."""
        stream = self._stream
        with _output():
            return int(stream.write(readable(text, stream.encoding, stream.errors or "strict")))

    def flush(self) -> None:
        """Hand on what was written."""
        with _output():
            self._stream.flush()

    def __getattr__(self, name: str) -> Any:
        if name == "buffer":
            raise AttributeError(name)
        return getattr(self._stream, name)


@contextmanager
def _output() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise OutputError from error


@contextmanager
def readable_output() -> Iterator[None]:
    """Within a `with`, standard output and errors are `Readable`."""
    before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = (
        cast(Any, Readable(stream)) if getattr(stream, "encoding", None) else stream
        for stream in before
    )
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before


def not_written(error: OutputError) -> None:
    """Say that a disk is full; of what nobody reads say nothing, and do not try it again."""
    cause = cast(OSError, error.__cause__)
    with suppress(OutputError):
        if cause.errno not in CLOSED:
            print(f"minise: the output cannot be written: {cause.strerror}", file=sys.stderr)
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream is not None:
                stream.flush()
        except OutputError:  # Python would say at its end that it could not write the rest
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
