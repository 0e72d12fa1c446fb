"""Measuring minise on this machine, next to PyTorch where that is installed.

report = bench.run([bench.CASES["conv3x3-16-28"]], threads=2)
print(bench.as_json(report))
"""

from minise.bench.case import AnyCase, Arrays, Case, Library, MemoryCase, Side, Variant, Work
from minise.bench.cases import BATCHES, CASES, ON_GPU, SCALING
from minise.bench.ceiling import Ceilings
from minise.bench.loaded import Beside, run_loaded
from minise.bench.report import as_json
from minise.bench.runner import Report, Result, run
from minise.bench.timing import Measured
from minise.cores import cores

__all__ = [
    "BATCHES",
    "CASES",
    "ON_GPU",
    "SCALING",
    "AnyCase",
    "Arrays",
    "Beside",
    "Case",
    "Ceilings",
    "Library",
    "Measured",
    "MemoryCase",
    "Report",
    "Result",
    "Side",
    "Variant",
    "Work",
    "as_json",
    "cores",
    "run",
    "run_loaded",
]
