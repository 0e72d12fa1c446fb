import struct
import sys

import numpy as np
import pytest
from watching import Calling

from minise import InputError, nn, runs, train


def training_of(stripes):
    net = nn.Sequential(nn.Flatten(), nn.Linear(64, 3))
    optimizer = train.SGD(net.parameters(), 0.05)
    rng = np.random.default_rng(0)
    return train.Training(net, stripes, optimizer, epochs=2, rng=rng, batch_size=40)


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


def test_the_course_of_a_training_is_written(stripes, tmp_path):
    training, steps = training_of(stripes), []
    with runs.EventFiles(tmp_path, training) as events:
        history = training.run(watchers=[Calling(steps.append), events])
    found = scalars(tmp_path)
    assert [found["step/loss", n] for n in range(1, 7)] == pytest.approx([s.loss for s in steps])
    for number, epoch in ((3, history[0]), (6, history[1])):
        assert found["epoch/test_accuracy", number] == pytest.approx(epoch.test_accuracy)
        assert found["epoch/loss", number] == pytest.approx(epoch.loss)


def test_what_was_written_beyond_the_point_where_a_run_goes_on_is_purged(stripes, tmp_path):
    from tensorboardX.proto.event_pb2 import SessionLog

    training = training_of(stripes)
    training.run()  # 6 steps, of which the last is a point of its own
    with runs.EventFiles(tmp_path, training):
        pass
    starts = [e.step for e in events_in(tmp_path) if e.session_log.status == SessionLog.START]
    assert starts == [7]  # TensorBoard keeps what is below


def test_without_the_package_one_line_says_what_is_missing(stripes, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    with pytest.raises(InputError, match="needs the package tensorboardX: python -m pip install"):
        runs.EventFiles(tmp_path, training_of(stripes))
