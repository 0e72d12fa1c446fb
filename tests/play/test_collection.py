"""The images a page can pick from, and the gates of each class."""

import numpy as np
import playing
import pytest

from minise import InputError, data, inspect, nn
from minise.play import collection
from minise.play.collection import collect
from minise.play.session import Session
from minise.play.watch import Watcher


def test_gates_by_class_are_those_of_inspect():
    net, images = playing.nets()["standard"], playing.images(40)
    labels = np.random.default_rng(0).integers(0, playing.CLASSES, 40)
    found = collect(net, images, labels)
    x = data.to_input(images, found.mean, found.std)
    expected = inspect.by_class(inspect.gates(net, x)["block.se"], labels).mean
    assert list(found.means) == ["block.se"]
    np.testing.assert_allclose(found.means["block.se"], expected, rtol=1e-6)
    np.testing.assert_array_equal(found.answers, net(x).argmax(axis=1))
    assert found.classes == playing.CLASSES
    assert (found.mean, found.std) == data.pixel_statistics(images)


@pytest.mark.parametrize("name", playing.NAMES)
def test_the_gates_of_every_net_have_the_names_of_its_blocks(name):
    net = playing.nets()[name]
    found = collect(net, playing.images(), np.arange(12) % playing.CLASSES)
    blocks = Watcher(net).watch(found.input(found.images[0])).blocks
    gated = [n for n, block in blocks.items() if not block.gates_pixels]
    assert sorted(found.means) == sorted(gated)
    for block, means in found.means.items():
        assert means.shape == (playing.CLASSES, 4)
        seen = [Watcher(net).watch(found.input(image)).blocks[block].s[0] for image in found.images]
        expected = [np.mean(seen[k :: playing.CLASSES], axis=0) for k in range(playing.CLASSES)]
        np.testing.assert_allclose(means, expected, rtol=1e-5)


def test_without_labels_the_classes_are_what_the_net_says():
    net, images = playing.nets()["se"], playing.images()
    found = collect(net, images)
    assert found.labels is None
    x = found.inputs(images)
    expected = inspect.by_class(inspect.gates(net, x)["se"], net(x).argmax(axis=1)).mean
    np.testing.assert_allclose(found.means["se"][: len(expected)], expected, rtol=1e-6)
    about = Session(net, found).answer({"kind": "hello"}).header
    assert about["labels"] == found.answers.tolist()
    assert about["wrong"] == []


def test_a_class_without_images_has_no_means_and_cannot_be_had():
    net = playing.nets()["se"]
    found = collect(net, playing.images(), np.full(12, 2))
    assert np.isnan(found.means["se"][[0, 1, 3]]).all()
    assert np.isfinite(found.means["se"][2]).all()
    session = Session(net, found)
    question = playing.look(changes={"se": {"like": 2}})
    assert session.answer(question).header["kind"] == "seen"
    question = playing.look(changes={"se": {"like": 0}})
    assert "no mean gates of class 0" in session.answer(question).header["message"]


def test_what_came_out_wrong_is_told_by_number():
    net, images = playing.nets()["se"], playing.images()
    answers = collect(net, images).answers
    labels = answers.copy()
    labels[[3, 7]] = (labels[[3, 7]] + 1) % playing.CLASSES
    about = Session(net, collect(net, images, labels)).answer({"kind": "hello"}).header
    assert about["wrong"] == [3, 7]
    assert about["labels"] == labels.tolist()


def test_one_image_and_more_classes_than_ten():
    rng = np.random.default_rng(0)
    net = nn.Sequential(
        conv=nn.Conv2d(1, 4, 3, padding=1, rng=rng),
        se=nn.SEBlock(4, 2, rng=rng),
        pool=nn.GlobalAvgPool(),
        fc=nn.Linear(4, 12, rng=rng),
    )
    one = playing.images(1)
    session = Session(net, collect(net, one, [11], class_names=("a", "b")))
    about = session.answer({"kind": "hello"}).header
    assert about["classes"] == ["a", "b", *map(str, range(2, 12))]
    assert about["labels"] == [11]
    image = {"from": "test", "number": 0}
    seen = session.answer({"kind": "look", "image": image, "label": 11}).header
    assert len(seen["scores"]) == 12
    beyond = session.answer({"kind": "look", "image": image, "label": 12}).header
    assert "label is 12, expected 0 to 11" in beyond["message"]
    other = session.answer({"kind": "look", "image": {"from": "test", "number": 1}}).header
    assert "number is 1, expected 0 to 0" in other["message"]


def test_of_many_images_some_are_kept_evenly(monkeypatch):
    monkeypatch.setattr(collection, "MOST", 5)
    images, labels = playing.images(21), np.arange(21) % 3
    found = collect(playing.nets()["se"], images, labels)
    np.testing.assert_array_equal(found.images, images[[0, 5, 10, 15, 20]])
    assert found.labels.tolist() == [0, 2, 1, 0, 2]


def test_images_are_shown_to_the_net_in_parts_of_a_bounded_size(monkeypatch):
    net, images = playing.nets()["twice"], playing.images(9)
    whole = collect(net, images)
    monkeypatch.setattr(collection, "AT_ONCE", 2 * playing.SIDE**2)
    parts = collect(net, images)
    np.testing.assert_array_equal(parts.answers, whole.answers)
    for name, means in whole.means.items():
        np.testing.assert_allclose(parts.means[name], means, rtol=1e-6)


def test_what_cannot_be_collected_is_said():
    net, images = playing.nets()["se"], playing.images()
    for given, labels, told in (
        (images[0], None, r"images have shape \(1, 6, 6\), expected \(N, C, H, W\)"),
        (images[:0], None, r"images have shape \(0, 1, 6, 6\)"),
        (np.full(images.shape, np.inf), None, "NaN or infinity"),
        (images.astype(object), None, "images are object"),
        (
            images,
            np.arange(11),
            r"labels are int64 \(11,\), expected a whole number for each of 12",
        ),
        (images, np.zeros(12), "labels are float64"),
        (images, np.full(12, 4), "labels are 4 to 4, the net has 4 classes"),
        (images, np.full(12, -1), "labels are -1 to -1"),
    ):
        with pytest.raises(InputError, match=told):
            collect(net, given, labels)
    net.fc.weight.value[...] = np.nan
    with pytest.raises(InputError, match="NaN or infinity for 12 of 12 images"):
        collect(net, images)
    with pytest.raises(InputError, match=r"the net gives \(12, 1, 6, 6\), expected scores"):
        collect(nn.ReLU(), images)
