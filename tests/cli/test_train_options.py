"""What each option of `minise train` changes, seen in the steps of a training of two epochs."""

import sys
from copy import deepcopy
from pathlib import Path
from typing import NamedTuple
from unittest.mock import Mock

import numpy as np
import pytest

from minise import data, models, runs, train

effect = pytest.mark.effect

TRAIN, LABELS = np.uint8([10, 20, 30, 40]), np.array([0, 1, 1, 0])  # images of one grey each


class Step(NamedTuple):
    """One step: what it was given, and how the net was before it."""

    images: np.ndarray  # (N, 28, 28), bytes
    labels: np.ndarray
    rate: float
    weights: dict[str, np.ndarray]
    scores: np.ndarray


class Trained(NamedTuple):
    """What a training did."""

    training: train.Training
    steps: list[Step]
    saved: list[int]  # after how many steps there was a checkpoint
    folder: Path

    @property
    def greys(self):
        """Of the images, at the centre, where nothing is shifted in."""
        return self._pixels(14)

    @property
    def corners(self):
        """Those of an image that was turned or shifted are black."""
        return self._pixels(0)

    def _pixels(self, k):
        return sorted({int(grey) for step in self.steps for grey in step.images[:, k, k]})

    @property
    def rates(self):
        return [step.rate for step in self.steps]

    @property
    def sizes(self):
        return [len(step.labels) for step in self.steps]

    @property
    def parameters(self):
        return sum(parameter.value.size for parameter in self.training.net.parameters())

    @property
    def hidden_units(self):
        state = self.training.net.state_dict()
        return [len(array) for name, array in state.items() if name.endswith("fc1.weight")]

    @property
    def tested(self):
        """After which epochs."""
        return [e.epoch for e in self.training.history if e.test_accuracy is not None]

    @property
    def first_move(self):
        """How far the first step takes a bias, which does not decay: Adam's as far as its rate."""
        before, after = (step.weights["fc.bias"] for step in self.steps[:2])
        return float(np.abs(after - before)[0] * 0.1 / self.rates[0])


@pytest.fixture
def trained(minise, tmp_path, monkeypatch):
    """Train with these options."""
    for name, brighter in (("own", 0), ("other", 100)):
        greys = np.uint8([10, 20, 30, 40, 50, 60]) + np.uint8(brighter)
        images = np.broadcast_to(greys[:, None, None], (6, 28, 28))
        np.savez(
            tmp_path / f"{name}.npz",
            x_train=images[:4],
            y_train=LABELS,
            x_test=images[4:],
            y_test=LABELS[:2],
        )
    steps, saved, made = [], [], []
    take, keep = train.Training._step, runs.Run.keep

    def step(training, layers, timed, x, labels):
        net = deepcopy(training.net)
        weights = {name: array.copy() for name, array in net.state_dict().items()}
        pixels = 255 * (x[:, 0] * training.std + training.mean)
        scores = net.forward(x, training=True)[0]
        steps.append(
            Step(
                pixels.round().astype(np.uint8),
                labels.copy(),
                training.optimizer.lr,
                weights,
                scores.astype(np.float64),
            )
        )
        take(training, layers, timed, x, labels)

    def write(run):
        saved.append(run.training.all_steps)
        keep(run)

    def finish(run, *_):
        made.append(run)

    monkeypatch.setattr(train.Training, "_step", step)
    monkeypatch.setattr(runs.Run, "keep", write)
    monkeypatch.setattr(runs.Run, "finish", finish)  # draws nothing

    def trained(typed=""):
        steps.clear()
        saved.clear()
        code, _, err = minise("train", "--data", "own.npz", "--epochs", 2, *typed.split())
        assert code == 0, err
        run = made.pop()
        return Trained(run.training, steps[:], saved[:], run.folder)

    return trained


def row(mark, typed, what, value):
    return pytest.param(typed, what, value, marks=mark, id=typed)


@pytest.mark.parametrize(
    ("typed", "what", "value"),
    [
        row(effect("minise train --model"), "--model cnn", "parameters", 2818),
        row(effect("minise train --option"), "--option reduction=4", "hidden_units", [4, 10]),
        row(effect("minise train --data"), "--data other.npz", "greys", [110, 120, 130, 140]),
        row(effect("minise train --hold-out"), "--hold-out 1", "sizes", [3, 3]),
        row(effect("minise train --train-images"), "--train-images 3", "sizes", [3, 3]),
        row(effect("minise train --train-images"), "--train-images 0", "sizes", [4, 4]),
        row(effect("minise train --epochs"), "--epochs 3", "tested", [1, 2, 3]),
        row(effect("minise train --batch-size"), "--batch-size 3", "sizes", [3, 1, 3, 1]),
        row(effect("minise train --batch-size"), "--batch-size 1", "sizes", [1] * 8),
        row(effect("minise train --lr"), "--lr 0.3 --schedule cosine", "rates", [0.3, 0.15]),
        row(effect("minise train --schedule"), "--schedule cosine", "rates", [0.1, 0.05]),
        row(effect("minise train --optimizer"), "--optimizer adamw --lr 0.1", "first_move", 0.1),
        row(effect("minise train --augment"), "--no-augment", "corners", [10, 20, 30, 40]),
        row(effect("minise train --test-at-end"), "--test-at-end", "tested", [2]),
        row(effect("minise train --out"), "--out here", "folder", Path("here")),
        row(
            effect("minise train --checkpoint-every"), "--checkpoint-every 2epochs", "saved", [0, 2]
        ),
    ],
)
def test_a_training_does_what_is_typed(trained, typed, what, value):
    assert getattr(trained(typed), what) == pytest.approx(value)


@pytest.mark.effect("minise train --weight-decay")
def test_the_weights_decay(trained):
    """By momentum as well: with Nesterov's, the first step is 1 + 0.9 gradients long."""
    without, decayed = (trained(f"--weight-decay {decay} --out {decay}") for decay in (0, 0.5))
    weight = without.steps[0].weights["fc.weight"]
    after, decayed_after = (run.steps[1].weights["fc.weight"] for run in (without, decayed))
    pull = without.rates[0] * 1.9 * 0.5 * weight
    np.testing.assert_allclose(after - decayed_after, pull, rtol=1e-3, atol=1e-7)


@pytest.mark.effect("minise train --label-smoothing")
def test_the_loss_is_that_of_smoothed_labels(trained):
    run = trained("--label-smoothing 0.3")
    (_, labels, _, _, scores), _ = run.steps
    p = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    target = np.where(labels[:, None] == [0, 1], 0.7 + 0.15, 0.15)
    loss = -(target * np.log(p)).sum(axis=1).mean()
    assert run.training.history[0].loss == pytest.approx(loss, rel=1e-5)


@pytest.mark.effect("minise train --seed")
def test_the_seed_draws_the_first_weights(trained):
    net = models.create("se-cnn3", num_classes=2, seed=3)
    for name, weight in trained("--seed 3").steps[0].weights.items():
        np.testing.assert_array_equal(weight, net.state_dict()[name])


@pytest.mark.effect("minise train --seed")
def test_the_seed_draws_the_order_of_the_images(trained):
    order = np.random.default_rng([3, 1]).permutation(4)
    images = trained("--seed 3 --no-augment").steps[0].images
    np.testing.assert_array_equal(images[:, 0, 0], TRAIN[order])


@pytest.mark.effect("minise train --seed")
def test_the_seed_draws_what_is_done_to_each_image(trained):
    rng = np.random.default_rng([3, 1])
    order = rng.permutation(4)
    images = np.tile(TRAIN[order, None, None, None], (1, 1, 28, 28))
    changed = data.shift_and_rotate(images, rng)
    np.testing.assert_array_equal(trained("--seed 3 --augment").steps[0].images, changed[:, 0])


def test_the_same_seed_gives_the_same_bits(trained):
    one, other = (trained(f"--out {out}").training.net.state_dict() for out in ("one", "other"))
    for name, array in one.items():
        np.testing.assert_array_equal(array, other[name])


@pytest.mark.effect("minise train --tensorboard")
def test_what_tensorboard_shows_is_written_beside_the_weights(trained, monkeypatch):
    package = Mock()
    monkeypatch.setitem(sys.modules, "tensorboardX", package)
    run = trained("--tensorboard --out run")
    assert package.SummaryWriter.call_args.args == (str(Path("run") / "tensorboard"),)
    written = [call.args for call in package.SummaryWriter().add_scalar.mock_calls]
    assert ("step/lr", run.rates[1], 2) in written
    assert ("epoch/loss", run.training.history[1].loss, 2) in written


@pytest.mark.effect("minise train --resume")
def test_a_run_that_is_done_takes_no_step(trained):
    assert len(trained("--out run").steps) == 2
    assert trained("--resume run").steps == []


def test_a_resumed_run_learns_from_the_images_that_it_learned_from(trained):
    first = trained("--out run --train-images 3 --seed 1")
    stopped = runs.load_checkpoint(Path("run"))
    assert stopped.config.train_images == 3
    assert stopped.check(runs.dataset_of(stopped.config)) == []
    again = trained("--resume run --epochs 3 --allow-change")
    assert (again.sizes, again.greys) == ([3], first.greys)
    assert len(first.greys) == 3


@pytest.mark.parametrize(
    ("typed", "code", "message"),
    [
        ("--train-images 5", 1, "own: cannot learn from 5 images, expected 1 to 4"),
        ("--train-images 1", 1, "of 1 images drawn none is of class"),
        ("--train-images -1", 2, "Invalid value for '--train-images': -1 is not in the range"),
        ("--resume run --train-images 2", 1, "train_images: 0, now 2"),
    ],
)
def test_images_that_cannot_be_learned_from_are_one_clear_error(
    trained, minise, typed, code, message
):
    trained("--out run")
    found, _, err = minise("train", "--data", "own.npz", *typed.split())
    assert found == code
    assert message in " ".join(err.split())
    assert not Path("runs").exists()


@pytest.mark.effect("minise train --allow-change")
def test_a_change_that_is_allowed_adds_an_epoch(trained):
    trained("--out run")
    assert trained("--resume run --epochs 3 --allow-change").sizes == [4]
