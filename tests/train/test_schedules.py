import pytest

from minise import InputError
from minise.train import cosine, one_cycle


def test_cosine_rises_in_a_line_and_falls_along_half_a_cosine():
    at = cosine(2.0, 14, warmup=4)
    assert [at(step) for step in range(4)] == [0.5, 1.0, 1.5, 2.0]
    assert at(4) == 2.0
    assert at(9) == pytest.approx(1.0)
    assert 0 < at(13) < 0.1
    assert [cosine(1.0, 1)(0), cosine(1.0, 2)(1)] == [1.0, pytest.approx(0.5)]


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


def test_one_cycle_reaches_its_top_after_30_percent_and_ends_near_nothing():
    at = one_cycle(1.0, 200)
    rates = [at(step) for step in range(200)]
    assert rates[0] == pytest.approx(1 / 25)
    assert max(rates) == rates[60] == 1.0
    assert rates[-1] == pytest.approx(1 / 25e4)
    assert sorted(rates[:61]) == rates[:61]
    assert sorted(rates[60:], reverse=True) == rates[60:]


@pytest.mark.parametrize("schedule", [cosine, one_cycle])
def test_the_warm_up_must_be_shorter_than_the_whole(schedule):
    for steps in (1, 2, 3):
        assert all(0 < schedule(1.0, steps)(step) <= 1 for step in range(steps))
    with pytest.raises(InputError, match="5 steps, warmup 5: expected"):
        schedule(1.0, 5, warmup=5)
    with pytest.raises(InputError, match="0 steps"):
        schedule(1.0, 0)
