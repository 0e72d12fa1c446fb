"""Sweeps: many trainings that differ in a few options, each done once, whatever is stopped."""

from minise.sweep.estimate import Estimate
from minise.sweep.grid import points_of, read_axis, read_file, starts_of
from minise.sweep.point import Point, State
from minise.sweep.sweep import Sweep

__all__ = [
    "Estimate",
    "Point",
    "State",
    "Sweep",
    "points_of",
    "read_axis",
    "read_file",
    "starts_of",
]
