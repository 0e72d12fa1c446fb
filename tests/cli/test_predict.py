"""`minise predict` with a net whose scores are known from the digit it is given."""

import numpy as np
import pytest
from PIL import Image

from minise import data, nn, runs

MEAN, STD = 0.3, 0.2


@pytest.fixture
def said(minise, monkeypatch, tmp_path):
    """What is said of a thick 1, and the digit that stands for it."""
    picture = np.full((60, 40), 230, np.uint8)
    picture[10:50, 16:24] = 30
    Image.fromarray(picture).save(tmp_path / "one.png")
    W = np.zeros((4, 784), np.float32)
    W[1] = 1 / 784  # the mean of the input is the score of the second class
    W[2], W[3] = 0.3 * W[1], -W[1]
    net = nn.Sequential(flatten=nn.Flatten(), fc=nn.Linear(784, 4))
    net.fc.weight.value[...] = W

    def told(mean):
        names = ("ant", "bee", "cat", "dog")
        about = runs.About("cnn", 4, (1, 28, 28), mean, STD, "there", 0, {}, names)
        monkeypatch.setattr(runs, "load_run", lambda run: (net, about))
        code, out, err = minise("predict", "run", "one.png")
        assert (code, err) == (0, "")
        return out

    return told, data.fit_digit(picture)


@pytest.mark.parametrize("mean", [MEAN, 0.8])
def test_the_three_likeliest_classes_and_their_probabilities(said, mean):
    told, digit = said
    if mean > 0.5:  # it learned dark digits on light paper
        digit = 255 - digit
    score = (digit.mean() / 255 - mean) / STD
    e = np.exp(score * np.array([0, 1, 0.3, -1]))
    p = dict(zip(("ant", "bee", "cat", "dog"), 100 * e / e.sum(), strict=True))
    first, second, third, _ = sorted(p, key=p.get, reverse=True)
    assert told(mean) == (
        f"one.png: {first} ({p[first]:.1f}%), then {second} ({p[second]:.1f}%), "
        f"{third} ({p[third]:.1f}%)\n"
    )
    assert (first, third) == {MEAN: ("dog", "cat"), 0.8: ("bee", "ant")}[mean]
