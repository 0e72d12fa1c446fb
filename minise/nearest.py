"""The message for a name that is not known."""

from __future__ import annotations

import difflib
from collections.abc import Sequence

FEW = 8  # names that are listed, all of them


def nearest(what: str, name: object, known: Sequence[str], listed_by: str = "") -> str:
    """As in: unknown model 'se-cn': did you mean 'se-cnn'? There are cnn, se-cnn.

    Of many names only the nearest three are given, where a command lists them all.
    """
    if not known:
        return f"unknown {what} {name!r}: there are none"
    close = near(name, known)
    rest = f"there are {', '.join(known)}"
    if len(known) > FEW and listed_by:
        rest = f"see {listed_by} for all {len(known)}"
    nearby = close[: 1 if len(known) <= FEW else 3]
    if not nearby:
        return f"unknown {what} {name!r}: {rest}"
    *others, last = map(repr, nearby)
    hint = f"{', '.join(others)} or {last}" if others else last
    return f"unknown {what} {name!r}: did you mean {hint}? {rest[0].upper()}{rest[1:]}"


def near(name: object, known: Sequence[str]) -> list[str]:
    """Those that may have been meant, the nearest first."""
    asked = str(name).lower()
    likeness = {k: difflib.SequenceMatcher(None, asked, k.lower()).ratio() for k in known}
    return [k for k in sorted(likeness, key=lambda k: -likeness[k]) if likeness[k] >= 0.6]
