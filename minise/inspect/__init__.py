"""Looking into a net at work: what its SE blocks squeeze, their gates, and what they scale."""

from minise.inspect.excitations import (
    ByClass,
    Excitation,
    by_class,
    dead_units,
    excitations,
    gates,
)
from minise.inspect.pictures import draw_by_class, draw_maps, draw_two_classes

__all__ = [
    "ByClass",
    "Excitation",
    "by_class",
    "dead_units",
    "draw_by_class",
    "draw_maps",
    "draw_two_classes",
    "excitations",
    "gates",
]
