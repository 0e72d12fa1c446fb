"""The run for people who have a GPU, on the stand-in: it comes to its end and says what it did."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from gpu.measure import parts, steps
from gpu.measure.findings import Findings, read_findings
from stand_in.installed import STAND_IN, needs_compiler

from minise import bench

RUN = Path(__file__).parent / "run"
ON_STAND_IN = {"PYTHONPATH": str(STAND_IN)}


def run(folder, *options, **environment):
    return subprocess.run(
        [sys.executable, RUN, *options],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": "", **environment},
        capture_output=True,
        text=True,
    )


@pytest.mark.slow
@needs_compiler
def test_the_run_comes_to_its_end_and_leaves_a_table(tmp_path):
    done = run(tmp_path, "--quick", "--device", "0", **ON_STAND_IN)
    text = (tmp_path / "gpu-report.md").read_text(encoding="utf-8")
    assert done.returncode == 0, done.stdout + done.stderr
    assert text in done.stdout
    head, _, table = text.partition("| part | what | measured | goal |")
    assert "ran on a stand-in for CuPy, without a GPU: its figures mean nothing" in head
    assert "all parts passed" in head
    for fact in ("CUDA", "CuPy", "minise"):
        assert re.search(rf"\b{fact} \d", head)
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in table.splitlines() if line]
    assert {len(row) for row in rows} == {4}
    assert [row[:2] for row in rows if row[0].startswith("**")] == [
        [f"**{part.name}**", "**passed**"] for part in parts.PARTS
    ]
    figures = {row[1]: row[2] for row in rows}
    tests = figures["tests of each backend, on cupy"]
    assert re.fullmatch(r"[1-9]\d* passed, 0 skipped, 0 failed", tests)
    assert figures["cnn, two trainings of 3 steps, replayed"] == "equal to the bit"
    assert re.fullmatch(r".*s, .*GB/s, \d+% of the copy", figures["squeeze, backward"])
    assert "Conv2d" in text
    assert "images/s" in figures["an epoch of se-resnet8 on a few digits"]
    assert [path.name for path in tmp_path.iterdir()] == ["gpu-report.md"]


@needs_compiler
def test_the_stand_in_is_refused_without_quick(tmp_path):
    done = run(tmp_path, **ON_STAND_IN)
    assert done.returncode == 1
    assert done.stdout.endswith("for which every size is too large: --quick\n")


def test_without_a_gpu_there_is_one_line_and_nothing_is_left(tmp_path):
    (tmp_path / "cupy.py").write_text("raise ImportError")
    done = run(tmp_path, PYTHONPATH=str(tmp_path))
    assert done.returncode == 1
    assert "There is no GPU that minise can use here.\n" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["cupy.py"]


FACTS = dict.fromkeys(("torch", "revision", "minise", "cupy", "numpy", "numba", "python"))
FACTS |= dict.fromkeys(("processor", "threads", "system", "gpu", "driver", "cuda"))
FACTS |= {"cuda_of_driver": None, "memory": 0, "stand_in": False}


def test_a_part_that_fails_does_not_keep_the_others_from_running(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(parts, "_facts", lambda environment: FACTS)
    sleep = [sys.executable, "-c", "import time; time.sleep(600)"]
    monkeypatch.setattr(parts, "_command", lambda module: sleep)
    slow = parts.Part("slow", "slow", "", 1.2)
    monkeypatch.setattr(parts, "PARTS", (slow, slow._replace(name="idle", required=False)))
    assert parts.run_all(None, quick=True) == 1
    report = (tmp_path / "gpu-report.md").read_text(encoding="utf-8")
    assert "**failed: slow**" in report
    assert "| **idle** | **stopped after 1 seconds** |" in report


def test_the_stand_in_has_as_much_time_as_it_needs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(parts, "_facts", lambda environment: FACTS | {"stand_in": True})
    monkeypatch.setattr(parts, "_command", lambda module: [sys.executable, "-c", "pass"])
    monkeypatch.setattr(parts, "PARTS", (parts.Part("slow", "slow", "", 0.0),))
    assert parts.run_all(None, quick=True) == 0
    assert "| **slow** | **passed** |" in (tmp_path / "gpu-report.md").read_text(encoding="utf-8")


def test_what_a_part_raises_is_what_is_wrong_with_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(parts, "_facts", lambda environment: FACTS)
    monkeypatch.setattr(parts, "PARTS", (parts.Part("bad", "nowhere", "", 60.0),))
    assert parts.run_all(None, quick=True) == 1
    report = (tmp_path / "gpu-report.md").read_text(encoding="utf-8")
    assert "No module named 'gpu.measure.nowhere' | **WRONG** |" in report


def test_what_was_found_before_a_part_was_killed_is_there(tmp_path):
    path = tmp_path / "findings.json"
    assert read_findings(path) == ([], [])
    found = Findings(path)
    found.figure("speed", "1 m/s", "≥ 2: missed")
    found.is_wrong("something")
    assert read_findings(path) == ([("speed", "1 m/s", "≥ 2: missed")], ["something"])


@pytest.mark.parametrize(
    ("visible", "device", "expected"),
    [("", None, ""), ("", 1, "1"), ("4,7", 1, "7"), ("4,7", 2, "2"), ("4,7", None, "4,7")],
)
def test_all_processes_see_the_gpu_that_was_asked_for(monkeypatch, visible, device, expected):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert parts._environment(device)["CUDA_VISIBLE_DEVICES"] == expected


@pytest.mark.parametrize(("ours", "said"), [(1.0, "≤ 2.5: reached"), (1.5, "≤ 2.5: missed")])
def test_a_step_is_judged_by_the_best_of_pytorch(tmp_path, ours, said):
    times = {"nchw": 0.5, "channels_last": 0.4, "nchw_compiled": 0.1}
    measured = {name: bench.Measured(time, time, time, 3) for name, time in times.items()}
    result = bench.Result(
        bench.ON_GPU["step-se-resnet50-32"], bench.Measured(ours, ours, ours, 3), measured
    )
    found = Findings(tmp_path / "findings.json")
    report = bench.Report({}, bench.Ceilings(200.0, 20.0), True, [result])
    steps.tell(found, report, 2.5, steps.EAGER)
    rows = {figure.what: figure for figure in found.figures}
    assert rows["se-resnet50, 32 images: PyTorch, nchw_compiled"].measured == "100 ms, 320 images/s"
    ratio = rows["se-resnet50, 32 images: minise by PyTorch"]
    assert ratio[1:] == (f"{ours / 0.4:.2f} of the time of channels_last", said)
    assert found.wrong == []
