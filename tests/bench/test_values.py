"""Every number that a run shows, against one computed by hand from times that are given."""

import io
import json

import numpy as np
import pytest
from bench.small import SMALL
from rich.console import Console

from minise import bench
from minise.bench import cases, loaded, picture, runner
from minise.bench import report as texts
from minise.bench.ours import Minise
from minise.bench.timing import Measured

CONV = cases.conv("conv", 2, 3, 5, 4)  # 3 passes · 2 · 2 images · 5·16 pixels · 3·9 weights
SE = cases.se("se", 2, 3, 4, 1)  # 7 times 2·3·16 numbers of 4 bytes
STEP = cases.step("step", "cnn", 8)
MEMORY = bench.MemoryCase("memory", "peak", "cnn", 8)
WRONG = cases.pool("pool", 2, 3, 4)
SCALING = [bench.SCALING[f"scaling-{n}"] for n in (16, 64)]


def at(median, spread=0.0):
    return Measured(median, median * (1 - spread), median * (1 + spread), 9)


MB = 1024.0**2
MACHINE = {
    "processor": "a chip", "cores": 4, "threads": 3, "load": 0.5, "gpu": None, "python": "3.11",
    "minise": "1.2", "numpy": "2.0", "numba": "0.6", "cupy": None, "torch": "2.9",
    "backend": "numba",
}  # fmt: skip
RESULTS = [
    # 25,920 operations in 4 µs: 6.48 GFLOP/s, of 64.8
    bench.Result(
        CONV,
        at(4e-6, 0.25),
        {"nchw": at(5e-6), "channels_last": at(8e-6), "nchw_compiled": at(2e-6)},
    ),
    # 2,688 bytes in 1 µs: 2.688 GB/s, of 5.376
    bench.Result(SE, at(1e-6), {"nchw": at(4e-6), "channels_last": at(2e-6)}),
    bench.Result(STEP, at(0.002), {"nchw": at(0.004), "channels_last": at(0.003)}),
    bench.Result(MEMORY, at(30 * MB), {"nchw": at(60 * MB), "channels_last": at(20 * MB)}),
    bench.Result(WRONG, None, {}, wrong=("y is off",), notes=("no compiler",)),
    bench.Result(SCALING[0], at(0.016), {"nchw": at(0.048), "channels_last": at(0.032)}),
    bench.Result(SCALING[1], at(0.032), {"nchw": at(0.128), "channels_last": at(0.064)}),
]
REPORT = bench.Report(MACHINE, bench.Ceilings(64.8, 5.376), True, RESULTS)
ALONE = REPORT._replace(
    with_pytorch=False, results=[result._replace(pytorch={}) for result in RESULTS]
)


def text_of(table):
    console = Console(width=150, record=True, file=io.StringIO())
    console.print(table)
    return [line.rstrip() for line in console.export_text().splitlines()]


def cells(table):
    """By the name of the row, and the title of the column."""
    titles = [str(column.header).replace("\n", " ") for column in table.columns]
    rows = zip(*(column.cells for column in table.columns), strict=True)
    return {
        row[0]: {title: str(cell) for title, cell in zip(titles, row, strict=True) if str(cell)}
        for row in rows
    }


def test_the_table_is_what_the_times_say():
    measured, scaling = map(cells, texts.tables(REPORT))
    assert measured == {
        "conv": {
            "case": "conv", "minise": "4.00 µs ±25%", "rate": "6.5 GFLOP/s", "share": "10%",
            "PyTorch, NCHW": "5.00 µs ±0%", "PyTorch, channels last": "8.00 µs ±0%",
            "PyTorch, compiled": "2.00 µs ±0%", "ratio": "2.00",
        },
        "se": {
            "case": "se", "minise": "1.00 µs ±0%", "rate": "2.7 GB/s", "share": "50%",
            "PyTorch, NCHW": "4.00 µs ±0%", "PyTorch, channels last": "2.00 µs ±0%",
            "ratio": "0.50",
        },
        "step": {
            "case": "step", "minise": "2.00 ms ±0%", "rate": "4,000 img/s",
            "PyTorch, NCHW": "4.00 ms ±0%", "PyTorch, channels last": "3.00 ms ±0%",
            "ratio": "0.67",
        },
        "memory": {
            "case": "memory", "minise": "30.0 MB ±0%", "PyTorch, NCHW": "60.0 MB ±0%",
            "PyTorch, channels last": "20.0 MB ±0%", "ratio": "1.50",
        },
        "pool": {"case": "pool", "minise": "WRONG"},
    }  # fmt: skip
    assert scaling == {
        "16": {
            "batch size": "16", "minise, each image": "1.00 ms ±0%",
            "PyTorch, NCHW": "3.00 ms ±0%", "PyTorch, channels last": "2.00 ms ±0%",
            "ratio": "0.50",
        },
        "64": {
            "batch size": "64", "minise, each image": "500 µs ±0%",
            "PyTorch, NCHW": "2.00 ms ±0%", "PyTorch, channels last": "1.00 ms ±0%",
            "ratio": "0.50",
        },
    }  # fmt: skip
    narrow = cells(texts.tables(REPORT, narrow=True)[0])
    assert "rate" not in narrow["conv"]
    assert narrow["conv"]["ratio"] == "2.00"
    ratios = texts.tables(REPORT)[0].columns[-1].cells
    assert [cell.style for cell in ratios if cell] == ["yellow", "green", "green", "yellow"]


def test_the_heading_tells_of_the_machine():
    assert texts.heading(REPORT) == [
        "a chip, 4 cores, threads used: 3",
        "python 3.11, minise 1.2, numpy 2.0, numba 0.6, torch 2.9; backend numba",
        "ceilings: matrix product 65 GFLOP/s, copy 5.4 GB/s",
    ]
    assert texts.wrong(REPORT) == ["pool: y is off"]


@pytest.mark.parametrize(("load", "busy"), [(2.0, False), (2.01, True)])
def test_a_load_of_half_of_the_cores_is_quiet(load, busy):
    told = texts.notes(REPORT._replace(machine=MACHINE | {"load": load}))
    assert told == [
        *["something else was running (load 2.0 on 4 cores): do not trust the times"] * busy,
        "pool: no compiler",
    ]


def test_json_is_what_the_times_say():
    written = json.loads(json.dumps(bench.as_json(REPORT)))
    assert written["machine"] == MACHINE
    assert written["ceilings"] == {"matrix_product_gflops": 64.8, "copy_gbs": 5.376}
    conv, se, step, peak, wrong = written["cases"]
    assert [case["name"] for case in written["scaling"]] == ["scaling-16", "scaling-64"]
    assert conv.pop("about") == CONV.about
    assert conv.pop("rate") == pytest.approx(6.48)
    assert conv.pop("share") == pytest.approx(0.1)
    assert conv.pop("minise") == {
        "median": 4e-6, "low": 3e-6, "high": pytest.approx(5e-6), "rounds": 9,
        "spread": pytest.approx(0.25),
    }  # fmt: skip
    theirs = conv.pop("pytorch")
    assert {name: (one["median"], one["ratio"]) for name, one in theirs.items()} == {
        "nchw": (5e-6, pytest.approx(0.8)),
        "channels_last": (8e-6, 0.5),
        "nchw_compiled": (2e-6, 2.0),
    }
    assert conv == {
        "name": "conv", "measured": "seconds", "wrong": [], "notes": [], "ratio": 2.0,
        "work": {"amount": 25920, "unit": "FLOP"}, "rate_unit": "GFLOP/s",
    }  # fmt: skip
    assert (se["rate"], se["rate_unit"]) == (pytest.approx(2.688), "GB/s")
    assert (se["share"], se["ratio"]) == (pytest.approx(0.5), 0.5)
    assert (step["rate"], step["rate_unit"], step["share"]) == (4000, "img/s", None)
    assert step["ratio"] == pytest.approx(2 / 3)
    assert (peak["measured"], peak["ratio"]) == ("bytes", 1.5)
    assert [peak[key] for key in ("work", "rate", "rate_unit", "share")] == [None] * 4
    assert (wrong["minise"], wrong["ratio"], wrong["wrong"]) == (None, None, ["y is off"])
    assert wrong["notes"] == ["no compiler"]


def test_nothing_is_divided_by_nothing():
    nothing = bench.Result(MEMORY, at(1.0), {"nchw": at(0.0)})
    assert nothing.ratio() is None
    assert bench.Result(CONV, at(1.0), {}).ratio() is None
    unknown = REPORT._replace(ceilings=bench.Ceilings(0.0, 0.0))
    assert unknown.share(RESULTS[0]) is None


@pytest.fixture
def drawn(monkeypatch):
    """The axes of a report's picture, by their title or label."""

    def of(report):
        figures = []
        monkeypatch.setattr(picture, "png", lambda figure: figures.append(figure) or b"")
        picture.draw_report(report)
        return figures[0]

    return of


def bars_of(axes):
    names = [label.get_text() for label in axes.get_yticklabels()]
    bars = [(bar.get_x(), bar.get_x() + bar.get_width()) for bar in axes.patches]
    return dict(zip(names, bars, strict=True))


def test_bars_go_from_1_to_the_ratio(drawn):
    figure = drawn(REPORT)
    assert figure.get_suptitle() == "minise 1.2 and PyTorch 2.9\na chip, 3 threads"
    axes = figure.axes[0]
    bars = bars_of(axes)
    assert list(bars) == ["conv", "se", "step", "memory"]
    assert [start for start, _ in bars.values()] == [1.0] * 4
    assert [end for _, end in bars.values()] == pytest.approx([2, 0.5, 2 / 3, 1.5])
    import matplotlib.colors

    colours = [matplotlib.colors.to_hex(bar.get_facecolor()) for bar in axes.patches]
    slower, quicker = map(matplotlib.colors.to_hex, (picture.THEIRS, picture.OURS))
    assert colours == [slower, quicker, quicker, slower]
    assert [text.get_text().strip() for text in axes.texts] == ["2.00", "0.50", "0.67", "1.50"]
    assert [text.get_position()[0] for text in axes.texts] == pytest.approx([2, 0.5, 2 / 3, 1.5])
    assert axes.get_xscale() == "log"
    low, high = axes.get_xlim()
    assert (low, high) == pytest.approx((0.325, 3))
    bottom, top = axes.get_ylim()
    assert bottom > top  # the first case stands on top
    assert "minise ÷ the best of PyTorch" in axes.get_xlabel()


def test_without_pytorch_bars_are_shares(drawn):
    figure = drawn(ALONE)
    assert figure.get_suptitle() == "minise 1.2\na chip, 3 threads"
    axes = figure.axes[0]
    bars = bars_of(axes)
    assert list(bars) == ["conv", "se"]
    assert [place for bar in bars.values() for place in bar] == pytest.approx([0, 0.1, 0, 0.5])
    assert [text.get_text().strip() for text in axes.texts] == ["10%", "50%"]
    assert len({bar.get_facecolor() for bar in axes.patches}) == 1
    assert axes.get_xlim() == pytest.approx((0, 1.15))


def test_the_curve_is_time_over_images(drawn):
    axes = drawn(REPORT).axes[1]
    lines = {line.get_label(): line.get_xydata().tolist() for line in axes.get_lines()}
    assert lines == {
        "minise": [[16, 1000], [64, 500]],
        "PyTorch, NCHW": [[16, 3000], [64, 2000]],
        "PyTorch, channels last": [[16, 2000], [64, 1000]],
    }
    assert axes.get_ylabel() == "µs for each image"
    assert [label.get_text() for label in axes.get_xticklabels()] == ["16", "64"]
    assert axes.get_title() == "a training step of se-resnet8"
    # compiled for one of the two sizes alone: no curve
    compiled = RESULTS[6].pytorch | {"nchw_compiled": at(0.01)}
    partly = [RESULTS[5], RESULTS[6]._replace(pytorch=compiled)]
    (axes,) = drawn(REPORT._replace(results=partly)).axes
    assert [line.get_label() for line in axes.get_lines()] == list(lines)
    alone = drawn(ALONE).axes[1]
    assert [line.get_label() for line in alone.get_lines()] == ["minise"]


def test_a_picture_of_nothing_says_so(drawn):
    (axes,) = drawn(REPORT._replace(results=[RESULTS[4]])).axes
    assert axes.texts[0].get_text().startswith("nothing was measured")
    (axes,) = drawn(REPORT._replace(results=RESULTS[5:])).axes
    assert axes.get_title() == "a training step of se-resnet8"


ROWS = [
    bench.Beside(loaded.NEIGHBOURS[0], at(0.002), at(0.003), at(0.008)),
    bench.Beside(loaded.NEIGHBOURS[2], at(0.006), at(0.005), at(0.004)),
    bench.Beside(loaded.NEIGHBOURS[3], at(2.5), at(0.9), None),
]


def test_rows_beside_neighbours_are_what_the_times_say():
    table = texts.table_of_loaded(ROWS, 2)
    assert table.title == "a training step of se-cnn, 64 images"
    assert cells(table) == {
        "none": {
            "neighbours": "none", "minise, 2 threads": "2.00 ms ±0%",
            "minise, 1 thread": "3.00 ms ±0%", "PyTorch, 2 threads": "8.00 ms ±0%",
            "ratio": "0.25",
        },
        "one with two busy threads": {
            "neighbours": "one with two busy threads", "minise, 2 threads": "6.00 ms ±0%",
            "minise, 1 thread": "5.00 ms ±0%", "PyTorch, 2 threads": "4.00 ms ±0%",
            "ratio": "1.50",
        },
        "seven busy processes": {
            "neighbours": "seven busy processes", "minise, 2 threads": "2.50 s ±0%",
            "minise, 1 thread": "900 ms ±0%",
        },
    }  # fmt: skip
    assert max(map(len, text_of(table))) <= 100
    one = texts.table_of_loaded(ROWS[2:], 1)
    assert str(one.columns[1].header).replace("\n", " ") == "minise, 1 thread"


def test_rows_beside_neighbours_as_json():
    written = json.loads(json.dumps(texts.loaded_as_json(ROWS, 3)))
    assert (written["net"], written["batch"], written["machine"]["threads"]) == ("se-cnn", 64, 3)
    about = [
        (row["neighbours"]["processes"], row["neighbours"]["threads"]) for row in written["rows"]
    ]
    assert about == [(0, 1), (1, 2), (7, 1)]
    assert written["rows"][1]["neighbours"]["about"] == "one with two busy threads"
    medians = [
        [row[way] and row[way]["median"] for way in ("minise", "one_thread", "pytorch")]
        for row in written["rows"]
    ]
    assert medians == [[0.002, 0.003, 0.008], [0.006, 0.005, 0.004], [2.5, 0.9, None]]


@pytest.mark.parametrize(
    ("case", "amount"),
    [
        (cases.conv("", 1, 1, 1, 1, kernel=1), 6),
        (cases.conv("", 2, 3, 5, 4), 25_920),
        (cases.conv("", 1, 2, 4, 4, stride=2, groups=2), 864),
        (cases.linear("", 2, 3, 5), 180),
        (cases.se("", 1, 2, 3, 2), 504),
        (cases.norm_relu("", 1, 2, 3), 576),
        (cases.tail("", 1, 2, 3), 576),
        (cases.pool("", 2, 3, 4), 960),
        (cases.step("", "cnn", 7), 7),
        (cases.evaluated("", "cnn"), 1),
    ],
)
def test_work_is_counted_as_by_hand(case, amount):
    assert case.work.amount == amount


def test_the_name_of_a_case_is_what_it_measures():
    for name, case in {**bench.CASES, **bench.BATCHES, **bench.ON_GPU, **bench.SCALING}.items():
        assert case.name == name
        if isinstance(case, bench.MemoryCase):
            assert name == f"memory-{case.net}"
            assert case.about.endswith(f"step of {case.net}, {case.batch} images")
            continue
        numbers = [int(part) for part in name.split("-") if part.isdigit()]
        if name.startswith(("scaling", "step")):
            assert case.work.amount == numbers[0]
            continue
        shapes = drawn_shapes(case)
        if name.startswith("batch"):
            net, is_step = name.removeprefix("batch-").removeprefix("step-"), "step" in name
            about = f"training step of {net}" if is_step else f"{net} in evaluation mode"
            assert (case.about, case.work.amount) == (f"{about}, 32 images", 32)
            assert shapes["x"] == (32, 3, 224, 224)
            continue
        if name.startswith("image"):
            assert (case.about, shapes["x"][0]) == (f"{name[6:]} in evaluation mode, 1 image", 1)
            continue
        N, *axes = shapes["x"]
        assert N in (16, 32, 64)
        if name.startswith("linear"):
            assert (*axes, shapes["dy"][1]) == tuple(numbers)
            assert f", {N} rows, {axes[0]}→{shapes['dy'][1]} features" in case.about
        else:
            C, H, W = axes
            assert (C, H) == tuple(numbers[:2]) or not numbers, name
            channels = f"{C}→{shapes['dy'][1]}" if name.startswith("conv") else C
            assert f", {N} images, {channels} channels, {H}²" in case.about
            assert H == W


def drawn_shapes(case):
    """By name; but for nets without drawing them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cases, "draw", lambda shapes: shapes)
        return case.arrays()


def test_the_sizes_of_a_case_reach_both_its_arrays_and_its_options():
    (side,) = [case for case in SMALL if case.name == "conv, stride"]
    asked = []

    class Library:
        def operation(self, name, arrays, options):
            asked.append((name, {k: a.shape for k, a in arrays.items()}, options))

    side.side(Library(), side.arrays())
    shapes = {"x": (3, 4, 8, 8), "w": (6, 4, 5, 5), "dy": (3, 6, 4, 4)}
    assert asked == [("conv2d", shapes, {"stride": 2, "padding": 2, "groups": 1})]


@pytest.mark.parametrize(
    ("name", "tolerance"), [("y", 0.25), ("scores", 0.25), ("loss", 0.25), ("dw", 0.5)]
)
@pytest.mark.parametrize("wrong", [False, True])
def test_a_result_just_within_its_tolerance_is_timed_and_one_just_outside_is_not(
    monkeypatch, name, tolerance, wrong
):
    """The largest number that is allowed, and the next one."""
    right = {"y": np.ones(1, np.float32), name: np.ones(1, np.float32)}
    largest = np.float32(1 + tolerance)
    off = np.array([np.nextafter(largest, np.float32(2)) if wrong else largest])

    class PyTorch(Minise):
        def __init__(self, variant):
            pass

    def side(library, arrays):
        numbers = dict(right)
        if not isinstance(library, PyTorch):
            numbers[name] = off
        return bench.Side(lambda: None, lambda: numbers)

    class Fake:
        set_up = staticmethod(lambda threads: lambda: None)
        forget_compiled = staticmethod(lambda: None)

    Fake.PyTorch = PyTorch
    monkeypatch.setattr(runner, "import_pytorch", lambda: Fake)
    monkeypatch.setattr(runner, "alternate", lambda calls, **_: dict.fromkeys(calls, at(1.0)))
    case = bench.Case(
        "case", "", bench.Work(1, "B"), dict, side, gradient_tolerance=0.5, forward_tolerance=0.25
    )
    (result,) = bench.run([case], threads=1).results
    assert bool(result.wrong) == wrong == (result.minise is None)
    assert len(result.wrong) == 2 * wrong  # one line for each layout


def test_tolerances_are_what_rounding_asks_for():
    tolerances = {
        name: (case.forward_tolerance, case.gradient_tolerance)
        for name, case in {**bench.CASES, **bench.BATCHES, **bench.ON_GPU}.items()
        if isinstance(case, bench.Case)
    }
    assert tolerances.pop("step-se-resnet50-32") == (1e-3, 5e-2)
    for net in ("se-mobilenetv3-large", "se-efficientnet-b0"):
        assert tolerances.pop(f"batch-step-{net}") == (1e-3, 5e-2)
    for name, found in tolerances.items():
        assert found == ((1e-4, 5e-2) if name.startswith("step") else (1e-4, 1e-4)), name


@pytest.mark.effect("bench.run(cases)", "bench.run(seconds)", "bench.run(on_case)")
def test_each_case_is_timed_for_the_seconds_asked_and_told_before(monkeypatch):
    events = []

    def alternate(calls, *, seconds, wait):
        events.append(seconds)
        wait()
        return dict.fromkeys(calls, at(1.0))

    monkeypatch.setattr(runner, "alternate", alternate)
    monkeypatch.setattr(runner, "import_pytorch", lambda: None)
    chosen = [SMALL[3], SMALL[0]]
    report = bench.run(chosen, threads=1, seconds=0.25, on_case=events.append)
    assert events == ["the machine's ceilings", "linear", 0.25, "conv", 0.25]
    assert [result.case for result in report.results] == chosen
    bench.run(chosen[:1], threads=1)
    assert events[-1] == 1.0
