"""Sweeps: many trainings that differ in a few options, each done once, whatever is stopped."""

from minise.sweep.grid import points_of, read_axis, read_file
from minise.sweep.point import Point, State
from minise.sweep.sweep import Sweep

__all__ = ["Point", "State", "Sweep", "points_of", "read_axis", "read_file"]
