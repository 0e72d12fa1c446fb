"""The tutorials as they come with minise: notebooks, in order, and the tables that they read."""

from __future__ import annotations

from pathlib import Path

from minise.errors import InputError

PACKAGE = Path(__file__).parent
PATTERN = "[0-9][0-9]-*.ipynb"
TABLES = ("ablations.csv",)  # read by step 10


def find_notebooks(package: Path) -> list[Path]:
    """The notebooks within the folder of the package or, in a checkout, beside it; in order.

    Raises `InputError` where there are none.
    """
    for folder in (package / "tutorials", package.parent / "tutorials"):
        if found := sorted(folder.glob(PATTERN)):
            return found
    raise InputError(f"{package}: the tutorials are not in this installation")


def find_tables(notebooks: list[Path]) -> list[Path]:
    """The files beside the notebooks that they read, and cannot run without."""
    return [path for name in TABLES if (path := notebooks[0].parent / name).exists()]
