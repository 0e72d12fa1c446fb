"""How long a sweep is said to take."""

import numpy as np
import pytest

from minise import data, runs, sweep
from minise.sweep import State, estimate
from minise.sweep.estimate import Estimate, Pace, epochs_left, together


@pytest.fixture
def own(tmp_path):
    """100 images to learn from, 40 to be tested on."""
    sample = data.load("sample")
    few = {"x_train": sample.train.images[:100, 0], "y_train": sample.train.labels[:100]}
    few |= {"x_test": sample.test.images[:40, 0], "y_test": sample.test.labels[:40]}
    np.savez(tmp_path / "own.npz", **few)
    return str(tmp_path / "own.npz")


def test_a_training_takes_its_steps_and_its_tests(own):
    pace = Pace(step=2.0, image=0.5)
    config = runs.Config(data=own, batch_size=30)
    assert pace.seconds(config, 3) == 3 * (4 * 2.0 + 40 * 0.5)
    assert pace.seconds(config._replace(test_at_end=True), 3) == 3 * 4 * 2.0 + 40 * 0.5
    assert pace.seconds(config._replace(train_images=60), 1) == 2 * 2.0 + 40 * 0.5
    assert pace.seconds(config._replace(hold_out=10), 1) == 3 * 2.0 + 10 * 0.5


def test_a_step_is_measured_on_images_like_those_of_the_data(own):
    pace = estimate.measured(runs.Config(model="se-cnn", data=own, batch_size=4096))
    assert 0 < pace.step < 60
    assert 0 < pace.image < 1
    assert pace.measured


def test_rates_that_ruin_a_training_ruin_no_measurement(own):
    ruined = runs.Config(model="cnn", data=own, lr=1e30, weight_decay=1e40)
    assert estimate.measured(ruined).measured


@pytest.fixture
def fake(monkeypatch):
    """Steps of 2 seconds, images of 0.5; gives the configurations that were measured."""
    seen = []

    def measured(config):
        seen.append(config)
        return Pace(2.0, 0.5)

    monkeypatch.setattr(estimate, "measured", measured)
    return seen


def test_nets_are_measured_once_whatever_their_seeds_and_rates(own, fake, tmp_path):
    axes = {"data": [own], "model": ["se-cnn", "cnn"], "lr": [0.1, 0.2], "seed": range(3)}
    task = sweep.Sweep(sweep.points_of(axes), tmp_path)
    prepared = []
    found = Estimate(task.points, task.nets, prepared.append)
    assert [config.model for config in fake] == ["se-cnn", "cnn"]
    assert (len(prepared), found.measured, found.kinds) == (2, 2, 2)


def test_steps_are_taken_once_for_nets_and_batches_that_are_alike(own, monkeypatch):
    seen = []
    monkeypatch.setattr(estimate, "warm_up", seen.append)
    axes = {"data": [own], "model": ["se-cnn", "cnn"], "lr": [0.1, 0.2], "seed": range(3)}
    estimate.warm_up_all(sweep.points_of(axes | {"train_images": [60, 70]}))
    assert [(config.model, config.train_images) for config in seen] == [
        ("se-cnn", 60), ("se-cnn", 70), ("cnn", 60), ("cnn", 70),
    ]  # fmt: skip


def test_when_time_is_up_others_are_as_much_slower_as_they_have_more_to_compute(
    own, fake, tmp_path, monkeypatch
):
    monkeypatch.setattr(estimate, "SECONDS", -1)
    axes = {"data": [own], "model": ["resnet8"], "option.stem_stride": [1, 2], "batch_size": [50]}
    task = sweep.Sweep(sweep.points_of(axes), tmp_path)
    found = Estimate(task.points, task.nets)
    whole, half = (found.pace(point.config) for point in task.points)
    assert [config.options for config in fake] == [{"stem_stride": 1}]  # which takes most
    assert (whole.measured, half.measured) == (True, False)
    times = [task.nets.multiply_adds(point.config) for point in task.points]
    assert half.step == pytest.approx(2.0 * times[1] / times[0])
    assert half.image == pytest.approx(0.5 * times[1] / times[0])


def test_a_larger_batch_takes_longer_and_an_image_of_a_test_does_not(
    own, fake, tmp_path, monkeypatch
):
    monkeypatch.setattr(estimate, "SECONDS", -1)
    axes = {"data": [own], "model": ["cnn"], "batch_size": [25, 50], "epochs": [1]}
    task = sweep.Sweep(sweep.points_of(axes), tmp_path)
    found = Estimate(task.points, task.nets)
    small, large = (found.pace(point.config) for point in task.points)
    assert large.step / small.step == pytest.approx(2)
    assert large.image == pytest.approx(small.image)


def test_of_a_point_that_was_stopped_only_the_rest_is_counted(own, tmp_path):
    (point,) = sweep.Sweep([runs.Config(data=own, epochs=5)], tmp_path).points
    (tmp_path / point.name).mkdir()
    (tmp_path / point.name / "metrics.jsonl").write_bytes(b"{}\n{}\n")
    left = {state: epochs_left(point, state, tmp_path) for state in State}
    assert left == {
        State.DONE: 0, State.FAILED: 0, State.RUNNING: 3, State.STOPPED: 3, State.WAITING: 5,
    }  # fmt: skip
    (tmp_path / point.name / "metrics.jsonl").unlink()
    assert epochs_left(point, State.STOPPED, tmp_path) == 5


def test_workers_share_the_time_but_not_that_of_one_point():
    assert together([10, 10, 10, 10], 2) == 20
    assert together([10, 1, 1], 3) == 10
    assert together([10, 10, 10], 2) == 20  # and not 15: a point is trained by one worker
    assert together([], 2) == 0
    assert together([10, 10], 10**12) == 10


def test_ctrl_c_while_a_step_is_measured_is_heard(own, monkeypatch):
    monkeypatch.setattr(estimate.train.loop.StopSignals, "__enter__", lambda self: requested(self))

    def requested(signals):
        signals.requested = True
        return signals

    with pytest.raises(KeyboardInterrupt):
        estimate.measured(runs.Config(model="cnn", data=own))
