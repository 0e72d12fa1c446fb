"""Squeeze-and-Excitation networks from scratch on NumPy: every gradient by hand, and proved."""

__version__ = "0.1.0"  # the only place: the package and its wheel read it here

try:
    from minise import backend, data, export, gradcheck, inspect, models, nn, ops, runs, train
    from minise.backend import set_num_threads
    from minise.cost import Cost, cost
    from minise.errors import InputError
    from minise.layer_table import compare, summary
    from minise.nn import Residual, SEBlock
except KeyboardInterrupt:
    from minise import __main__ as command

    if not command.is_running():
        raise
    command.stop()

__all__ = [
    "Cost",
    "InputError",
    "Residual",
    "SEBlock",
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
    "runs",
    "set_num_threads",
    "summary",
    "train",
]
