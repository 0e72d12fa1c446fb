import numpy as np
import pytest
from numba import config

from minise.kernels.numba import tape, team
from minise.kernels.numba.activation import relu
from minise.kernels.numba.compile import compiled_serial
from minise.kernels.numba.layout import batch_first, batch_last
from minise.kernels.numba.memory import empty, zeros
from minise.kernels.numba.watch import watcher

pytestmark = pytest.mark.skipif(config.DISABLE_JIT, reason="nothing is compiled")


def image(seed=0):
    return np.random.default_rng(seed).standard_normal((1, 3, 8, 8))


def recorded(work, x, most=2**20):
    made = tape.Tape([x], most)
    return made, made.record(lambda: work(x))


def test_what_was_recorded_is_played_with_other_numbers():
    x = image()
    made, y = recorded(lambda x: relu(relu(x)), x)
    assert made.is_whole
    for seed in range(3):
        x[:] = image(seed)
        made.spoil()
        assert np.isnan(y).all()
        made.play()
        np.testing.assert_array_equal(y, np.maximum(x, 0))


def test_it_is_played_by_a_team_and_without_it():
    x = image()
    made, y = recorded(relu, x)
    for size in (1, 2, 3):
        mates = team.Team(size)
        frame = mates._words[team.FRAME // 8]
        for seed in range(50):
            x[:] = image(seed)
            made.spoil()
            assert mates.run(tape.replay, (made._frames,)) == 0
            np.testing.assert_array_equal(y, np.maximum(x, 0))
        assert mates._words[team.FRAME // 8] == frame
        mates.stop()
    made.spoil()
    assert tape.replay(team._alone()[1], made._frames) == 0
    np.testing.assert_array_equal(y, np.maximum(x, 0))


@compiled_serial
def _alone(x, y):
    y[:] = x


def alone(x):
    y = empty(batch_last(x).shape, x.dtype)
    _alone(batch_last(x), y)
    return batch_first(y)


WITH_A_GAP = {
    "no loop": lambda x: x,
    "numpy between": lambda x: relu(relu(x) + 1),
    "numpy before": lambda x: relu(x * 2),
    "numpy after": lambda x: relu(x) * 2,
    "memory of its own": lambda x: relu(np.ones_like(x)),
    "a loop of one thread": lambda x: relu(alone(x)),
}


@pytest.mark.parametrize("work", WITH_A_GAP)
def test_what_is_no_loop_is_noticed(work):
    made, _ = recorded(WITH_A_GAP[work], image())
    assert not made.is_whole
    assert watcher.get() is None


def test_views_and_zeros_are_known():
    def work(x):
        zero = batch_first(zeros((3, 8, 8, 1), x.dtype))
        return relu(relu(zero).reshape(1, 6, 4, 8))

    made, y = recorded(work, image())
    assert made.is_whole
    made.spoil()
    made.play()
    assert not y.any()


def test_there_is_room_for_so_much():
    x = image()
    for most, whole in ((2 * x.nbytes, True), (2 * x.nbytes - 1, False)):
        made, y = recorded(lambda x: relu(relu(x)), x, most)
        assert made.is_whole == whole
        np.testing.assert_array_equal(y, np.maximum(x, 0))


def test_an_error_ends_the_recording():
    made = tape.Tape([], 2**20)
    with pytest.raises(ZeroDivisionError):
        made.record(lambda: 1 / 0)
    assert watcher.get() is None


def test_while_loops_are_watched_there_is_no_tape():
    assert tape.maker() is tape.Tape
    seen = []
    tape.Tape([], 2**20).record(lambda: seen.append(tape.maker()) or relu(image()))
    assert seen == [None]


def test_a_loop_without_memory_is_told(monkeypatch):
    made, _ = recorded(relu, image())
    monkeypatch.setattr(tape, "run_shared", lambda *_: 1)
    with pytest.raises(MemoryError, match="no memory"):
        made.play()
