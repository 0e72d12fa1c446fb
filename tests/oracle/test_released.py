"""The record of what was compared with released packages, and the page that shows it."""

import importlib.util
import json
from pathlib import Path

import pytest

from minise import models

HERE = Path(__file__).parent / "released"


@pytest.fixture(scope="module")
def weights():
    spec = importlib.util.spec_from_file_location("released_weights", HERE / "weights.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def record():
    return json.loads((HERE / "weights.json").read_text())


def test_the_page_is_that_of_the_record(weights, record):
    assert weights.PAGE.read_text(encoding="utf-8") == weights.page(record)


def test_every_net_of_every_naming_was_read_and_written(weights, record):
    named = {
        (naming, ours, theirs)
        for naming, library in models.NAMINGS.items()
        for ours, theirs in library.nets.items()
    }
    compared = {
        (naming, ours, row["theirs"])
        for naming, rows in record.items()
        for ours, row in rows["nets"].items()
        if weights.fits(row)
    }
    assert named == compared


def test_our_nets_have_the_parameters_of_theirs(record):
    """Those of the largest nets of each family: to make all would take seconds."""
    for naming, library in models.NAMINGS.items():
        for family in library.families:
            name = min(family.nets, key=lambda name: record[naming]["nets"][name]["parameters"])
            options = {k: v for k, v in family.options.items() if models.has_option(name, k)}
            net = models.create(name, filled=False, **options)
            counted = sum(parameter.value.size for parameter in net.parameters())
            assert counted == record[naming]["nets"][name]["parameters"], (naming, name)


@pytest.mark.parametrize("error", [0.0, 1e-6, 1.2e-6, 9.9e-7])
def test_an_error_is_never_shown_smaller_than_it_is(weights, error):
    assert error <= float(weights.worst({"F32": error / 2, "F16": error})) <= 2 * error + 1e-12
