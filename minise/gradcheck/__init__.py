"""Finite differences against what a backward says: for pairs of functions and for layers.

report = gradcheck.check((ops.conv2d, ops.conv2d_backward), x, w, b)
print(report)
gradcheck.assert_gradients(minise.SEBlock(8, 2, dtype=np.float64), x)
"""

from minise.gradcheck.check import assert_gradients, check
from minise.gradcheck.examples import EXAMPLES, Example
from minise.gradcheck.report import Report, Worst

__all__ = ["EXAMPLES", "Example", "Report", "Worst", "assert_gradients", "check"]
