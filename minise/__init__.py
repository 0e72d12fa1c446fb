"""Squeeze-and-Excitation networks from scratch on NumPy: every gradient by hand, and proved."""

from minise.interrupted import is_command, stop

try:
    from minise import backend, data, export, gradcheck, inspect, models, nn, ops, runs, train
    from minise.backend import set_num_threads
    from minise.comparison import compare
    from minise.cost import Cost, cost
    from minise.errors import InputError
    from minise.layer_table import Summary, summary
    from minise.nn import Residual, SEBlock
    from minise.play import play
    from minise.version import __version__ as __version__
except KeyboardInterrupt:
    if not is_command():
        raise
    stop()

__all__ = [
    "Cost",
    "InputError",
    "Residual",
    "SEBlock",
    "Summary",
    "backend",
    "compare",
    "cost",
    "data",
    "export",
    "gradcheck",
    "inspect",
    "models",
    "nn",
    "ops",
    "play",
    "runs",
    "set_num_threads",
    "summary",
    "train",
]
