"""Faults that people make are rejected, the wrong gradient is named, and mostly the cause told."""

import numpy as np
import pytest
from planted import FAULTS, SUBJECTS
from planted.page import COLUMNS, PAGE, found, head, row

from minise import gradcheck

CODES = {id(fault.code): fault.code for fault in FAULTS}.values()


@pytest.mark.parametrize("title", SUBJECTS)
def test_every_fault_is_rejected_and_the_cause_told_is_the_one_planted(title):
    rows = ""
    for fault in SUBJECTS[title].FAULTS:
        told = found(fault)
        assert set(told) == set(fault.causes), fault.name
        for name, phrase in fault.causes.items():
            if phrase:
                assert phrase in told[name], fault.name
            else:
                assert told[name] == "", fault.name
        rows += row(fault, told)
    page = PAGE.read_text(encoding="utf-8")
    made = f"\n## {title}\n\n{COLUMNS}{rows}"
    assert made in page, "the page is another: cd tests; python -m planted.page"


def test_the_page_has_nothing_else():
    first, *sections = PAGE.read_text(encoding="utf-8").split("\n## ")
    assert [section.partition("\n")[0] for section in sections] == list(SUBJECTS)
    assert f"{first}" == head(sections)


@pytest.mark.parametrize("seed", range(3))
def test_no_right_code_is_rejected(seed):
    for code in CODES:
        report = gradcheck.check(code.pair(), *code.inputs(np.random.default_rng(seed)))
        assert report.passed, report


def test_there_are_enough_and_no_two_are_one(capsys):
    told = sum(any(fault.causes.values()) for fault in FAULTS)
    assert len({(fault.code.name, fault.right, fault.wrong) for fault in FAULTS}) == len(FAULTS)
    assert len(FAULTS) >= 130
    assert told >= 120
    reference = " ".join(PAGE.with_name("gradcheck.md").read_text(encoding="utf-8").split())
    assert f"has {len(FAULTS)} mistakes, all rejected, " in reference
    assert f"; for {told} that is a cause" in reference
    assert f"the {len(FAULTS)} [planted faults]" in reference
    with capsys.disabled():
        print(f"\n{len(FAULTS)} planted faults, the cause told of {told}")
