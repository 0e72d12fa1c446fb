"""One row for each operation: how it is called, what it is judged by, how it could be wrong.

A file here stands for the file of that name in `minise/ops`, and is found by itself. Nothing in a
naive loop is taken from minise. All of them compute in float64 and give a float64 array.
"""

import importlib
import pkgutil

from minise import nn

FILES = [importlib.import_module(f"rows.{file.name}") for file in pkgutil.iter_modules(__path__)]
ROWS = {row.operation: row for file in FILES for row in getattr(file, "ROWS", ())}
# layers that are an operation and nothing else, parameters apart
OF_LAYERS = {
    layer: row
    for layer in nn.__all__
    for name, row in ROWS.items()
    if layer.lower() == name.replace("_", "")
}
