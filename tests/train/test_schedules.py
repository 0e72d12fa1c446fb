import math

import pytest

from minise import InputError
from minise.train import cosine, one_cycle

FOURTH = (1 + math.sqrt(1 / 2)) / 2  # what a fourth of half a cosine leaves; a third leaves 3/4
SIXTH = (1 + math.sqrt(3 / 4)) / 2


def falling(*parts, top=25, bottom=1e-4):
    """From 25 to a 250,000th of it, the end of `one_cycle`."""
    return [bottom + (top - bottom) * part for part in parts]


# The rate of every step. Those of `one_cycle` rise from 1, a 25th.
BY_HAND = [
    (cosine, (2, 4), {}, [2, 2 * FOURTH, 1, 2 - 2 * FOURTH]),
    (cosine, (2, 7), {"warmup": 4}, [0.5, 1, 1.5, 2, 2, 1.5, 0.5]),
    (cosine, (2, 2), {"warmup": 1}, [2, 2]),
    (cosine, (2, 1), {}, [2]),
    (
        one_cycle, (25, 9), {"warmup": 4},
        [1, 25 - 24 * FOURTH, 13, 1 + 24 * FOURTH, *falling(1, FOURTH, 1 / 2, 1 - FOURTH, 0)],
    ),
    (one_cycle, (25, 5), {"warmup": 0}, falling(1, FOURTH, 1 / 2, 1 - FOURTH, 0)),
    # 30 % of 10, of 6 and of 2 steps are 3, 1 and none
    (
        one_cycle, (25, 10), {},
        [1, 7, 19, *falling(1, SIXTH, 3 / 4, 1 / 2, 1 / 4, 1 - SIXTH, 0)],
    ),
    (one_cycle, (25, 6), {}, [1, *falling(1, FOURTH, 1 / 2, 1 - FOURTH, 0)]),
    (one_cycle, (25, 2), {}, falling(1, 0)),
    (one_cycle, (25, 1), {}, [25]),
]  # fmt: skip


@pytest.mark.effect("train.cosine(lr)", "train.cosine(steps)", "train.cosine(warmup)")
@pytest.mark.effect("train.one_cycle(lr)", "train.one_cycle(steps)", "train.one_cycle(warmup)")
@pytest.mark.parametrize(("schedule", "arguments", "options", "expected"), BY_HAND)
def test_the_rate_of_every_step_is_that_worked_out_by_hand(schedule, arguments, options, expected):
    at = schedule(*arguments, **options)
    assert [at(step) for step in range(arguments[1])] == pytest.approx(expected, rel=1e-12)


def test_one_cycle_is_that_of_pytorch():
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=1)
    # PyTorch puts the top at 0.3 · steps − 1, between two steps: 30 % + 1 of 100 are 30 whole ones
    judge = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.4, total_steps=100, pct_start=0.31)
    at = one_cycle(0.4, 100, warmup=30)
    for step in range(100):
        assert at(step) == pytest.approx(optimizer.param_groups[0]["lr"], rel=1e-9)
        optimizer.step()
        if step < 99:
            judge.step()


@pytest.mark.parametrize("schedule", [cosine, one_cycle])
def test_the_warm_up_must_be_shorter_than_the_whole(schedule):
    for steps in (1, 2, 3):
        assert all(0 < schedule(1.0, steps)(step) <= 1 for step in range(steps))
    with pytest.raises(InputError, match="5 steps, warmup 5: expected"):
        schedule(1.0, 5, warmup=5)
    with pytest.raises(InputError, match="0 steps"):
        schedule(1.0, 0)
