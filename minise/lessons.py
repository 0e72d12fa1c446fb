"""The tutorials as they come with minise: notebooks, in order."""

from __future__ import annotations

from pathlib import Path

from minise.errors import InputError

PACKAGE = Path(__file__).parent
PATTERN = "[0-9][0-9]-*.ipynb"


def find_notebooks(package: Path) -> list[Path]:
    """The notebooks within the folder of the package or, in a checkout, beside it; in order.

    Raises `InputError` where there are none.
    """
    for folder in (package / "tutorials", package.parent / "tutorials"):
        if found := sorted(folder.glob(PATTERN)):
            return found
    raise InputError(f"{package}: the tutorials are not in this installation")
