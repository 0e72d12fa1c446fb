import pytest

from minise import bench
from minise.bench import report as texts

CASES = list(bench.CASES.values())[:3]


def report(*results, load=0.0):
    machine = {"load": load, "cores": 4}
    return bench.Report(machine, bench.Ceilings(200.0, 20.0), True, list(results))


def test_cases_with_the_same_trouble_share_a_line():
    results = [bench.Result(case, None, {}, notes=("no compiler", "no compiler")) for case in CASES]
    assert texts.notes(report(*results)) == [
        "conv3x3-16-28, conv3x3-32-14, conv3x3-64-7: no compiler"
    ]


@pytest.mark.parametrize(("load", "warned"), [(0.3, False), (2.5, True), (None, False)])
def test_a_busy_machine_is_told_of(load, warned):
    assert bool(texts.notes(report(load=load))) == warned


def test_compiled_shows_the_better_of_its_layouts():
    times = [bench.Measured(t, t, t, 3) for t in (1e-3, 4e-3, 2e-3, 3e-3)]
    names = ("nchw", "nchw_compiled", "channels_last_compiled")
    result = bench.Result(CASES[0], times[0], dict(zip(names, times[1:], strict=True)))
    (table,) = texts.tables(report(result))
    shown = {str(c.header).replace("\n", " "): next(iter(c.cells)) for c in table.columns}
    assert "PyTorch, channels last" not in shown
    assert shown["PyTorch, NCHW"] == "4.00 ms ±0%"
    assert shown["PyTorch, compiled"] == "2.00 ms ±0%"
    assert str(shown["ratio"]) == "0.50"


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(2.0, "2.00 s"), (0.0123, "12.3 ms"), (123e-6, "123 µs"), (4e-7, "0.40 µs")],
)
def test_times_have_three_digits_and_a_unit(seconds, shown):
    measured = bench.Measured(seconds, seconds * 0.9, seconds * 1.1, 5)
    (table,) = texts.tables(report(bench.Result(CASES[0], measured, {})))
    assert list(table.columns[1].cells) == [f"{shown} ±10%"]


GPU = {"gpu": "a card", "driver": "1.2", "cuda": "12.4", "cuda_of_driver": "12.6"}


def test_a_gpu_is_named_with_its_driver():
    assert texts.gpu(GPU) == "a card, driver 1.2, CUDA 12.4 (the driver supports up to 12.6)"
    without = texts.gpu({**GPU, "driver": None})
    assert without == "a card, CUDA 12.4 (the driver supports up to 12.6)"


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        ({"gpu": None, "torch": None}, "To see PyTorch beside it: pip install torch"),
        ({"gpu": "a card", "torch": None}, "To see PyTorch beside it: pip install torch"),
        ({"gpu": "a card", "torch": "2.9"}, "cannot use this GPU: minise stands alone"),
    ],
)
def test_why_minise_stands_alone_is_told_in_one_line(facts, said):
    alone = bench.Report(facts, bench.Ceilings(200.0, 20.0), False, [])
    assert [line.endswith(said) for line in texts.legend(alone)].count(True) == 1
    assert not any(line.startswith("ratio") for line in texts.legend(alone))
