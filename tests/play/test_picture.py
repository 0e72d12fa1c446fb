"""The picture that is stored of a widget."""

from functools import partial

import numpy as np
import pytest
from matplotlib.colors import to_hex

from minise import inspect, models, nn
from minise.figures import png
from minise.play import picture
from minise.play.collection import collect

IMAGES = np.random.default_rng(0).integers(0, 256, (12, 1, 28, 28), np.uint8)
LABELS = np.arange(12) % 3


def drawn(net, labels=LABELS, number=0, **more):
    collection = collect(net, IMAGES, labels, **more)
    figure, told = picture.draw(net, collection, number)
    assert png(figure).startswith(b"\x89PNG")
    titles = [axes.get_title() for axes in figure.axes]
    return collection, figure, told, dict(zip(titles, figure.axes, strict=True))


def heights(axes):
    return np.array([bar.get_height() for bar in axes.patches])


def test_it_shows_the_image_the_scores_and_each_block_with_its_class():
    net = models.create("se-cnn", seed=0)
    collection, figure, told, axes = drawn(net, number=4)
    scores = net(collection.input(IMAGES[4]))[0]
    answer = scores.argmax()
    assert told == f"image 4, of class 1, which the net takes for {answer}"
    np.testing.assert_array_equal(axes["image 4"].images[0].get_array(), IMAGES[4, 0])
    (panel,) = [a for title, a in axes.items() if title.startswith(f"scores: {answer}, by softmax")]
    np.testing.assert_allclose(heights(panel), scores, rtol=1e-6)
    marked = [to_hex(bar.get_facecolor()) == picture.ACCENT for bar in panel.patches]
    assert marked == [k == answer for k in range(10)]
    blocks = inspect.excitations(net, collection.input(IMAGES[4]))
    gates = [a for a in figure.axes if a.get_title() == "gates s"]
    scaled = [a for a in figure.axes if a.get_title().startswith("y = s · x")]
    assert len(gates) == len(scaled) == len(blocks) == 2
    for (name, block), s, y in zip(blocks.items(), gates, scaled, strict=True):
        squeezed = heights(axes[f"{name}: squeeze z"])
        np.testing.assert_allclose(squeezed, block.squeezed[0], rtol=1e-6)
        np.testing.assert_allclose(heights(s), block.gates[0], rtol=1e-6)
        assert s.get_ylim() == (0, 1)
        (lines,) = s.collections
        mean = [segment[0, 1] for segment in lines.get_segments()]
        np.testing.assert_allclose(mean, collection.means[name][1], rtol=1e-6)
        assert s.get_xlabel() == "line: mean of 1"
        sheet = y.images[0].get_array()
        H, W = block.after.shape[2:]
        np.testing.assert_allclose(sheet[:H, :W], block.after[0, 0], rtol=1e-6)


def test_without_labels_the_class_is_what_the_net_takes_the_image_for():
    collection, figure, told, _ = drawn(models.create("se-cnn", seed=0), labels=None)
    answer = collection.answers[0]
    assert told == f"image 0, which the net takes for {answer}"
    assert f"line: mean of {answer}" in [axes.get_xlabel() for axes in figure.axes]


def test_classes_have_their_names():
    names = tuple("abcdefghij")
    _, _, told, _ = drawn(models.create("se-cnn", seed=0), class_names=names)
    assert told.startswith("image 0, of class a, which the net takes for ")


def test_of_many_blocks_and_maps_some_are_shown():
    _, figure, _, axes = drawn(models.create("se-resnet8", seed=0, num_classes=12))
    assert [title for title in axes if "first 16" in title]
    assert figure.get_size_inches()[0] == pytest.approx(5)
    assert picture._spread(list("abcdefghi"), 4) == ["a", "d", "f", "i"]


@pytest.mark.parametrize(
    ("block", "titles"),
    [
        (nn.ReLU, set()),
        (partial(nn.SpatialSE, 4), {"se: pixels", "gates s", "y = s · x"}),
        (partial(nn.NoSqueeze, 4, reduction=2), {"se: pixels", "gates s", "y = s · x"}),
        (partial(nn.ECA, 4), {"se: squeeze z", "gates s", "y = s · x"}),
        (nn.GatherExcite, {"se: squeeze z", "gates s", "y = s · x"}),
    ],
)
def test_every_kind_of_block_has_one(block, titles):
    rng = np.random.default_rng(1)
    conv, fc = nn.Conv2d(1, 4, 3, stride=9, rng=rng), nn.Linear(36, 3, rng=rng)
    net = nn.Sequential(conv=conv, se=block(), flatten=nn.Flatten(), fc=fc)
    *_, axes = drawn(net)
    assert {title for title in axes if title != "image 0" and "scores" not in title} == titles


def test_what_has_signs_is_grey_at_zero():
    figure = picture.new_figure(2, 2)
    axes = figure.add_subplot()
    picture._show(axes, np.array([[-1.0, 0.5]]), "maps")
    assert axes.images[0].get_clim() == (-1, 1)
    picture._show(axes, np.array([[0.25, 0.5]]), "maps")
    assert axes.images[1].get_clim() == (0, 0.5)
    picture._show(axes, np.zeros((3, 2, 2), np.float32), "in colour")
    assert axes.images[2].get_array().shape == (2, 2, 3)
