"""What a person's own code raises while it is checked, told with its place first."""

from __future__ import annotations

import contextlib
import re
import reprlib
import sys
import textwrap
from pathlib import Path
from types import CodeType, FrameType, TracebackType
from typing import Any

import numpy as np

from minise.errors import InputError

MINISE = Path(__file__).parents[1]  # as a frame has it: links are not followed
PACKAGES = {"site-packages", "dist-packages"}
LIBRARY = Path(contextlib.__file__).parent  # Python's own
COMPREHENSION = re.compile(r"(\.<locals>\.<(\w+comp|genexpr)>)+$")
MOST = 400  # characters of what was raised, and of what was given


class OwnErrors:
    """A context that tells where in the person's own code an error came from, as an `InputError`.

    `when` says what was being done. The error itself is its cause, with a traceback that begins in
    their code. What did not come from there passes, as do KeyboardInterrupt and a test's skip.
    """

    def __init__(self, when: str) -> None:
        self.when = when

    def __enter__(self) -> None:
        pass

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        __tracebackhide__ = True  # pytest and IPython leave out this frame
        if isinstance(error, Exception) and (text := told(error)) is not None:
            raise InputError(f"{text}, {self.when}") from error


def told(error: Exception) -> str | None:
    """As "layers.py:12, in affine_backward: ValueError: …; called with dy (3, 5)".

    The line is the last in the person's own code, which may have called NumPy; the arguments are
    those of the function that minise called. None where no code of theirs was running. Otherwise
    the frames of minise that lead to it are taken out of the error's traceback.
    """
    path = [tb for tb in _path(error.__traceback__) if not _within(tb.tb_frame.f_code, MINISE)]
    if not path:
        return None
    own = [tb for tb in path if _is_own(tb.tb_frame.f_code)] or path[:1]
    error.__traceback__ = own[0]
    called, code = own[0].tb_frame, own[-1].tb_frame.f_code
    text = place(code.co_filename, own[-1].tb_lineno)
    within, outer = _name(code), _name(called.f_code)
    if within != "<module>":
        text += f", in {within}"
    text += f": {in_short(error)}"
    if given := _arguments(called):
        function = "" if outer == within else f"{outer} was "
        text += f"; {function}called with {given}"
    return text


def in_short(error: Exception) -> str:
    """Its type and what it says, on one line."""
    return textwrap.shorten(f"{type(error).__name__}: {error}".removesuffix(": "), MOST)


def place(path: str, line: int) -> str:
    """As "layers.py:12", from the current folder; of a notebook, as "Cell In[3], line 12"."""
    get_shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)
    name_of_cell = getattr(getattr(get_shell(), "compile", None), "format_code_name", None)
    if name_of_cell is not None and (cell := name_of_cell(path)):
        return f"{' '.join(cell)}, line {line}"
    with contextlib.suppress(ValueError, OSError):  # it is elsewhere, or the folder is gone
        path = str(Path(path).relative_to(Path.cwd()))
    return f"{path}:{line}"


def _path(traceback: TracebackType | None) -> list[TracebackType]:
    path = []
    while traceback is not None:
        path.append(traceback)
        traceback = traceback.tb_next
    return path


def _within(code: CodeType, folder: Path) -> bool:
    return Path(code.co_filename).is_relative_to(folder)


def _is_own(code: CodeType) -> bool:
    """Whether it is neither minise's nor that of an installed package or of Python itself."""
    path = Path(code.co_filename)
    foreign = not PACKAGES.isdisjoint(path.parts) or code.co_filename.startswith("<frozen")
    return not foreign and not any(_within(code, folder) for folder in (MINISE, LIBRARY))


def _name(code: CodeType) -> str:
    """Without the function that it was defined in; that of the line itself for a comprehension."""
    return COMPREHENSION.sub("", code.co_qualname).rpartition("<locals>.")[2]


def _arguments(frame: FrameType) -> str:
    """Names and shapes, as they are by now."""
    code = frame.f_code
    count = code.co_argcount + code.co_kwonlyargcount
    stars = (code.co_flags & 4 > 0) + (code.co_flags & 8 > 0)  # *args, **options
    names = [name for name in code.co_varnames[: count + stars] if name not in ("self", "ctx")]
    values = frame.f_locals
    given = ", ".join(f"{name} {_shape(values[name])}" for name in names if name in values)
    return textwrap.shorten(given, MOST)


def _shape(value: Any, depth: int = 0) -> str:
    value = value.item() if isinstance(value, np.generic) else value
    shape = getattr(value, "shape", None)
    if isinstance(shape, tuple):
        return str(tuple(shape))
    if value is None or isinstance(value, bool | int | float | complex | str):
        return reprlib.repr(value)
    if isinstance(value, tuple | list | dict) and depth < 2:
        named = value if isinstance(value, dict) else getattr(value, "_asdict", dict)()
        if named or isinstance(value, dict):
            return f"{{{', '.join(f'{k}: {_shape(v, depth + 1)}' for k, v in named.items())}}}"
        return f"[{', '.join(_shape(v, depth + 1) for v in value)}]"
    return type(value).__name__
