"""The record of what other runtimes make of exported nets, and the page that shows it."""

import importlib.util
import json
import sys
from pathlib import Path

import numpy as np
import pytest

from minise import export

HERE = Path(__file__).parent / "runtimes"


def module(name):
    spec = importlib.util.spec_from_file_location(f"runtimes_{name}", HERE / f"{name}.py")
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


@pytest.fixture(scope="module")
def pages():
    return module("page")


@pytest.fixture(scope="module")
def record():
    return json.loads((HERE / "runtimes.json").read_text("utf-8"))


def test_the_page_is_that_of_the_record(pages, record):
    assert pages.PAGE.read_text(encoding="utf-8") == pages.page(record)


def test_the_record_is_of_the_runtimes_and_nets_of_the_script(record, monkeypatch):
    monkeypatch.setitem(sys.modules, "page", module("page"))
    runtimes, nets = module("run").RUNTIMES, module("nets").NETS
    assert set(record["now"]) <= set(runtimes)
    for rows in record["now"].values():
        assert set(rows["nets"]) <= set(nets)


@pytest.mark.parametrize(
    ("net", "fault"),
    [
        ({"pixels": {"1": 1e-6, "5": 9e-5}, "normalised": {"1": 0.0, "5": 1e-7}}, ""),
        (
            {"pixels": {"1": 1e-6, "5": 0.02}, "normalised": {"1": 0.0, "5": 0.3}},
            "off by up to 1e0",
        ),
        ({"pixels": {"1": 1e-6, "5": float("nan")}}, "gives no numbers"),
        ({"pixels": {"1": 1e-6, "5": "no"}}, "`no` at 5"),
        ({"pixels": {"1": 0.0}, "normalised": {"error": "unknown"}}, "`unknown`"),
    ],
)
def test_what_is_wrong_is_told_and_counted(pages, net, fault):
    assert pages.fault_of(net) == fault
    assert all(pages.is_right(net, N) for N in ("1", "5")) == (not fault)


def test_what_a_runtime_was_not_given_is_told(pages):
    right = {"1": 0.0}
    both, one = {"pixels": right, "normalised": right}, {"pixels": right}
    now = {
        "all": {"nets": {"a": both, "b": both}},
        "some": {"nets": {"a": one}},
        "pixels": {"nets": {"a": one, "b": one}},
    }
    told = ["* without b: some", "* for pixels alone: some; pixels"]
    assert list(pages.left_out(now)) == told


def test_the_nets_that_are_given_to_runtimes_differ_from_image_to_image(pages):
    """So that a score that is mixed up with another's does not pass."""
    nets = module("nets")
    for name, make in nets.NETS.items():
        if name != "se-resnet50":
            x = export.Pixels(nets.MEAN, nets.STD).normalised(nets.pixels(name, 3))
            scores = nets.shaken(make())(x)
            assert np.isfinite(scores).all(), name
            apart = np.abs(scores - scores[:1])[1:].max() / np.abs(scores).max()
            assert apart > 2 * pages.LIMIT, name
