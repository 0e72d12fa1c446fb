#!/usr/bin/env bash
# nbclient 0.11.0 keeps the bytes that a widget's trait once held, and stores them in the notebook next
# to what the trait holds now. A page made of it (nbconvert, nbviewer, Sphinx, all by put_buffers of
# @jupyter-widgets) puts bytes into their places last: so it shows a picture that was cleared before
# the notebook ended, bytes in place of a text, and a list of maps as long as the longest one was.
# The kernel has the right values all along.
#
#   trait        was          is now     state stored   buffers stored       a page has
#   picture      b"seven"     None       None           b"seven"             b"seven"
#   answer       b"\x07"      "seven"    "seven"        b"\x07"              b"\x07"
#   maps         3 × bytes    [b"new"]   [None]         b"new", b"b", b"c"   3 × bytes
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip --quiet install \
  nbclient==0.11.0 nbformat==5.11.1 ipykernel==7.4.0 anywidget==0.11.0 ipywidgets==8.1.9
cd "$folder"
cat > buffers.py <<'END'
import ast
import base64
import copy

import nbformat
from nbclient import NotebookClient

CELLS = (
    """
import anywidget
from traitlets import Any

class Widget(anywidget.AnyWidget):
    _esm = "export default { render() {} }"
    picture = Any(b"seven").tag(sync=True)
    answer = Any(b"\\x07").tag(sync=True)
    maps = Any([b"a", b"b", b"c"]).tag(sync=True)

widget = Widget()
widget
""",
    """
widget.picture = None
widget.answer = "seven"
widget.maps = [b"new"]
""",
    "{name: widget.get_state()[name] for name in ('picture', 'answer', 'maps')}",
)


def as_on_a_page(state, buffers):
    for path, data in buffers.items():
        *parents, last = path
        place = state
        for key in parents:
            place = place[key]
        if isinstance(place, list):  # JavaScript's arrays grow
            place.extend([None] * (last + 1 - len(place)))
        place[last] = data
    return state


notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in CELLS])
NotebookClient(notebook, timeout=120, kernel_name="python3").execute()
kernel = ast.literal_eval(notebook.cells[-1].outputs[0]["data"]["text/plain"])
models = notebook.metadata.widgets["application/vnd.jupyter.widget-state+json"]["state"]
(model,) = (model for model in models.values() if model["model_name"] == "AnyModel")
state = {name: model["state"].get(name) for name in kernel}
buffers = {tuple(b["path"]): base64.b64decode(b["data"]) for b in model["buffers"]}
print("in the kernel", kernel)
print("state stored ", state)
print("buffers      ", buffers)
page = as_on_a_page(copy.deepcopy(state), buffers)
print("on a page    ", page)
assert kernel == {"picture": None, "answer": "seven", "maps": [b"new"]}
assert state == {"picture": None, "answer": "seven", "maps": [None]}
assert page == {"picture": b"seven", "answer": b"\x07", "maps": [b"new", b"b", b"c"]}
END
HOME=$PWD venv/bin/python buffers.py
