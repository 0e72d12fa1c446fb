#!/usr/bin/env bash
# jupyter_client 8.10.0 sends a widget's buffer as it lies in memory. It refuses what is not
# contiguous, and a transposed array's memoryview counts as contiguous, in Fortran's order: bytes() of
# it, and NumPy, read it transposed, and the page receives it as it was before. So a map whose axes
# were exchanged (channels first and last, or x and y) is drawn as if they had not been, without a
# word. The same view turned round raises an error, and so does ipywidgets' own embedding of this one.
#
#   maps = [[0, 1, 2], [3, 4, 5]]      bytes() in Python     received
#   memoryview(maps)                   0 1 2 3 4 5           0 1 2 3 4 5
#   memoryview(maps.T)                 0 3 1 4 2 5           0 1 2 3 4 5
#   memoryview(maps[:, ::-1])          2 1 0 5 4 3           ValueError: … is not contiguous
#   maps.T.tobytes()                   0 3 1 4 2 5           0 3 1 4 2 5
#   embedded, memoryview(maps.T)                             BufferError: … not C-contiguous
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip --quiet install jupyter_client==8.10.0 nbclient==0.11.0 \
  nbformat==5.11.1 ipykernel==7.4.0 anywidget==0.11.0 ipywidgets==8.1.9 numpy==2.4.6
cd "$folder"
cat > transposed.py <<'END'
import ast
import base64

import nbformat
from nbclient import NotebookClient

FIRST = """
import anywidget
import numpy as np
from ipywidgets.embed import dependency_state
from traitlets import Any

class Widget(anywidget.AnyWidget):
    _esm = "export default { render() {} }"
    maps = Any(b"nothing").tag(sync=True)

maps = np.arange(6, dtype=np.uint8).reshape(2, 3)
widget = Widget()
"""
SECOND = """
def attempt(action):
    try:
        return action()
    except (BufferError, ValueError) as error:
        return f"{type(error).__name__}: {error}"

value = VALUE
error = attempt(lambda: widget.set_trait("maps", value))
embedded = attempt(lambda: dependency_state([widget]) and None)
{"python": list(bytes(value)), "error": error, "embedded": embedded}
"""


def seen(value):
    cells = [nbformat.v4.new_code_cell(cell) for cell in (FIRST, SECOND.replace("VALUE", value))]
    notebook = nbformat.v4.new_notebook(cells=cells)
    NotebookClient(notebook, timeout=120, kernel_name="python3").execute()
    answer = ast.literal_eval(notebook.cells[-1].outputs[-1]["data"]["text/plain"])
    models = notebook.metadata.widgets["application/vnd.jupyter.widget-state+json"]["state"]
    (model,) = (model for model in models.values() if model["model_name"] == "AnyModel")
    received = list(base64.b64decode(model["buffers"][0]["data"]))
    print(value, answer, "received", bytes(received) if bytes(received) == b"nothing" else received)
    return answer["python"], answer["error"] or received, answer["embedded"]


straight, transposed = [0, 1, 2, 3, 4, 5], [0, 3, 1, 4, 2, 5]
assert seen("memoryview(maps)") == (straight, straight, None)
python, received, embedded = seen("memoryview(maps.T)")
assert (python, received) == (transposed, straight)
assert embedded.startswith("BufferError") and "C-contiguous" in embedded
assert seen("maps.T.tobytes()") == (transposed, transposed, None)
python, error, _ = seen("memoryview(maps[:, ::-1])")
assert python == [2, 1, 0, 5, 4, 3] and error.startswith("ValueError") and "contiguous" in error
END
HOME=$PWD venv/bin/python transposed.py
