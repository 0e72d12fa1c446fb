"""What each option of the other commands changes in what is printed, or in what is done."""

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from minise import backend, data, inspect, models, nn, runs, train
from minise.cores import most_threads

effect = pytest.mark.effect


@pytest.fixture(autouse=True)
def folder(minise, tmp_path):
    """Two nets, one that says 0 of all images and one that says 1, and images of both classes."""
    rng = np.random.default_rng(0)
    for name, labels in {"own": [0, 0, 0, 1], "other": [0, 1, 1, 1]}.items():
        images = rng.integers(0, 256, (4, 28, 28), np.uint8)
        np.savez(f"{name}.npz", x_train=images, y_train=labels, x_test=images, y_test=labels)
    about = runs.About("se-cnn", 2, (1, 28, 28), 0.5, 0.3, "own.npz", 0)
    for answer in (0, 1):
        net = models.create("se-cnn", num_classes=2)
        net.fc.weight.value[...] = 0
        net.fc.bias.value[...] = np.arange(2) == answer
        weights = tmp_path / "runs" / f"says-{answer}" / "model.safetensors"
        weights.parent.mkdir(parents=True)
        runs.save_weights(weights, net, about)
        os.utime(weights, (0, 10 - answer))  # the one that says 0 is the newest
    stroke = np.full((40, 40), 255, np.uint8)
    stroke[8:32, 18:22] = 0
    Image.fromarray(stroke).save("stroke.png")


def row(mark, typed, line):
    return pytest.param(typed, line, marks=mark, id=typed)


@pytest.mark.parametrize(
    ("typed", "line"),
    [
        row(
            effect("minise eval RUN"),
            "eval runs/says-1",
            "se-cnn on own: test accuracy 25.00%, loss 1.0633, 4 images",
        ),
        row(
            effect("minise eval --data"),
            "eval runs/says-1 --data other.npz",
            "se-cnn on other: test accuracy 75.00%, loss 0.5633, 4 images",
        ),
        row(
            effect("minise predict WORDS"),
            "predict runs/says-1 stroke.png",
            "stroke.png: 1 (73.1%), then 0 (26.9%)",
        ),
        row(
            effect("minise inspect WORDS"),
            "inspect runs/says-1 2",
            f"  {os.path.join('runs', 'says-1', 'maps-2.png')}",
        ),
        row(
            effect("minise inspect --out"),
            "inspect runs/says-1 --out here",
            f"  {os.path.join('here', 'gates.png')}",
        ),
        row(effect("minise warmup NAMES"), "warmup cnn", "ready: cnn"),
    ],
)
def test_a_line_says_what_was_typed(minise, typed, line):
    code, out, err = minise(*typed.split())
    assert code == 0, err
    assert line in out.splitlines()


@pytest.mark.effect("minise predict --show")
def test_what_the_net_was_given_is_shown_ten_times_as_large(minise):
    assert minise("predict", "runs/says-1", "stroke.png", "--show")[0] == 0
    seen = np.asarray(Image.open("runs/says-1/seen/stroke.png"))
    given = data.fit_digit(data.read_picture("stroke.png"))
    np.testing.assert_array_equal(seen, np.kron(given, np.ones((10, 10), np.uint8)))


@pytest.mark.effect("minise inspect --data", "minise inspect --classes")
def test_the_gates_are_those_of_these_images_and_classes(minise, monkeypatch):
    drawn, draw = [], inspect.draw_two_classes

    def draw_two_classes(*arguments):
        drawn.append(arguments)
        return draw(*arguments)

    monkeypatch.setattr(inspect, "draw_two_classes", draw_two_classes)
    typed = ["inspect", "runs/says-1", "--data", "other.npz", "--classes", "1,0"]
    assert minise(*typed)[0] == 0
    ((found, *classes),) = drawn
    assert classes == [1, 0]
    images = np.load("other.npz")["x_test"]
    net, _ = runs.load_run(Path("runs/says-1"))
    gates = inspect.gates(net, data.to_input(images[:, None], 0.5, 0.3))
    for name, s in gates.items():
        expected = [s[0], s[1:].mean(axis=0)]  # one image of class 0, three of class 1
        np.testing.assert_allclose(found[name].mean, expected, rtol=1e-6)


@pytest.mark.effect("minise warmup --batch-size")
def test_batches_of_that_size_are_warmed_up(minise, monkeypatch):
    seen = []
    monkeypatch.setattr(train, "warm_up", lambda net, shape, *what: seen.append(what))
    assert minise("warmup", "cnn", "--batch-size", 3)[0] == 0
    assert set(seen) == {(3, data.shift_and_rotate)}


@pytest.fixture
def seen(monkeypatch):
    """The backends, and the numbers of threads, on which a ReLU was computed."""
    forward, seen = nn.ReLU.forward, set()

    def watched(*arguments, **options):
        seen.add((backend.current().name, backend.get_num_threads()))
        return forward(*arguments, **options)

    monkeypatch.setattr(nn.ReLU, "forward", watched)
    backend.set_num_threads(most_threads())
    return seen


COMPUTING = {
    "train --data own.npz --epochs 1": effect("minise train --backend", "minise train --threads"),
    "eval runs/says-1": effect("minise eval --backend", "minise eval --threads"),
    "predict runs/says-1 stroke.png": effect(
        "minise predict --backend", "minise predict --threads"
    ),
    "inspect runs/says-1": effect("minise inspect --backend", "minise inspect --threads"),
    "summary se-cnn": effect("minise summary --backend", "minise summary --threads"),
    "gradcheck ReLU": effect("minise gradcheck --backend", "minise gradcheck --threads"),
    "warmup se-cnn --batch-size 1": effect("minise warmup --backend", "minise warmup --threads"),
}


@pytest.mark.parametrize(
    "typed", [pytest.param(typed, marks=mark) for typed, mark in COMPUTING.items()]
)
def test_a_backend_and_its_threads_compute(minise, seen, typed):
    assert minise(*typed.split(), "--backend", "numpy", "--threads", "1")[0] == 0
    assert seen == {("numpy", 1)}


@pytest.mark.effect(
    "minise train --device",
    "minise eval --device",
    "minise predict --device",
    "minise inspect --device",
    "minise play --device",
    "minise summary --device",
    "minise gradcheck --device",
    "minise bench --device",
    "minise warmup --device",
)
def test_a_device_is_that_of_a_gpu(minise):
    refused = "minise: backend: device 3 is a GPU, and 'numpy' does not use one\n"
    asked = {
        typed: minise(*typed.split(), "--backend", "numpy", "--device", 3)
        for typed in [*COMPUTING, "play", "bench --list"]
    }
    assert asked == dict.fromkeys(asked, (1, "", refused))
