"""`minise eval` on images whose scores are their pixels: all figures by hand."""

import numpy as np
import pytest

from minise import nn, runs
from minise.data import Dataset, Split

# Of the class "ant" one of four is taken for "bee", of the bees two of three for "[cat]"; no dogs.
LABELS = np.array([0, 0, 0, 0, 1, 1, 1, 2, 2])
SAID = np.array([0, 0, 0, 1, 1, 2, 2, 2, 2])
PIXELS = (51 + 51 * np.eye(4, dtype=np.uint8)[SAID])[:, None, None]  # (N, 1, 1, 4): 0.4, else 0.2


@pytest.fixture
def lines(minise, monkeypatch):
    """What is said of a net whose file of weights has a mean of 0.2 and a deviation of 0.1."""
    names = ("ant", "bee", "[cat]", "dog")
    about = runs.About("cnn", 4, (1, 1, 4), 0.2, 0.1, "there", 0, {}, names)
    test = Dataset("here", Split(255 - PIXELS, 3 - LABELS), Split(PIXELS, LABELS))
    net = nn.Sequential(flatten=nn.Flatten())
    monkeypatch.setattr("minise.cli.evaluate.run_with_data", lambda run, data: (net, about, test))
    code, out, err = minise("eval", "run")
    assert (code, err) == (0, "")
    return [[cell.strip() for cell in line.strip("│").split("│")] for line in out.splitlines()]


def test_accuracy_and_loss(lines):
    losses = np.where(SAID == LABELS, 0, 2) + np.log(np.exp(2) + 3)  # scores are 2 and thrice 0
    assert 6 / 9 == pytest.approx((SAID == LABELS).mean())
    loss = f"{losses.mean() - 2:.4f}"
    assert lines[-1] == [f"cnn on here: test accuracy 66.67%, loss {loss}, 9 images"]


def test_each_class_with_its_part_that_is_right_and_its_most_frequent_mistake(lines):
    # of the answers "bee" a half is right, of "[cat]" too: that is not what is shown
    assert lines[3:-2] == [
        ["ant", "4", "75.00%", "bee (1)"],
        ["bee", "3", "33.33%", "[cat] (2)"],
        ["[cat]", "2", "100.00%", ""],
        ["dog", "0", "", ""],
    ]
