"""Run the notebooks of this folder, and store in them what they print and draw.

    python tutorials/notebooks.py 01-a-derivative-you-can-trust.ipynb ...

Without names it runs all of them. Exercises are run as the learner finds them. What tests need to
know of a notebook is here as well: which cells are exercises, their solutions, and the mark that
says which code the stored outputs came from.

Cells are told apart by their tags: `check` holds numbers that one should see and fails where they
are others; `exercise` is for the learner to change, `judge` right after it says how good that is,
and `solution`, further down, holds the right answer as Markdown that is folded away. A translation,
`05-….zh.ipynb`, has one cell more, `labels`, that finds a font for the words in its pictures.
"""

from __future__ import annotations

import hashlib
import os
import re
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbformat import NotebookNode
from traitlets.config import Config

FOLDER = Path(__file__).parent
LONGEST = 0 if os.name == "nt" else 90  # letters of the path of a folder that sockets are in
TIMEOUT = 1800  # seconds; of a cell, and of the start of a kernel
WIDGET = "application/vnd.jupyter.widget-view+json"


def read(path: Path) -> NotebookNode:
    """The notebook of a file."""
    return nbformat.read(path, as_version=4)


def tagged(cell: NotebookNode, tag: str) -> bool:
    """Whether a cell has this tag."""
    return tag in cell.metadata.get("tags", [])


def code_mark(notebook: NotebookNode) -> str:
    """Changes with any line of code: stored outputs that carry another mark are not from here."""
    code = "\0".join(cell.source for cell in notebook.cells if cell.cell_type == "code")
    return hashlib.sha256(code.encode()).hexdigest()[:16]


def solutions(notebook: NotebookNode) -> list[str]:
    """The code of each exercise's solution, in order."""
    found = []
    for cell in notebook.cells:
        if tagged(cell, "solution"):
            (code,) = re.findall(r"^```python\n(.*?)^```$", cell.source, re.DOTALL | re.MULTILINE)
            found.append(code.rstrip())
    return found


def answered(notebook: NotebookNode, answers: Sequence[Sequence[str]]) -> NotebookNode:
    """The notebook with each exercise and its judge once for every answer, in their order."""
    cells, left = [], list(answers)
    for cell, following in zip(notebook.cells, [*notebook.cells[1:], None], strict=True):
        if tagged(cell, "exercise"):
            for answer in left.pop(0):
                cells += [_with_source(cell, answer), _with_source(following, following.source)]
        elif not tagged(cell, "judge"):
            cells.append(cell)
    if left:
        raise ValueError(f"{len(left)} exercises fewer than answers")
    copy = nbformat.from_dict(notebook)
    copy.cells = [nbformat.from_dict(cell) for cell in cells]
    return copy


def _with_source(cell: NotebookNode, source: str) -> NotebookNode:
    copy = nbformat.from_dict(cell)
    copy.source = source
    return copy


def execute(notebook: NotebookNode, folder: Path) -> None:
    """Run all cells in a new kernel whose folder is `folder`; outputs are stored in the cells.

    Of a widget that has a picture the picture is: the widget shows nothing without its kernel.
    Raises `nbclient.exceptions.CellExecutionError` where a cell does.
    """
    with tempfile.TemporaryDirectory() as sockets:
        # of five free ports that a kernel is to open another process may take one meanwhile
        by_files = {"transport": "ipc", "ip": f"{sockets}/kernel"}
        NotebookClient(
            notebook,
            timeout=TIMEOUT,
            startup_timeout=TIMEOUT,
            iopub_timeout=TIMEOUT,  # else what a busy machine shows late is left out in silence
            kernel_name="python3",
            resources={"metadata": {"path": folder}},
            coalesce_streams=True,  # one output, however slowly it came
            store_widget_state=False,
            config=Config(KernelManager=by_files if len(sockets) < LONGEST else {}),
        ).execute()
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            if "image/png" in output.get("data", {}):
                output.data.pop(WIDGET, None)


def store(path: Path, say: Callable[[str], object] = print) -> None:
    """Run the notebook of a file as it stands, and write it with what it printed and drew."""
    notebook = read(path)
    execute(notebook, path.parent)
    for number, cell in enumerate(notebook.cells, start=1):
        cell.id = f"cell-{number}"  # the same for the same notebook, so that a change shows
        cell.metadata = {"tags": cell.metadata.tags} if cell.metadata.get("tags") else {}
    notebook.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
        "minise": {"code": code_mark(notebook)},
    }
    nbformat.validate(notebook)
    nbformat.write(notebook, path)
    say(f"{path.name}: {path.stat().st_size / 1024:.0f} KB")


if __name__ == "__main__":
    for name in sys.argv[1:] or sorted(path.name for path in FOLDER.glob("*.ipynb")):
        store(FOLDER / Path(name).name)
