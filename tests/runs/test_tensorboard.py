import struct
import sys

import numpy as np
import pytest
from watching import Calling

from minise import InputError, nn, runs, train


def training_of(stripes, **options):
    net = nn.Sequential(nn.Flatten(), nn.Linear(64, 3))
    optimizer = train.SGD(net.parameters(), 9.0)
    return train.Training(
        net, stripes, optimizer, epochs=2, rng=np.random.default_rng(0), batch_size=80,
        schedule=[0.05, 0.04, 0.03, 0.02].__getitem__, **options,
    )  # fmt: skip


def events_in(folder):
    """Of all event files: each record is a length, two sums, an event."""
    from tensorboardX.proto.event_pb2 import Event

    for path in folder.glob("events.*"):
        content, at = path.read_bytes(), 0
        while at < len(content):
            (length,) = struct.unpack_from("<Q", content, at)
            yield Event.FromString(content[at + 12 : at + 12 + length])
            at += 12 + length + 4


def scalars(folder):
    """(name, step): value."""
    return {
        (value.tag, event.step): value.simple_value
        for event in events_in(folder)
        for value in event.summary.value
    }


@pytest.mark.parametrize("test_at_end", [False, True])
def test_the_course_of_a_training_is_written(stripes, tmp_path, test_at_end):
    training, steps = training_of(stripes, test_at_end=test_at_end), []
    with runs.EventFiles(tmp_path, training) as events:
        first, last = training.run(watchers=[Calling(steps.append), events])
    expected = {("step/loss", n): step.loss for n, step in enumerate(steps, start=1)}
    expected |= {("step/lr", 1): 0.05, ("step/lr", 2): 0.04}
    expected |= {("step/lr", 3): 0.03, ("step/lr", 4): 0.02}
    expected |= {("epoch/loss", 2): first.loss, ("epoch/loss", 4): last.loss}
    expected |= {("epoch/accuracy", 2): first.accuracy, ("epoch/accuracy", 4): last.accuracy}
    tested = {2: first, 4: last} if not test_at_end else {4: last}
    expected |= {("epoch/test_loss", n): epoch.test_loss for n, epoch in tested.items()}
    expected |= {("epoch/test_accuracy", n): epoch.test_accuracy for n, epoch in tested.items()}
    assert len(steps) == 4
    assert scalars(tmp_path) == pytest.approx(expected)


def test_what_was_written_beyond_the_point_where_a_run_goes_on_is_purged(stripes, tmp_path):
    from tensorboardX.proto.event_pb2 import SessionLog

    training = training_of(stripes)
    training.run()  # 4 steps, of which the last is a point of its own
    with runs.EventFiles(tmp_path, training):
        pass
    starts = [e.step for e in events_in(tmp_path) if e.session_log.status == SessionLog.START]
    assert starts == [5]  # TensorBoard keeps what is below


def test_without_the_package_one_line_says_what_is_missing(stripes, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    with pytest.raises(InputError, match="needs the package tensorboardX: python -m pip install"):
        runs.EventFiles(tmp_path, training_of(stripes))
