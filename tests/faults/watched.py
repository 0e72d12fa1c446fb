"""A plugin of pytest for `plant`: which tests run which lines, or only the tests that do.

MINISE_RECORD names a folder to write the record to; MINISE_CHOSEN a file of the tests to run.
"""

import json
import os
import time
import uuid
from collections import Counter
from pathlib import Path

import coverage
import pytest

RECORD, CHOSEN = os.environ.get("MINISE_RECORD"), os.environ.get("MINISE_CHOSEN")

measured = coverage.Coverage(
    data_file=f"{RECORD}/lines", data_suffix=True, source_pkgs=["minise"], config_file=False
)
seconds: Counter[str] = Counter()
failed: set[str] = set()
if RECORD:
    measured.start()  # before minise is imported


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector):
    """What makes the parameters of tests is run while they are collected."""
    if RECORD and isinstance(collector, pytest.File):
        measured.switch_context(collector.nodeid)
    result = yield
    if RECORD:
        measured.switch_context("")
    return result


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item):
    if not RECORD:
        return (yield)
    began = time.process_time()
    measured.switch_context(item.nodeid)
    result = yield
    measured.switch_context("")
    seconds[item.nodeid] = time.process_time() - began
    return result


def pytest_runtest_logreport(report):
    if report.failed or report.skipped:
        failed.add(report.nodeid)


def pytest_unconfigure():
    if RECORD:
        measured.stop()
        measured.save()
        kept = {test: spent for test, spent in seconds.items() if test not in failed}
        Path(RECORD, f"seconds-{uuid.uuid4().hex}.json").write_text(json.dumps(kept))


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config, items):
    if CHOSEN:
        order = {test: i for i, test in enumerate(Path(CHOSEN).read_text().splitlines())}
        config.hook.pytest_deselected(items=[item for item in items if item.nodeid not in order])
        items[:] = sorted((i for i in items if i.nodeid in order), key=lambda i: order[i.nodeid])
