import json

import numpy as np
import pytest

from minise import backend, bench, cli
from minise.bench import cases, loaded
from minise.cores import most_threads
from minise.errors import InputError

QUICK = ["--seconds", "0.001", "--threads", "1"]


@pytest.fixture
def minise(capsys, tmp_path, monkeypatch):
    """Run the command in an empty folder; gives (exit code, what it printed, its errors)."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        with pytest.raises(SystemExit) as exit_:
            cli.main(["bench", *map(str, arguments)])
        printed = capsys.readouterr()
        return exit_.value.code, printed.out, printed.err

    return run


@pytest.mark.usefixtures("small_cases")
def test_the_table_stands_beside_pytorch(minise, monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")  # narrower ones have no rate
    pytest.importorskip("torch", reason="PyTorch is not installed")
    code, out, err = minise(*QUICK, "l", "se")
    assert (code, err) == (0, "")
    assert "threads used: 1" in out
    assert "ceilings: matrix product 200 GFLOP/s, copy 20.0 GB/s" in out
    assert "channels" in out
    (row,) = [line for line in out.splitlines() if line.startswith("se-small")]
    assert row.count("±") == 3
    assert "GB/s" in row
    assert "%" in row
    assert "step-small" not in out
    assert "…" not in out
    assert len(row.rstrip()) <= 100


@pytest.mark.usefixtures("small_cases", "without_pytorch")
def test_without_pytorch_the_table_has_no_columns_of_it(minise, monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")
    code, out, err = minise(*QUICK)
    assert (code, err) == (0, "")
    assert "ratio" not in out.split()
    assert out.count("PyTorch") == 1
    assert "To see PyTorch beside it: pip install torch" in out
    (row,) = [line for line in out.splitlines() if line.startswith("step-small")]
    assert row.count("±") == 1
    assert row.rstrip().endswith("img/s")


@pytest.mark.effect("minise bench --json", "minise bench --plot")
@pytest.mark.usefixtures("small_cases", "without_pytorch")
def test_json_and_plot(minise, tmp_path):
    code, out, err = minise(*QUICK, "--json", "b.json", "--plot", "b.png")
    assert (code, err) == (0, "")
    assert "linear-small" in out
    written = json.loads((tmp_path / "b.json").read_text())
    assert list(written) == ["machine", "ceilings", "cases", "scaling"]
    assert {"processor", "cores", "threads", "load", "numpy", "numba", "torch"} <= set(
        written["machine"]
    )
    assert written["ceilings"] == {"matrix_product_gflops": 200.0, "copy_gbs": 20.0}
    linear = written["cases"][0]
    assert linear["name"] == "linear-small"
    assert set(linear["minise"]) == {"median", "low", "high", "rounds", "spread"}
    assert linear["rate_unit"] == "GFLOP/s"
    assert linear["share"] == pytest.approx(linear["rate"] / 200)
    assert (linear["pytorch"], linear["ratio"], linear["wrong"]) == ({}, None, [])
    assert (tmp_path / "b.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.usefixtures("small_cases")
def test_json_on_standard_output_is_all_that_is_there(minise):
    pytest.importorskip("torch", reason="PyTorch is not installed")
    code, out, err = minise(*QUICK, "step", "--json", "-", "--plot", "b.png")
    assert (code, err) == (0, "")
    (step,) = json.loads(out)["cases"]
    theirs = step["pytorch"]["channels_last"]
    assert theirs["ratio"] == pytest.approx(step["minise"]["median"] / theirs["median"])
    assert step["ratio"] == max(variant["ratio"] for variant in step["pytorch"].values())


@pytest.mark.usefixtures("small_cases", "without_pytorch")
def test_scaling_is_a_table_and_a_curve_of_its_own(minise, monkeypatch):
    few = {name: cases.step(name, "cnn", int(name[-2:])) for name in ("scaling-16", "scaling-32")}
    monkeypatch.setattr(bench, "SCALING", few)
    code, out, err = minise(*QUICK, "linear", "--scaling", "--json", "b.json", "--plot", "b.png")
    assert (code, err) == (0, "")
    lines = [line.split() for line in out.splitlines()]
    assert [line[0] for line in lines if line and line[0] in ("linear-small", "16", "32")] == [
        "linear-small",
        "16",
        "32",
    ]
    with open("b.json") as file:
        written = json.load(file)
    assert [case["name"] for case in written["scaling"]] == list(few)
    assert len(written["cases"]) == 1


@pytest.mark.usefixtures("small_cases", "without_pytorch")
def test_wrong_results_end_with_1_and_the_others_are_shown(minise, monkeypatch):
    def side(library, arrays):
        y = np.ones(3) * (1.01 if backend.current().name == "numba" else 1.0)
        return bench.Side(lambda: y, lambda: {"y": y})

    case = bench.Case("wrong-small", "wrong", bench.Work(1, "B"), dict, side)
    monkeypatch.setitem(bench.CASES, case.name, case)
    code, out, err = minise(*QUICK, "wrong", "step", "--plot", "b.png", "--json", "b.json")
    assert code == 1
    assert err == "minise: wrong results, therefore not timed: wrong-small\n"
    rows = {line.split()[0]: line for line in out.splitlines() if "small" in line}
    assert rows["wrong-small"].split() == ["wrong-small", "WRONG"]
    assert "wrong-small: y is off by 0.017 of 1.7, 0.0001 of that is allowed, by the" in out
    assert "±" in rows["step-small"]
    with open("b.json") as file:
        written = {case["name"]: case for case in json.load(file)["cases"]}
    assert written["wrong-small"]["minise"] is None
    assert written["wrong-small"]["wrong"]
    assert minise(*QUICK, "wrong", "--plot", "empty.png")[0] == 1  # there is nothing to draw


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["conw3x3-16-28"], 1, "unknown case 'conw3x3-16-28': did you mean 'conv3x3-16-28',"),
        (["step", "zzz"], 1, "unknown case 'zzz': see minise bench --list for all"),
        (["step", "--plot", "b.pdf"], 1, "--plot b.pdf, expected a name that ends in .png"),
        (["step", "--json", "no/b.json"], 1, "no/b.json: there is no folder no"),
        (["step", "--threads", "9999"], 1, "threads must be 1 to"),
        (["step", "--seconds", "0"], 2, "Invalid value for '--seconds'"),
        (["step", "--loaded"], 1, "--loaded can be combined only with"),
    ],
)
def test_every_mistake_is_one_clear_line_and_leaves_nothing(
    minise, tmp_path, arguments, code, message
):
    got, _, err = minise(*arguments)
    assert got == code
    assert message in err
    assert "Traceback" not in err
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def asked(monkeypatch):
    """What is to be measured, and how; nothing is."""
    asked = {}

    def run(cases, **how):
        backend_used = backend.current().name, backend.get_num_threads()
        asked.update(how, names=[case.name for case in cases], on=backend_used)
        raise InputError("nothing was measured")

    monkeypatch.setattr(bench, "run", run)
    return asked


@pytest.mark.effect(
    "minise bench --seconds",
    "minise bench --compile",
    "minise bench --backend",
    "minise bench --threads",
)
def test_what_is_measured_is_what_was_asked(minise, asked):
    backend.set_num_threads(most_threads())
    options = ["--seconds", "0.25", "--compile", "--backend", "numpy", "--threads", "1"]
    assert minise(*options, "linear")[::2] == (1, "minise: nothing was measured\n")
    del asked["on_case"]
    how = {"threads": 1, "seconds": 0.25, "compiled": True}
    assert asked == {"names": ["linear-784-10"], "on": ("numpy", 1), **how}


@pytest.mark.effect("minise bench NAMES", "minise bench --scaling", "minise bench --list")
@pytest.mark.usefixtures("asked")
def test_cases_are_chosen_by_the_beginning_of_their_names(minise):
    def listed(*arguments):
        code, out, err = minise("--list", *arguments)
        assert (code, err) == (0, "")
        return [line.split()[0] for line in out.splitlines()]

    assert listed() == list(bench.CASES)
    assert listed("--scaling") == [*bench.CASES, *bench.SCALING]
    assert listed("batch") == list(bench.BATCHES)
    assert listed("scaling") == list(bench.SCALING)
    assert listed("se", "image") == [n for n in bench.CASES if n.startswith(("se-", "image-"))]
    assert listed("linear", "--scaling") == ["linear-784-10", *bench.SCALING]


@pytest.mark.effect("minise bench --loaded")
@pytest.mark.usefixtures("asked")
def test_loaded_prints_a_table_or_json(minise, monkeypatch):
    figure = bench.Measured(0.004, 0.004, 0.004, 3)
    row = bench.Beside(loaded.NEIGHBOURS[1], figure, figure, None)
    asked = []

    def run_loaded(*, threads, seconds, on_row):
        on_row("one busy process")
        asked.append((threads, seconds))
        return [row]

    monkeypatch.setattr(bench, "run_loaded", run_loaded)
    code, out, err = minise("--loaded", "--threads", "1", "--seconds", "0.5")
    assert (code, err) == (0, "measuring, neighbours: one busy process …\n")
    assert "one busy process" in out
    assert "4.00 ms" in out
    assert asked == [(1, 0.5)]
    code, out, _ = minise("--loaded", "--json", "-")
    assert json.loads(out)["rows"][0]["minise"]["median"] == 0.004
