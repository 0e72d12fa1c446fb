"""`minise eval` on images whose scores are their brighter pixels: all figures by hand."""

import numpy as np
import pytest

from minise import nn, runs
from minise.data import Dataset, Split

# Of five ants two are taken for bees and one for a cat, of three bees two for cats; no dogs.
LABELS = np.array([0, 0, 0, 0, 0, 1, 1, 1, 2, 2])
SAID = np.array([0, 0, 1, 2, 1, 1, 2, 2, 2, 2])
PIXELS = (51 + 51 * np.eye(4, dtype=np.uint8)[SAID])[:, None, None]  # (N, 1, 1, 4): 0.4, else 0.2


@pytest.fixture
def lines(minise, monkeypatch):
    """What is said of a net whose file of weights has a mean of 0.3 and a deviation of 0.1."""
    names = ("ant", "bee", "[cat]", "dog")
    about = runs.About("cnn", 4, (1, 1, 4), 0.3, 0.1, "there", 0, {}, names)
    test = Dataset("here", Split(255 - PIXELS, 2 - LABELS), Split(PIXELS, LABELS))
    net = nn.Sequential(flatten=nn.Flatten(), relu=nn.ReLU())  # a softmax would not see the mean
    monkeypatch.setattr("minise.cli.evaluate.run_with_data", lambda run, data: (net, about, test))
    code, out, err = minise("eval", "run")
    assert (code, err) == (0, "")
    assert "│ [cat] │      2 │ 100.00% │" in out  # figures stand below one another
    assert "│   bee │      3 │  33.33% │" in out
    return [[cell.strip() for cell in line.strip("│").split("│")] for line in out.splitlines()]


def test_accuracy_and_loss(lines):
    # the scores are 1 for what is said and thrice 0
    losses = np.log(np.exp(1) + 3) - (SAID == LABELS)
    said = f"cnn on here: test accuracy 50.00%, loss {losses.mean():.4f}, 10 images"
    assert lines[-1] == [said]


def test_each_class_with_its_part_that_is_right_and_its_most_frequent_mistake(lines):
    # of all that is called bee a third is right, of the cats 2 of 5: that is not what is shown
    assert lines[3:-2] == [
        ["ant", "5", "40.00%", "bee (2)"],
        ["bee", "3", "33.33%", "[cat] (2)"],
        ["[cat]", "2", "100.00%", ""],
        ["dog", "0", "", ""],
    ]
