"""What the command prints fits a terminal of 80 columns, and no word of it is broken."""

import re

import pytest
from click.testing import CliRunner

from minise import cli

COLOURS = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]")
OWN = """
import numpy as np

def scale(x, s):
    return x * s[:, :, None, None], (x, s)

def scale_backward(dy, saved):
    x, s = saved
    return dy * s[:, :, None, None], (dy * x).mean(axis=(2, 3))
"""


def printed(*arguments):
    """The lines, as a terminal of 80 columns is given them."""
    in_terminal = {"COLUMNS": "80", "FORCE_COLOR": "1", "TERM": "xterm"}
    result = CliRunner(env=in_terminal).invoke(cli.cli, list(arguments), prog_name="minise")
    return COLOURS.sub("", result.output).splitlines()


def assert_fits(lines):
    assert len(lines) > 2
    assert [line for line in lines if len(line) > 80] == []


@pytest.mark.parametrize("name", ["", *cli.cli.commands])
def test_help_fits(name):
    assert_fits(printed(*filter(None, [name]), "--help"))


@pytest.mark.parametrize(
    "words",
    [
        ["models", "tiny"],
        ["recipes"],
        ["summary", "seed", "--full"],
        ["summary", "se-resnet50", "--compare", "resnet50"],
        ["bench", "--list"],
        ["gradcheck", "scale_add_relu", "ECA"],
    ],
    ids=" ".join,
)
def test_tables_fit(words):
    assert_fits(printed(*words))


def test_a_report_on_ones_own_code_fits(tmp_path):
    (tmp_path / "layers.py").write_text(OWN, encoding="utf-8")
    target = f"{tmp_path / 'layers.py'}:scale"
    lines = printed("gradcheck", target, "--input", "2,3,4,5", "--input", "2,3")
    heads = [line.split() for line in lines if line.startswith("  gradient of")]
    assert heads == [
        [
            "gradient",
            "of",
            "entries",
            "verdict",
            "worst",
            "at",
            "backward",
            "numeric",
            "error",
            "step",
        ]
    ]
    assert_fits(lines)
