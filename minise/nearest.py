"""The message for a name that is not known."""

from __future__ import annotations

import difflib
from collections.abc import Sequence


def nearest(what: str, name: object, known: Sequence[str]) -> str:
    """As in: unknown model 'se-cn': did you mean 'se-cnn'? There are cnn, se-cnn."""
    if not known:
        return f"unknown {what} {name!r}: there are none"
    near = difflib.get_close_matches(str(name), known, n=1)
    hint = f"did you mean {near[0]!r}? There are" if near else "there are"
    return f"unknown {what} {name!r}: {hint} {', '.join(known)}"
