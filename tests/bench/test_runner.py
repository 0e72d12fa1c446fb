import json
import subprocess
import sys
import types
from pathlib import Path

import numpy as np
import pytest

from minise import backend, bench, ops
from minise.bench import cases, memory, runner
from minise.bench.case import Variant


def measure(*chosen, **options):
    return bench.run(chosen, threads=1, seconds=0.001, **options)


@pytest.fixture
def torch():
    return pytest.importorskip("torch", reason="PyTorch is not installed")


@pytest.mark.usefixtures("torch")
def test_a_case_is_timed_in_every_variant_of_pytorch(small_cases):
    told = []
    report = measure(*small_cases, on_case=told.append)
    assert told == ["the machine's ceilings", "linear-small", "se-small", "step-small"]
    assert report.with_pytorch
    linear, se, step = report.results
    assert list(linear.pytorch) == ["nchw"]  # rows have no layout
    assert list(se.pytorch) == list(step.pytorch) == ["nchw", "channels_last"]
    for result in report.results:
        assert result.wrong == result.notes == ()
        best = min(measured.median for measured in result.pytorch.values())
        assert result.ratio() == result.minise.median / best
        assert result.ratio("nchw") == result.minise.median / result.pytorch["nchw"].median
    assert linear.rate() == 3 * 2 * 4 * 6 * 3 / linear.minise.median / 1e9
    assert report.share(linear) == linear.rate() / 200
    assert report.share(se) == se.rate() / 20
    assert report.share(step) is None
    assert step.rate() == 2 / step.minise.median


@pytest.mark.usefixtures("without_pytorch")
def test_without_pytorch_the_specification_is_the_judge(small_cases):
    report = measure(*small_cases)
    assert not report.with_pytorch
    for result in report.results:
        assert result.pytorch == {}
        assert result.minise.median > 0
        assert result.ratio() is None


@pytest.mark.parametrize("judge", ["PyTorch (nchw)", "the specification"])
def test_wrong_results_are_not_timed(small_cases, monkeypatch, request, judge):
    request.getfixturevalue("torch" if judge.startswith("PyTorch") else "without_pytorch")
    if judge == "the specification":
        kernel_wrong(monkeypatch)
    else:
        right = ops.linear_backward

        def wrong(dy, saved):
            dx, dw, db = right(dy, saved)
            return dx, 1.01 * dw, db

        monkeypatch.setattr(ops, "linear_backward", wrong)
    wrong_case, right_case = small_cases[0], cases.pool("pool", 2, 3, 4)
    if judge == "the specification":
        wrong_case, right_case = right_case, wrong_case
    results = measure(wrong_case, right_case).results
    assert results[0].minise is None
    assert results[0].pytorch == {}
    (line,) = results[0].wrong
    assert line.endswith(f"by {judge}")
    assert results[1].wrong == ()
    assert results[1].minise is not None


def kernel_wrong(monkeypatch):
    from minise.backend import processor

    find, name = processor._kernel, "pool.max_pool2d_backward"
    right = find(name)

    def wrong(*arguments):
        return right(*arguments) * np.float32(1.01)

    monkeypatch.setattr(processor, "_kernel", lambda asked: wrong if asked == name else find(asked))


@pytest.mark.usefixtures("torch")
def test_a_compiler_that_does_not_work_is_told_of_and_the_rest_is_measured(
    small_cases, monkeypatch
):
    import torch

    def broken(function, **options):
        def call(*inputs):
            raise RuntimeError("no compiler here\nand a long explanation")

        return call

    monkeypatch.setattr(torch, "compile", broken)
    (result,) = measure(small_cases[1], compiled=True).results
    assert list(result.pytorch) == ["nchw", "channels_last"]
    assert set(result.notes) == {"PyTorch could not compile it: RuntimeError: no compiler here"}


def test_memory_is_that_of_minise_and_of_each_layout(monkeypatch):
    case = bench.MemoryCase("memory", "", "cnn", 64)
    bytes_of = {None: 30.0, Variant(): 60.0, Variant(channels_last=True): 40.0}
    monkeypatch.setattr(
        runner,
        "measure_memory",
        lambda case, variant, threads: bench.Measured(bytes_of[variant], 0.0, 0.0, 1),
    )
    monkeypatch.setattr(runner, "import_pytorch", lambda: None)
    (result,) = measure(case).results
    assert (result.minise.median, result.pytorch) == (30.0, {})
    result = runner._run_memory(case, True, 1)
    assert result.ratio() == 0.75
    assert result.rate() is None


def test_a_system_that_does_not_tell_sizes_is_told_of(monkeypatch):
    monkeypatch.setattr(memory, "_linux", lambda field: None)
    monkeypatch.setitem(sys.modules, "resource", None)
    (result,) = measure(bench.CASES["memory-se-resnet8"]).results
    assert result.minise is None
    assert result.notes == ("this system does not report the size of a process",)


def test_the_peak_during_five_steps_counts_above_the_size_before_them(monkeypatch):
    """The reset of the peak is Linux's own: sizes are given here."""
    events = []
    monkeypatch.setattr(memory, "size_now", lambda: events.append("now") or 1000)
    monkeypatch.setattr(memory, "peak_size", lambda: events.append("peak") or 1700)
    warm_up, step = (lambda name=name: events.append(name) for name in ("warm up", "step"))
    assert memory.peak_of_steps(warm_up, step) == 700
    assert events == ["warm up", "now", *["step"] * 5, "peak"]
    monkeypatch.setattr(memory, "peak_size", lambda: 900)
    assert memory.peak_of_steps(warm_up, step) == 0


def test_processes_are_told_what_to_measure(monkeypatch):
    asked, sizes = [], iter([b"40", b"10", b"20"])

    def run(command, *, stdout, check):
        asked.append(json.loads(command[-1]))
        return subprocess.CompletedProcess(command, 0, stdout=next(sizes))

    monkeypatch.setattr(memory.subprocess, "run", run)
    case = bench.MemoryCase("memory", "", "cnn", 64)
    measured = memory.measure_memory(case, Variant(channels_last=True), 3)
    assert measured == (20.0, 15.0, 30.0, 3)
    settings = {"net": "cnn", "batch": 64, "threads": 3, "variant": [True, False, False]}
    rest = {"backend": backend.current().name, "device": None}
    assert asked == [settings | rest] * 3


@pytest.mark.parametrize(("batch", "few"), [(15, 15), (128, 16)])
def test_few_images_warm_up_and_all_are_measured(monkeypatch, capsys, batch, few):
    steps = []

    class Trainer:
        place = staticmethod(lambda arrays: (len(arrays["x"]), len(arrays["labels"])))
        step = staticmethod(lambda x, labels: steps.append((x, labels)))

    settings = {"net": "cnn", "batch": batch, "backend": backend.current().name, "device": None}
    monkeypatch.setattr(sys, "argv", ["-c", json.dumps(settings)])
    monkeypatch.setattr(memory, "trainer_of", lambda given: Trainer())
    monkeypatch.setattr(memory, "size_now", lambda: 1000)
    monkeypatch.setattr(memory, "peak_size", lambda: 1700)
    memory.child()
    assert capsys.readouterr().out == "700\n"
    assert steps == [(few, few), *[(batch, batch)] * 5]


@pytest.mark.parametrize(("system", "size"), [("darwin", 5), ("freebsd", 5 * 1024)])
def test_where_only_the_peak_is_known_its_unit_is_the_systems(monkeypatch, system, size):
    usage = types.SimpleNamespace(
        RUSAGE_SELF=0, getrusage=lambda who: types.SimpleNamespace(ru_maxrss=5)
    )
    monkeypatch.setattr(memory, "_linux", lambda field: None)
    monkeypatch.setitem(sys.modules, "resource", usage)
    monkeypatch.setattr(sys, "platform", system)
    assert memory.peak_size() == memory.size_now() == size


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="Linux tells the peak")
def test_the_peak_of_steps_is_found_and_that_of_the_warm_up_is_not():
    MB = 1024**2

    def hold(megabytes):
        np.ones(megabytes * MB, np.uint8)

    peak = memory.peak_of_steps(lambda: hold(300), lambda: hold(50))
    assert 49 * MB < peak < 80 * MB


@pytest.mark.parametrize(
    "variant", [None, pytest.param(Variant(channels_last=True), marks=pytest.mark.slow)]
)
def test_memory_is_measured_in_a_process_of_its_own(variant):
    if variant is not None:
        pytest.importorskip("torch", reason="PyTorch is not installed")
    case = bench.MemoryCase("memory", "", "cnn", 256)
    measured = memory.measure_memory(case, variant, 1, processes=1)
    first_outputs = 256 * 8 * 28 * 28 * 4  # of the first convolution, which relu and backward need
    assert first_outputs < measured.median < 100 * first_outputs
