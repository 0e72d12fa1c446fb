"""What the scripts `in_*.py` share: each reads the blocks of the packages of one environment.

Run by `blocks.py`, in that environment. `python in_torch.py widths` prints, for each preset, the
hidden width for every C from 8 to 4096, or null where the package refuses it or builds a block that
fails. C is the number of channels that the package reduces. Nothing is computed: PyTorch builds on
its meta device, and where there is none, the package is given a stand-in for its convolutions that
notes how many filters were asked for. `python in_torch.py outputs FILE.npz` builds blocks, gives
them random numbers, and keeps these with what the block makes of a random x.
"""

import contextlib
import importlib
import json
import math
import sys

import numpy as np

CHANNELS = range(8, 4097)
COMPARED = (72, 256)


def found(path):
    """As in "timm.layers.SEModule"."""
    module, _, name = path.rpartition(".")
    return getattr(importlib.import_module(module), name)


class Noted:
    """A layer that only notes the arguments that it was made from."""

    def __init__(self, made, position):
        self.made, self.position = made, position

    def __call__(self, *arguments, **options):
        sizes = [
            options[name] for name in ("filters", "out_channels", "out_features") if name in options
        ]
        self.made.append((sizes or [arguments[self.position]])[0])
        return lambda x: x


@contextlib.contextmanager
def noted(module, *names, position):
    """Within it, layers of these names note their width, which is the argument at `position`."""
    made, module = [], importlib.import_module(module)
    before = {name: getattr(module, name) for name in names}
    for name in names:
        setattr(module, name, Noted(made, position))
    yield made
    for name, value in before.items():
        setattr(module, name, value)


def random_input(C, axes, rng):
    """(16, C, 5, 7), or (16, C, 7) for one axis, with means that differ by channel."""
    shape = (16, C, 5, 7) if axes == 2 else (16, C, 7)
    return rng.normal(size=shape) + rng.normal(size=(16, C) + (1,) * axes)


def random_like(name, value, rng):
    """For weights (out, in…) large enough that both ends of gates and of a relu6 are reached."""
    if "var" in name.rpartition(".")[2]:
        return rng.uniform(0.5, 1.5, value.shape)  # of a batch norm
    fan_in = math.prod(value.shape[1:])
    return rng.normal(size=value.shape) * 3 / math.sqrt(fan_in)


def width(read, C):
    """None where the package raises, or builds a block without hidden units, which cannot run."""
    try:
        return int(read(C)) or None
    except (ValueError, ZeroDivisionError, AssertionError, RuntimeError):
        return None


def main(widths, outputs):
    """`widths` has a function of C by preset; `outputs` one of (C, rng) -> {name: array}: x, y, and
    the numbers in the block's order, a map's as (out, in…)."""
    if sys.argv[1] == "widths":
        every = {}
        for preset, read in widths.items():
            read(64)  # what fails here is not a width that it refuses
            every[preset] = [width(read, C) for C in CHANNELS]
        print(json.dumps(every))
        return
    kept = {}
    for preset, run in outputs.items():
        for C in COMPARED:
            arrays = run(C, np.random.default_rng(C))
            kept |= {f"{preset}/{C}/{name}": array for name, array in arrays.items()}
    np.savez(sys.argv[2], **kept)
