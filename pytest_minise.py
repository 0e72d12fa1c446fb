"""The fixture `gradcheck` for pytest, which finds it wherever minise is installed.

It stands beside the package, as every run of pytest imports it, and minise brings NumPy: that is
imported when a test asks for the fixture.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from minise.gradcheck import Report

MOST = 120  # letters of a file's name; whole paths on Windows may have 260


def pytest_addoption(parser: pytest.Parser) -> None:
    """The one option of the plugin."""
    parser.getgroup("minise").addoption(
        "--gradcheck-plots",
        metavar="DIR",
        help="draw each check of the fixture `gradcheck` that fails in this folder, as a .png "
        "named after its test; for one that passes, call plot() of the report that it returns",
    )


@pytest.fixture
def gradcheck(request: pytest.FixtureRequest) -> Callable[..., Report]:
    """Check gradients, as in `gradcheck((f, f_backward), x, w)`; see `minise.gradcheck.check`.

    It takes what that takes, returns the report, and fails with it where a gradient is wrong.
    """
    from minise.gradcheck import check

    failed = 0

    def checked(subject: Any, *inputs: Any, **options: Any) -> Report:
        __tracebackhide__ = True
        nonlocal failed
        report = check(subject, *inputs, **options)
        if report.passed:
            return report
        failed += 1
        text = str(report)
        if folder := request.config.getoption("--gradcheck-plots"):
            file = picture(request.node.nodeid, failed)
            text += "\n  " + _drawn(report, request.config.invocation_params.dir / folder / file)
        raise AssertionError(text)

    return checked


def picture(test: str, number: int = 1) -> str:
    """The file's name for a failed check of this test, of letters that every system takes.

    Where those alone could be another test's, as on Windows, where A.png is a.png, a few letters
    of a digest follow.
    """
    plain = test.replace("::", "-").replace("/", "-")
    name = re.sub(r"[^\w.\-\[\]]+", "-", plain)[:MOST]
    if name != plain.casefold():
        name += "-" + hashlib.sha256(test.encode()).hexdigest()[:6]
    return name + (f"-{number}" if number > 1 else "") + ".png"


def _drawn(report: Report, path: Path) -> str:
    if not report.gradients:
        return "nothing to draw: no gradient was compared"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        report.plot(path)
    except (OSError, ValueError) as error:  # the report is worth more than its picture
        return f"not drawn: {error}"
    return f"drawn in {path}"
