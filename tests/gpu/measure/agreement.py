"""Nets on the GPU say what they say on the processor, and the same to the bit each time."""

from typing import NamedTuple

import numpy as np
from gpu.measure.findings import Findings

from minise import backend, data, models, ops, runs, train
from minise.bench.case import Arrays, draw
from minise.bench.cases import NET_GRADIENT_TOLERANCE
from minise.data import Dataset, Split
from minise.train.repeats import repeats_itself


class Net(NamedTuple):
    """A step of a named net with so many images."""

    name: str
    images: tuple[int, int, int, int]  # (N, C, H, W)
    tolerance: float = 1e-4  # of scores and loss


NETS = (
    Net("se-cnn", (64, 1, 28, 28)),
    Net("se-resnet8", (64, 1, 28, 28)),
    Net("se-inception-tiny", (32, 1, 28, 28)),
    Net("se-mobilenet-tiny", (32, 1, 28, 28)),
    Net("se-resnet50", (16, 3, 64, 64), 1e-3),  # a hundred layers that round
)
QUICK = (Net("se-cnn", (4, 1, 28, 28)), Net("se-mobilenet-tiny", (2, 1, 28, 28)))

STEPS, BATCH = 20, 64


def measure(found: Findings, quick: bool) -> None:
    for net in QUICK if quick else NETS:
        _compare(found, net)
    # one that is recorded as a graph, and one that is not
    for name in ("cnn",) if quick else ("se-resnet8", "se-resnet18"):
        _repeat(found, name, *((3, 4) if quick else (STEPS, BATCH)))


def _compare(found: Findings, net: Net) -> None:
    labels = np.random.default_rng(1).integers(0, 10, net.images[0])
    arrays = {**draw({"x": net.images}), "labels": labels}
    with backend.using("numba"):
        expected = _step(net.name, arrays)
    with backend.using("cupy"):
        got = _step(net.name, arrays)
    said = []
    for what, tolerance in (
        ("scores", net.tolerance),
        ("loss", net.tolerance),
        ("gradient", NET_GRADIENT_TOLERANCE),
        ("after the step", NET_GRADIENT_TOLERANCE),
    ):
        off = {
            name: relative_difference(got[name], expected[name])
            for name in expected
            if name.startswith(what)
        }
        worst = max(off, key=lambda name: (np.isnan(off[name]), off[name]))
        said.append(f"{what} {off[worst]:.1g}")
        if not off[worst] <= tolerance:  # put this way round, NaN is caught
            found.is_wrong(
                f"{net.name}: {worst} is off by {off[worst]:.2g} of itself, "
                f"{tolerance:g} is allowed"
            )
    found.figure(f"{net.name}, {net.images[0]} images, GPU against processor", ", ".join(said))


def _step(name: str, arrays: Arrays) -> Arrays:
    """What comes out of a step, on the backend in use, as NumPy arrays."""
    net = models.create(name, seed=0)
    optimizer = train.SGD(net.parameters(), 0.05, momentum=0.9, nesterov=True, weight_decay=5e-4)
    scores, backward = net.forward(backend.asarray(arrays["x"]))
    loss, saved = ops.softmax_cross_entropy(scores, backend.asarray(arrays["labels"]))
    backward(ops.softmax_cross_entropy_backward(1.0, saved))
    optimizer.step()
    results = {"scores": scores, "loss": loss}
    results |= {f"gradient of {key}": p.grad for key, p in net.named_parameters()}
    results |= {f"after the step, {key}": value for key, value in net.state_dict().items()}
    return {key: backend.asnumpy(value) for key, value in results.items()}


def relative_difference(a: np.ndarray, b: np.ndarray) -> float:
    """‖a − b‖ / ‖b‖."""
    size = np.linalg.norm(b)
    return float(np.linalg.norm(a - b) / size) if size else float(np.linalg.norm(a))


def _repeat(found: Findings, name: str, steps: int, batch: int) -> None:
    """Two trainings of so many steps end with the same bits."""
    digits = some_digits(steps * batch)
    with backend.using("cupy"):
        runs = [_trained(name, digits, batch) for _ in range(2)]
    same = all(np.array_equal(runs[0][key], runs[1][key]) for key in runs[0])
    how = "replayed" if runs[0].pop("recorded") else "not recorded"
    what = f"{name}, two trainings of {steps} steps, {how}"
    found.figure(what, "equal to the bit" if same else "they differ")
    if not same:
        found.is_wrong(f"{what}: they differ")


def _trained(name: str, digits: Dataset, batch: int) -> Arrays:
    config = runs.Config(model=name, epochs=1, batch_size=batch, test_at_end=True)
    training = runs.training_of(config, digits)
    history = training.run()
    return {
        **training.net.state_dict(),
        "loss": np.array(history[-1].loss),
        "recorded": np.array(repeats_itself(training.net)),
    }


def some_digits(count: int, tested: int = 64) -> Dataset:
    """The first of the sample that comes with minise."""
    sample = data.load("sample")
    return Dataset(
        "sample",
        Split(sample.train.images[:count], sample.train.labels[:count]),
        Split(sample.test.images[:tested], sample.test.labels[:tested]),
    )
