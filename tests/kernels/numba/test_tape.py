import gc
import operator

import numpy as np
import pytest
from numba import config

from minise.kernels.numba import memory, tape, team
from minise.kernels.numba.activation import relu
from minise.kernels.numba.layout import batch_first
from minise.kernels.numba.memory import empty, zeros
from minise.kernels.numba.watch import by_numpy, watcher

pytestmark = pytest.mark.skipif(config.DISABLE_JIT, reason="nothing is compiled")

LARGE = (16, 8, 32, 32)  # float64: more than memory.SMALL bytes


def image(seed=0, shape=(1, 3, 8, 8)):
    return np.random.default_rng(seed).standard_normal(shape)


def recorded(work, *given, most=2**20):
    """The tape, what the work returned, and the function that plays it."""
    made = tape.Tape(given, most)
    return made, *made.record(lambda: work(*given))


def plays(work, x):
    """Whether the tape does the same as the work, with other numbers."""
    made, y, play = recorded(work, x, most=2**24)
    assert made.is_whole
    assert made.knows(y)
    for seed in range(3):
        x[:] = image(seed, x.shape)
        made.spoil()
        play()
        np.testing.assert_array_equal(y, work(x), strict=True)
    return made


def test_what_was_recorded_is_played_with_other_numbers():
    x = image()
    made, y, play = recorded(lambda x: relu(relu(x)), x)
    assert made.is_whole
    for seed in range(3):
        x[:] = image(seed)
        made.spoil()
        assert np.isnan(y).all()
        play()
        np.testing.assert_array_equal(y, np.maximum(x, 0))


def test_it_is_played_by_a_team_and_without_it():
    x = image()
    made, y, _ = recorded(relu, x)
    ((_, (frames,)),) = made._steps
    for size in (1, 2, 3):
        mates = team.Team(size)
        frame = mates._words[team.FRAME // 8]
        for seed in range(50):
            x[:] = image(seed)
            made.spoil()
            assert mates.run(tape.replay, (frames,)) == 0
            np.testing.assert_array_equal(y, np.maximum(x, 0))
        assert mates._words[team.FRAME // 8] == frame
        mates.stop()
    made.spoil()
    assert tape.replay(team._alone()[1], frames) == 0
    np.testing.assert_array_equal(y, np.maximum(x, 0))


def two(x):
    return x.min(axis=0), x.max(axis=0)


def both(x):
    low, high = by_numpy(two, x)
    return relu(by_numpy(np.subtract, high, low)[None])


def in_place(x):
    y = relu(x)
    by_numpy(operator.iadd, y, x)
    return relu(y)


BY_NUMPY = {
    "between loops": lambda x: relu(by_numpy(np.add, relu(x), 1)),
    "before them": lambda x: relu(by_numpy(np.negative, x)),
    "after them": lambda x: by_numpy(np.exp, relu(x)),
    "alone": lambda x: by_numpy(np.exp, x),
    "two results": both,
    "in place": in_place,
    "of a view": lambda x: by_numpy(np.negative, relu(x)[:, ::-1, 2:]),
    "to a view": lambda x: relu(by_numpy(np.transpose, relu(x))),
    "of large arrays": lambda x: by_numpy(np.add, relu(by_numpy(np.negative, relu(x))), x),
}


@pytest.mark.parametrize("shape", [(1, 3, 8, 8), LARGE])
@pytest.mark.parametrize("work", BY_NUMPY)
def test_steps_of_numpy_are_played_too(work, shape):
    plays(BY_NUMPY[work], image(shape=shape))


def test_a_loop_that_a_step_of_numpy_calls_is_a_part_of_it():
    made = plays(lambda x: by_numpy(lambda x: relu(x) + 1, x), image())
    assert len(made._steps) == 1


UNSEEN = {
    "between loops": lambda x: relu(relu(x) + 1),
    "before them": lambda x: relu(x * 2),
    "before a step": lambda x: by_numpy(np.exp, x * 2),
    "memory of its own": lambda x: relu(np.ones_like(x)),
}


@pytest.mark.parametrize("work", UNSEEN)
def test_what_is_computed_out_of_sight_is_noticed(work):
    made, _, _ = recorded(UNSEEN[work], image())
    assert not made.is_whole
    assert watcher.get() is None


def test_a_result_that_was_computed_out_of_sight_is_unknown():
    made, y, _ = recorded(lambda x: relu(x) * 2, image())
    assert made.is_whole
    assert not made.knows(y)
    assert made.knows(y[:0])


def test_what_nobody_can_write_to_is_known():
    two = np.full((1, 3, 8, 8), 2.0)
    two.flags.writeable = False
    plays(lambda x: by_numpy(np.multiply, relu(x), two), image())
    made, y, _ = recorded(lambda x: two, image())
    assert made.knows(y)
    of_others = np.full((1, 3, 8, 8), 2.0)
    view = of_others[:]
    view.flags.writeable = False
    assert not made.knows(view)


def test_views_and_zeros_are_known():
    def work(x):
        zero = batch_first(zeros((3, 8, 8, 1), x.dtype))
        by_numpy(operator.iadd, zero, x)  # and so it is no zero any more
        return relu(relu(zero).reshape(1, 6, 4, 8))

    plays(work, image())


def test_two_pieces_of_work_share_what_they_made():
    x, dy = image(shape=LARGE), image(1, LARGE)
    made = tape.Tape([x, dy], 2**24)
    (_, backward), play = made.record(lambda: (y := relu(x), lambda: by_numpy(np.multiply, dy, y)))
    dx, play_back = made.record(backward)
    assert made.is_whole
    for seed in range(3):
        x[:], dy[:] = image(seed, LARGE), image(seed + 9, LARGE)
        made.spoil()
        play()
        play_back()
        np.testing.assert_array_equal(dx, dy * np.maximum(x, 0))


def test_arrays_share_memory_in_turn_as_when_they_were_recorded():
    def work(x):
        for _ in range(10):
            x = by_numpy(np.multiply, relu(x), 0.5)  # NumPy's arrays are their own
            x = relu(relu(x))
        return x

    memory.release()
    gc.collect()
    made = plays(work, image(shape=LARGE))
    assert len(made.pool._blocks) == 2


def test_its_memory_comes_from_what_lies_idle():
    memory.release()
    x = image(shape=LARGE)
    relu(x)
    idle = memory.pool.idle_bytes
    assert idle >= x.nbytes
    made, _, _ = recorded(relu, x, most=2**24)
    assert memory.pool.idle_bytes <= idle - x.nbytes
    assert made.pool.taken >= x.nbytes


def test_its_memory_serves_others_when_it_ends():
    memory.release()
    made, _, _ = recorded(lambda x: relu(relu(x)), image(shape=LARGE), most=2**24)
    blocks = sum(block.nbytes for block in made.pool._blocks.values())
    idle = memory.pool.idle_bytes
    made.end()
    assert memory.pool.idle_bytes == idle + blocks
    assert blocks == 2 * image(shape=LARGE).nbytes


def test_whole_numbers_are_not_spoilt():
    """A loop that read them before they are written would look anywhere in memory."""
    made, y, _ = recorded(lambda x: empty((100_000,), np.int32), image())
    y[:] = 7
    made.spoil()
    assert (y == 7).all()


def test_there_is_room_for_so_much():
    x = image()
    for most, whole in ((2 * x.nbytes, True), (2 * x.nbytes - 1, False)):
        made, y, _ = recorded(lambda x: relu(relu(x)), x, most=most)
        assert made.is_whole == whole
        np.testing.assert_array_equal(y, np.maximum(x, 0))


def test_an_error_ends_the_recording():
    made = tape.Tape([], 2**20)
    with pytest.raises(ZeroDivisionError):
        made.record(lambda: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        made.record(lambda: by_numpy(operator.truediv, 1, 0))
    assert watcher.get() is None


def test_while_loops_are_watched_there_is_no_tape():
    assert tape.maker() is tape.Tape
    seen = []
    tape.Tape([], 2**20).record(lambda: seen.append(tape.maker()) or relu(image()))
    assert seen == [None]


def test_a_loop_without_memory_is_told(monkeypatch):
    for shape, run in [((1, 3, 8, 8), "run_alone"), ((64, 8, 32, 32), "run_shared")]:
        _, _, play = recorded(relu, image(shape=shape), most=2**24)
        with monkeypatch.context() as patched:
            patched.setattr(tape, run, lambda *_: 1)
            with pytest.raises(MemoryError, match="no memory"):
                play()
        play()
