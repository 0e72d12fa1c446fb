"""Training steps beside what torch.compile makes of PyTorch's: apart, since that takes its time."""

from gpu.measure import steps
from gpu.measure.findings import Findings

COMPILED = ("nchw_compiled", "nchw_compiled_graphs")


def measure(found: Findings, quick: bool) -> None:
    if reason := steps.without_pytorch():
        found.note(reason)
        return
    for case, goal in steps.cases(quick).items():
        report = steps.run(case, quick, compiled=True)
        steps.tell(found, report, goal, COMPILED)
