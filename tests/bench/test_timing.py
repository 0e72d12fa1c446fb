from functools import partial

import pytest

from minise.bench import timing

alternate = partial(timing.alternate, sleep=lambda seconds: None)


class FakeClock:
    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now

    def job(self, *seconds):
        """Something that takes these times in turn, then the last of them for ever."""
        left = list(seconds)

        def call():
            self.now += left.pop(0) if len(left) > 1 else left[0]

        return call


def test_median_and_spread():
    measured = timing.summarise([5.0, 1.0, 2.0, 4.0, 3.0])
    assert measured == (3.0, 2.0, 4.0, 5)
    assert measured.spread == pytest.approx(1 / 3)
    assert timing.summarise([0.0]).spread == 0.0


def test_each_call_gets_its_own_time_and_not_that_of_compiling():
    clock = FakeClock()
    calls = {"fast": clock.job(9.0, 0.001), "slow": clock.job(20.0, 0.5)}
    times = alternate(calls, seconds=1.0, rounds=3, clock=clock)
    assert times["fast"].median == pytest.approx(0.001)
    assert times["slow"].median == pytest.approx(0.5)
    assert times["fast"].rounds == times["slow"].rounds == 3


def test_a_call_that_is_slow_at_times_shows_in_the_spread_and_not_in_the_median():
    clock = FakeClock()
    # to compile, to guess, then in each round once untimed and once timed
    job = clock.job(*[0.1] * 4, *[0.1, 0.1] * 3, *[0.1, 0.3] * 2, 0.1)
    measured = alternate({"job": job}, seconds=0.0, rounds=5, clock=clock)["job"]
    assert measured.median == pytest.approx(0.1)
    assert (measured.low, measured.high) == (pytest.approx(0.1), pytest.approx(0.3))


def test_fast_calls_are_timed_many_at_once():
    clock = FakeClock()
    moment = 2.0**-10  # exact: about a millisecond
    job, calls = clock.job(9.0, 3 * moment, moment, 2 * moment, moment), []
    alternate({"job": lambda: calls.append(job())}, seconds=0.0, rounds=2, clock=clock)
    # to compile and to guess; then in each round until 3 ms have gone by, and for 20 ms
    assert len(calls) == 1 + 3 + 2 * (4 + 21)


def test_rounds_go_on_until_the_seconds_are_over():
    clock = FakeClock()
    times = alternate({"job": clock.job(0.5)}, seconds=20.0, rounds=3, clock=clock)
    assert times["job"].rounds == 20  # each of one untimed and one timed call


def test_what_the_threads_of_another_library_still_do_is_waited_for():
    clock, order = FakeClock(), []
    calls = {name: lambda name=name: (order.append(name), clock.job(1.0)()) for name in "ab"}
    alternate(calls, seconds=0.0, rounds=1, clock=clock, sleep=order.append)
    # to compile and to guess; then each rests, and is called untimed and timed
    assert order == [*"aaaabbbb", timing.RESTING, *"aa", timing.RESTING, *"bb"]


def test_the_calls_alternate_and_each_begins_a_round_in_turn():
    clock = FakeClock()
    order = []

    def call(name):
        job = clock.job(1.0)
        return lambda: (order.append(name), job())

    alternate({name: call(name) for name in "abc"}, seconds=0.0, rounds=3, clock=clock)
    rounds = "".join(order[4 * 3 :: 2])  # after compiling and guessing; two calls a time
    assert rounds == "abcbcacab"


class FakeGPU:
    """A job is only asked for, and takes its time when somebody waits."""

    def __init__(self, clock):
        self.clock, self.asked, self.waits = clock, 0.0, 0

    def job(self, seconds):
        def call():
            self.clock.now += 0.001  # to ask
            self.asked += seconds

        return call

    def wait(self):
        self.clock.now += self.asked
        self.asked, self.waits = 0.0, self.waits + 1


def test_what_was_only_asked_for_is_waited_for_once_in_a_round():
    clock = FakeClock()
    gpu = FakeGPU(clock)
    calls = {"short": gpu.job(0.001), "long": gpu.job(1.0)}
    times = alternate(calls, seconds=0.0, rounds=3, clock=clock, wait=gpu.wait)
    assert times["short"].median == pytest.approx(0.002)
    assert times["long"].median == pytest.approx(1.001)
    # to compile once and to guess three times; then in each round untimed and at the end
    untimed = 1 + -(-timing.SETTLING // 0.002)
    assert gpu.waits <= 2 * 4 + 3 * (untimed + 1 + 1 + 1)
