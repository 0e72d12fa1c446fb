"""Finite differences against what a backward says: of functions, objects, losses, layers, nets.

report = gradcheck.check((ops.conv2d, ops.conv2d_backward), x, w, b)
print(report)
report.plot("conv2d.png")
gradcheck.assert_gradients(minise.SEBlock(8, 2), x)
"""

from minise.gradcheck.check import assert_gradients, check
from minise.gradcheck.checked import Checked
from minise.gradcheck.differences import Verdict
from minise.gradcheck.examples import EXAMPLES, Example
from minise.gradcheck.report import Report

__all__ = ["EXAMPLES", "Checked", "Example", "Report", "Verdict", "assert_gradients", "check"]
