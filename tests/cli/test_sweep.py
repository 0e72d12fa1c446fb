"""`minise sweep`: its options, what it says before, while and after points are trained."""

import errno
import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from rich.console import Console

from minise import backend, data, runs, sweep
from minise.cli import sweeping
from minise.cli.sweeping import Sweeping, Words, duration, middle
from minise.cores import cores
from minise.errors import InputError
from minise.sweep import State
from minise.sweep.estimate import Pace
from minise.sweep.point import FAILED, RESULT, Progress

effect = pytest.mark.effect
MINISE = (sys.executable, "-m", "minise")
TINY = ("--data", "own.npz", "--model", "cnn", "--epochs", "1", "--batch-size", "20")


@pytest.fixture
def folder(tmp_path):
    """Where there are a few images to learn from."""
    sample = data.load("sample")
    few = {"x_train": sample.train.images[:60, 0], "y_train": sample.train.labels[:60]}
    few |= {"x_test": sample.test.images[:20, 0], "y_test": sample.test.labels[:20]}
    np.savez(tmp_path / "own.npz", **few)
    return tmp_path


class Here:
    """An engine whose only worker is this process."""

    def __init__(self, workers):
        self.workers = workers
        self.used.append(workers)

    def train(self, points, work):
        for point in points:
            yield work(point)


@pytest.fixture
def here(monkeypatch):
    """No other processes are started; gives the numbers of workers that were asked for."""
    monkeypatch.setattr("minise.sweep.cluster.Processes", Here)
    monkeypatch.setattr(Here, "used", [], raising=False)
    return Here.used


@pytest.fixture
def planned(minise, monkeypatch):
    """What a dry run with these words would list: (the points, the number of workers)."""

    def plan(*words):
        seen = []
        monkeypatch.setattr(
            "minise.cli.sweep._tell_plan",
            lambda console, task, told, workers, retry: seen.append((task.points, workers)),
        )
        assert minise("sweep", *words, "--dry-run")[0] == 0
        return seen[0]

    return plan


def row(mark, words, field, values):
    return pytest.param(words.split(" "), field, values, marks=mark, id=words)


@pytest.mark.parametrize(
    ("words", "field", "values"),
    [
        row(effect("minise sweep --model"), "--model cnn,se-cnn", "model", ["cnn", "se-cnn"]),
        row(
            effect("minise sweep --option"),
            "--option reduction=1-2,4 --option stages=[1,2],[3] --model se-resnet8",
            "options",
            [{"reduction": r, "stages": s} for r in (1, 2, 4) for s in ([1, 2], [3])],
        ),
        row(effect("minise sweep --hold-out"), "--hold-out 0,10", "hold_out", [0, 10]),
        row(effect("minise sweep --train-images"), "--train-images 50,60", "train_images",
            [50, 60]),
        row(effect("minise sweep --epochs"), "--epochs 1-3", "epochs", [1, 2, 3]),
        row(effect("minise sweep --batch-size"), "--batch-size 8,16", "batch_size", [8, 16]),
        row(effect("minise sweep --lr"), "--lr 1e-3,0.1,1", "lr", [0.001, 0.1, 1.0]),
        row(effect("minise sweep --weight-decay"), "--weight-decay 0,0.1", "weight_decay",
            [0, 0.1]),
        row(effect("minise sweep --optimizer"), "--optimizer adamw,sgd", "optimizer",
            ["adamw", "sgd"]),
        row(effect("minise sweep --schedule"), "--schedule cosine,one-cycle", "schedule",
            ["cosine", "one-cycle"]),
        row(effect("minise sweep --label-smoothing"), "--label-smoothing 0,0.1", "label_smoothing",
            [0, 0.1]),
        row(effect("minise sweep --augment"), "--no-augment", "augment", [False]),
        row(effect("minise sweep --augment"), "--augment --no-augment", "augment", [True, False]),
        row(effect("minise sweep --test-at-end"), "--test-at-end", "test_at_end", [True]),
        row(effect("minise sweep --seed"), "--seed 0-2,7", "seed", [0, 1, 2, 7]),
        row(effect("minise sweep --seed"), "--seed 0-2 --seed 7", "seed", [0, 1, 2, 7]),
        row(effect("minise sweep --recipe"), "--recipe record-8k,record-minute --data own.npz",
            "model", ["se-vgg-8k", "se-vgg-18k"]),
        row(effect("minise sweep --recipe"), "--recipe record-8k --epochs 2,3", "epochs", [2, 3]),
    ],
)  # fmt: skip
def test_an_option_is_an_axis(planned, folder, words, field, values):
    points, _ = planned("--data", folder / "own.npz", *words)
    assert [getattr(point.config, field) for point in points] == values


@effect("minise sweep --data")
def test_data_may_be_several_and_a_path_with_a_comma_is_one(planned, folder, monkeypatch):
    for name in ("a,b.npz", "0-1", "my-data.npz"):
        (folder / name).write_bytes((folder / "own.npz").read_bytes() + name.encode())
    (folder / "0-1").rename(folder / "0-1.npz")
    for words, names in {
        "own.npz,my-data.npz": ["own.npz", "my-data.npz"],
        "a,b.npz": ["a,b.npz"],
        '"a,b.npz",own.npz': ["a,b.npz", "own.npz"],
        "0-1.npz": ["0-1.npz"],
    }.items():
        points, _ = planned("--data", words)
        assert [point.config.data for point in points] == [str(folder / name) for name in names]


@effect("minise sweep FILE")
def test_a_file_lists_points_and_options_replace_what_it_says(planned, folder):
    (folder / "grid.toml").write_text(
        'data = "own.npz"\nseed = "0-1"\n[[points]]\nmodel = "cnn"\n[[points]]\n'
        'model = "se-cnn"\n"epochs, lr" = [[1, 0.1], [2, 0.2]]\n'
    )

    def found(*words):
        points, _ = planned("grid.toml", *words)
        return [(p.config.model, p.config.epochs, p.config.lr, p.config.seed) for p in points]

    assert found() == [
        ("cnn", 12, None, 0), ("cnn", 12, None, 1), ("se-cnn", 1, 0.1, 0), ("se-cnn", 2, 0.2, 0),
        ("se-cnn", 1, 0.1, 1), ("se-cnn", 2, 0.2, 1),
    ]  # fmt: skip
    assert found("--seed", "5", "--epochs", "3") == [
        ("cnn", 3, None, 5), ("se-cnn", 3, 0.1, 5), ("se-cnn", 3, 0.2, 5),
    ]  # fmt: skip


@effect("minise sweep --workers")
def test_workers_are_as_many_as_asked_for(planned, folder):
    backend.set_num_threads(1)  # which says nothing of workers: each has one
    assert planned(*TINY)[1] == cores()
    assert planned(*TINY, "--workers", "3")[1] == 3


@effect("minise sweep --workers")
def test_the_engine_has_as_many_workers_as_asked_for(minise, folder, here):
    assert minise("sweep", *TINY, "--workers", "3")[0] == 0
    assert here == [3]


@effect("minise sweep --scheduler", "minise sweep --slurm")
def test_a_cluster_is_asked_for_with_what_was_typed(minise, folder, monkeypatch):
    asked = []

    def engine_of(*words):
        asked.append(words)
        raise InputError("there is none here")

    monkeypatch.setattr("minise.cli.sweep.engine_of", engine_of)
    for words in (["--scheduler", "tcp://a:1"], ["--slurm", "partition=cpu", "--slurm", "cpus=1"]):
        assert minise("sweep", *TINY, *words)[0] == 2
    assert asked == [(None, "tcp://a:1", ()), (None, None, ("partition=cpu", "cpus=1"))]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--epochs", "1,x"], "Invalid value for '--epochs': 'x' is not a valid integer range."),
        (["--epochs", "0-3"], "Invalid value for '--epochs': 0 is not in the range x>=1."),
        (["--seed", "3-1"], "Invalid value for '--seed': the range 3-1 ends before it begins. See"),
        (["--lr", "0.1,"], "Invalid value for '--lr': '' is not a valid float."),
        (["--optimizer", "sgd,adam"], "Invalid value for '--optimizer': 'adam' is not one of"),
        (["--option", "reduction"], "Invalid value for '--option': 'reduction', expected NAME="),
        (["--workers", "0"], "Invalid value for '--workers': 0 is not in the range x>=1."),
        (["--checkpoint-every", "5 apples"], "checkpoint every '5 apples': expected '1 epoch'"),
        (["--model", "se-cnn,cn"], "\n  unknown model 'cn': did you mean 'cnn'"),
        (["--model", "cnn", "--option", "reduction=2"], "\n  cnn: unknown option 'reduction'"),
        (["--option", "stages=[1"], "\n  se-cnn3: unknown option 'stages'"),
        (["--data", "own.npz,there.npz"], "\n  data: there is no 'there.npz'"),
        (["--recipe", "record-9k"], "unknown recipe 'record-9k': did you mean 'record-8k'"),
        (["--option", "a-b=1"], "\n  se-cnn3: unknown option 'a-b': there are block"),
        (["grid.toml"], "grid.toml: cannot be read: No such file"),
        (["grid.toml", "--recipe", "record-8k"], "--recipe: grid.toml says what its points start"),
    ],
)
def test_what_cannot_be_done_is_refused_before_anything_is(minise, folder, words, message):
    code, out, err = minise("sweep", *words)
    assert (code, out) == (2, "")
    assert message in err
    assert "Traceback" not in err
    assert sorted(path.name for path in folder.iterdir()) == ["own.npz"]


@pytest.mark.parametrize("more", [(), ("--dry-run",)])
@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            "--train-images 20 --seed 0-3 --model cnn,se-cnn",
            "8 of 8 points cannot be trained, so none is:\n  seed 0: own: of 20 images drawn none",
        ),
        (
            "--hold-out 30 --seed 0-3",
            "1 of 4 points cannot be trained, so none is:\n  seed 0: own: all images of class 8",
        ),
    ],
)
def test_a_draw_that_loses_a_class_is_refused_before_anything_is(
    minise, folder, words, message, more
):
    code, out, err = minise("sweep", "--data", "own.npz", *words.split(), *more)
    assert (code, out) == (2, "")
    assert message in err
    assert sorted(path.name for path in folder.iterdir()) == ["own.npz"]


def test_nets_that_take_the_images_are_named(minise, folder):
    big = np.zeros((4, 40, 40), np.uint8)
    np.savez(folder / "big.npz", x_train=big, y_train=range(4), x_test=big, y_test=range(4))
    code, _, err = minise("sweep", "--data", "big.npz", "--model", "se-cnn,resnet8")
    assert code == 2
    assert err.startswith(
        "minise: 1 of 2 points cannot be trained, so none is:\n"
        "  se-cnn: an input of (1, 40, 40) does not fit: linear: x has 1600 features"
    )
    assert "; nets that take such images: se-resnet8, se-inception-tiny, " in err


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("points = []", "the sweep has no points"),
        ("modle = 'cnn'", "grid.toml: unknown setting 'modle': did you mean 'model'"),
        ("model = [[]]", "\n  model: [], expected a name"),
        ("model.x = 3", "\n  model: {'x': 3}, expected a name"),
        (f"seed = {'9' * 5000}", "grid.toml: not TOML: Exceeds the limit"),
        ("lr = " + "[" * 5000, "grid.toml: not TOML: "),
        (f"lr = -{'9' * 400}", "\n  lr: -999"),
        (f"epochs = {'9' * 400}", "9, expected less than 2**128"),
        (f"batch_size = {'9' * 400}", "9, expected less than 2**128"),
        (f"option.reduction = {'9' * 400}", "\n  se-cnn3: reduction is 999"),
        ('"seed " = "x"', "\n  seed: 'x', expected a whole number"),
        ("batch-size = 10\nbatch_size = 20", "grid.toml: batch_size: it is there twice"),
        ('"epochs, lr" = [[1, 0.1]]\nlr = 0.2', "grid.toml: lr: it is there twice"),
        ('"option.gate" = 1\noption.gate = 2', "grid.toml: option.gate: it is there twice"),
        ('"seed, seed" = [[0, 1]]', "grid.toml: seed: it is there twice"),
    ],
)
def test_a_file_that_cannot_be_meant_is_refused(minise, folder, text, message):
    (folder / "grid.toml").write_text(text)
    code, out, err = minise("sweep", "grid.toml")
    assert (code, out) == (2, "")
    assert message in err
    assert "Traceback" not in err


def test_a_table_replaces_what_is_said_of_all_points(planned, minise, folder):
    (folder / "grid.toml").write_text(
        'data = "own.npz"\nepochs = [3, 4]\n[[points]]\nmodel = ["cnn", "se-cnn"]\n'
        '"epochs, lr" = [[1, 0.1], [2, 0.2]]\noption.reduction = 2\n',
        encoding="utf-8-sig",  # as Windows' editors write it
    )
    points, _ = planned("grid.toml")
    assert [(p.config.epochs, p.config.lr) for p in points] == [(1, 0.1), (2, 0.2)] * 2
    _, out, err = minise("sweep", "grid.toml", "--dry-run")
    assert (err.count("cnn has no option reduction"), "repeated" in out) == (1, False)


@pytest.mark.parametrize("more", [(), ("--dry-run",)])
@pytest.mark.parametrize("out", ["own.npz", "own.npz/sweep"])
def test_a_folder_that_cannot_be_made_is_refused(minise, folder, out, more):
    code, _, err = minise("sweep", *TINY, "--out", out, *more)
    assert (code, err.count("\n")) == (2, 1)
    assert err.startswith(f"minise: {out}: cannot be created: ")


def test_a_full_disk_is_told_where_the_sweep_itself_cannot_write(minise, folder, here, monkeypatch):
    def full(self):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("minise.runs.lock.Lock._write", full)
    code, _, err = minise("sweep", *TINY)
    assert code == 1
    assert "minise: sweep: cannot be written to: No space left on device\n" in err
    assert "Traceback" not in err


def test_on_a_gpu_it_is_told_what_to_do_instead(minise, monkeypatch):
    monkeypatch.setattr(backend.NumPy, "on_gpu", True)
    code, _, err = minise("sweep")
    assert code == 2
    assert "train one point after another with minise train" in err


@effect("minise sweep --dry-run")
def test_a_dry_run_lists_points_and_their_time_and_writes_nothing(minise, folder):
    before = sorted(folder.iterdir())
    code, out, _ = minise("sweep", *TINY, "--seed", "0-2", "--dry-run", "--workers", "2")
    lines = out[out.index("waiting") :].splitlines()
    assert code == 0
    assert [line.split()[0] for line in lines[:3]] == ["waiting"] * 3
    assert [line.split()[-2:] for line in lines[:3]] == [["cnn", f"seed={s}"] for s in range(3)]
    assert lines[4] == "3 points in sweep: 0 done, 3 waiting"
    assert lines[5] == "A few seconds with 2 workers of one thread each."
    words = " ".join((*TINY, "--seed", "0-2", "--workers", "2"))
    assert lines[6:] == ["", "Next:", f"  minise sweep {words}"]
    assert sorted(folder.iterdir()) == before


def test_a_dry_run_ends_with_what_trains_the_points_that_it_lists(minise, folder, here):
    words = ("sweep", *TINY[:6])
    assert minise(*words, "--dry-run")[1].endswith(
        "\nNext:\n  minise sweep --data own.npz --model cnn --epochs 1  train them\n"
    )
    minise(*words)
    assert minise(*words, "--dry-run")[1].endswith("\nNext:\n  minise runs sweep  compare them\n")


def test_a_dry_run_marks_the_times_of_nets_that_were_not_timed(minise, folder, monkeypatch):
    monkeypatch.setattr("minise.sweep.estimate.measured", lambda config: Pace(0.1, 0.0))
    monkeypatch.setattr("minise.sweep.estimate.warm_up", lambda config: None)
    monkeypatch.setattr("minise.sweep.estimate.SECONDS", -1.0)
    code, out, _ = minise("sweep", *TINY[:2], "--option", "reduction=2,4", "--dry-run")
    assert code == 0
    assert out.count(" ~") == 2  # of a point, and where that is explained
    assert "\n1 of 2 nets was timed; the times with ~ are estimated from multiply-adds.\n" in out


@effect("minise sweep --out")
def test_a_sweep_leaves_a_folder_for_each_point_and_does_none_twice(minise, folder, here):
    words = ("sweep", *TINY, "--seed", "0,1,1", "--out", "my sweep")
    code, out, _ = minise(*words)
    lines = out[out.index("1 of 3 points is repeated") :].splitlines()
    lines = [line for line in lines if not line.startswith("compiling")]  # on a fresh machine
    assert code == 0
    assert lines[0] == "1 of 3 points is repeated: each is done once"
    assert lines[1] == "2 points in my sweep: 0 done, 2 waiting; a few seconds"
    assert [line.split()[:3] for line in lines[2:4]] == [
        ["cnn", f"seed={s}", "test"] for s in (0, 1)
    ]
    assert lines[4:] == [
        "",
        "2 points in my sweep: 2 done",
        "",
        "Next:",
        "  minise runs 'my sweep'  compare them",
    ]
    results = sorted((folder / "my sweep").glob(f"*/{RESULT}"))
    assert [json.loads(path.read_text())["config"]["seed"] for path in results] == [0, 1]
    times = [path.stat().st_mtime_ns for path in results]
    code, again, _ = minise(*words)
    assert (code, again.splitlines()[1:]) == (0, lines[4:])
    assert [path.stat().st_mtime_ns for path in results] == times


@effect("minise sweep --retry-failed")
def test_what_fails_stops_nothing_and_is_tried_again_when_asked(minise, folder, here, monkeypatch):
    words = ("sweep", *TINY, "--lr", "0.1,1e30", "--seed", "3")
    code, out, _ = minise(*words)
    assert code == 1
    failed = "cnn lr=1e+30: the loss is nan in epoch 1, step 2, with lr 1e+30: try a smaller one"
    assert "2 points in sweep: 1 done, 1 failed\n  " + failed[:12] in out
    assert out.count("try a smaller one") == 2  # when it failed, and at the end
    retry = f"  minise {' '.join(words)} --retry-failed"
    assert out.splitlines()[-1].startswith(retry)
    (path,) = (folder / "sweep").glob(f"*/{FAILED}")
    before = path.stat().st_mtime_ns
    code, out, _ = minise(*words)
    assert code == 1
    assert out.count("try a smaller one") == 1
    assert path.stat().st_mtime_ns == before
    for more, end in {(): ["1 failed"], ("--retry-failed",): ["1 failed", "A few"]}.items():
        _, out, _ = minise(*words, "--dry-run", *more)
        assert [told for told in ("1 failed", "A few") if told in out] == end
        assert out.splitlines()[-1].startswith(retry)  # which is not there twice
    code, out, _ = minise(*words, "--retry-failed")
    assert code == 1
    assert path.stat().st_mtime_ns > before
    assert out.splitlines()[-1].startswith(retry)


@effect("minise sweep --checkpoint-every")
def test_checkpoints_are_as_frequent_as_asked_for(minise, folder, here, monkeypatch):
    seen = []
    monkeypatch.setattr(
        "minise.sweep.Sweep.run", lambda task, engine, show, every: seen.append(every)
    )
    minise("sweep", *TINY)
    minise("sweep", *TINY, "--checkpoint-every", "7 steps")
    assert seen == [runs.Every(1, "minute"), runs.Every(7, "step")]


def test_ctrl_c_stops_after_the_steps_and_the_same_command_goes_on(folder):
    words = ["sweep", *TINY[:4], "--epochs", "100000", "--batch-size", "20", "--workers", "1"]
    process = subprocess.Popen(
        [*MINISE, *words], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    while not list(folder.glob("sweep/*/metrics.jsonl")):
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=300)
    assert process.returncode == 130
    assert "1 point in sweep: 0 done, 1 waiting" in out
    assert err == (
        "minise: stopping, as soon as each worker has done and saved its step\n\n"
        "minise: stopped; 1 point in sweep: 0 done, 1 stopped. The same command continues:\n"
        f"  minise {' '.join(words)}\n"
    )
    (run,) = (folder / "sweep").glob("cnn*")
    position = json.loads(runs.load_checkpoint(run).state.metadata["training"])
    assert position["epoch"] > 1


@pytest.mark.skipif(os.name == "nt", reason="of POSIX")
def test_a_pipe_that_closes_stops_the_workers_after_their_steps(folder):
    words = ["sweep", *TINY, "--seed", "0-999", "--workers", "1"]
    process = subprocess.Popen(
        [*MINISE, *words], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    for _ in range(2):
        process.stdout.readline()
    process.stdout.close()
    with process.stderr as stderr:
        err = stderr.read()
    assert process.wait(300) == 1
    assert "Traceback" not in err
    assert f"The same command continues:\n  minise {' '.join(words)}\n" in err
    assert 0 < len(list(folder.glob(f"sweep/*/{RESULT}"))) < 1000


class Told:
    """A sweep whose points are as far as one says."""

    folder = None
    asked_to_stop = False

    def __init__(self, folder, points, states):
        self.folder, self.points, self._states = folder, points, states

    def states(self):
        return list(self._states)


@pytest.fixture
def shown(tmp_path, monkeypatch):
    """The lines that a terminal of a size shows of so many running points."""

    def show(width, height, running, waiting=3, silent=0.0, **more):
        axes = {
            "model": ["se-resnet8"], "option.squeeze": ["avg+max"],
            "train_images": [1000, 10_000], "seed": range(running + waiting),
        }  # fmt: skip
        points = [sweep.Point(c, "0") for c in sweep.points_of(axes)]
        states = [State.DONE, State.FAILED, *[State.RUNNING] * running]
        states += [State.WAITING] * (len(points) - len(states))
        progress = Progress(3, 12, 0.4, 0.987, "host", 1, silent)
        monkeypatch.setattr(sweep.Point, "progress", lambda point, folder: progress)
        monkeypatch.setattr(sweep.Point, "state", lambda point, folder: states[points.index(point)])
        console = Console(width=width, height=height, force_terminal=True, legacy_windows=False)
        task = Told(tmp_path, points, states)
        task.asked_to_stop = more.get("stopping", False)
        told = Sweeping(console, task, Words(points), Paces(), workers=2)
        with console.capture() as capture:
            console.print(told._drawn())
        return [sweeping_text(line).rstrip() for line in capture.get().splitlines()]

    return show


class Paces:
    def seconds(self, point, epochs):
        return Pace(0.01, 0.0001).step * 100 * epochs


def sweeping_text(line):
    from rich.text import Text

    return Text.from_ansi(line).plain


def test_a_terminal_shows_all_and_each_that_runs(shown):
    lines = shown(80, 24, 2)
    assert lines[0].split()[1:] == ["1/10", "done,", "1", "failed", *lines[0].split()[5:]]
    assert lines[0].endswith(" to go")
    assert [line.split()[:5] for line in lines[1:]] == [
        ["se-resnet8", "train_images=1000", f"seed={s}", "3/12", "98.7%"] for s in (2, 3)
    ]
    # two epochs of twelve, and 0.4 of the third: just below a fifth
    assert lines[1].split()[-1] == "━╸━━━━━━━━"


@pytest.mark.parametrize("width", [20, 40, 60, 80, 120])
@pytest.mark.parametrize("running", [0, 2, 64])
def test_what_is_shown_fits_the_terminal(shown, width, running):
    lines = shown(width, 24, running)
    assert max(map(len, lines)) <= width
    assert len(lines) <= 22
    if running == 64:
        assert lines[-1] == "… and 45 more"
    if width >= 40 and running:
        assert "3/12" in lines[1]
        assert lines[1].startswith("se-res")
        assert "seed=2" in lines[1]


def test_a_worker_without_a_sign_of_life_is_told_of(shown):
    assert shown(80, 24, 1, silent=125.0)[1].split()[-3:] == ["silent", "2", "min"]


def test_that_it_stops_is_shown(shown):
    assert "stopping …" in shown(80, 24, 2, stopping=True)[0]


@pytest.mark.parametrize("width", [1, 20, 80])
def test_a_line_about_a_point_that_ended_fits_any_terminal(tmp_path, width):
    point = sweep.Point(runs.Config(), "0")
    (tmp_path / point.name).mkdir()
    (tmp_path / point.name / FAILED).write_text('{"error": "too little memory"}')
    task = Told(tmp_path, [point], [State.RUNNING])
    console = Console(width=width, force_terminal=True, legacy_windows=False)
    with console.capture() as capture:
        Sweeping(console, task, Words([point]), Paces(), workers=2).update()
    assert capture.get().split()[:2] == ["se-cnn3", "failed:"]


def test_points_are_told_by_what_differs():
    configs = sweep.points_of({"model": ["cnn", "se-cnn"], "data": ["a/x.npz", "a/y.npz"]})
    points = [sweep.Point(config, "0") for config in configs]
    assert [Words(points).of(point) for point in points] == [
        "cnn data=x.npz", "cnn data=y.npz", "se-cnn data=x.npz", "se-cnn data=y.npz",
    ]  # fmt: skip
    assert Words(points[:1]).of(points[0]) == "cnn"
    options = {"option.stages": [[1, 2]], "option.bias": [False, True], "lr": [0.1], "seed": [1, 2]}
    points = [sweep.Point(config, "0") for config in sweep.points_of(options)]
    assert Words(points).of(points[0]) == "se-cnn3 bias=false seed=1"
    configs = sweep.points_of({"data": ["a/x.npz", "b/x.npz"], "epochs": [1, 2]})
    points = [sweep.Point(config, "0") for config in configs]
    assert Words(points).of(points[0]) == f"se-cnn3 data={os.path.join('a', 'x.npz')} epochs=1"


@pytest.mark.parametrize(
    ("seconds", "told"),
    [
        (0.04, "0.0 s"), (9.94, "9.9 s"), (9.96, "10 s"), (99.4, "99 s"), (99.6, "2 min"),
        (840, "14 min"), (5940, "99 min"), (6000, "1 h 40 min"), (7200, "2 h 00 min"),
        (400_000, "5 days"),
    ],
)  # fmt: skip
def test_a_duration_is_told_in_two_numbers_at_most(seconds, told):
    assert duration(seconds) == told


def test_a_text_that_is_too_wide_keeps_both_ends():
    assert middle("se-resnet8 seed=0", 17) == "se-resnet8 seed=0"
    assert middle("se-resnet8 seed=0", 11) == "se-re…eed=0"


def test_the_time_to_go_follows_the_pace_that_it_has(shown, monkeypatch, tmp_path):
    points = [sweep.Point(c, "0") for c in sweep.points_of({"seed": range(10)})]
    states = [State.WAITING] * 10
    (tmp_path / points[0].name).mkdir()
    clock = [0.0]
    monkeypatch.setattr(sweeping.time, "monotonic", lambda: clock[0])
    task = Told(tmp_path, points, states)
    told = Sweeping(Console(), task, Words(points), Paces(), workers=2)
    assert told.to_go() == pytest.approx(10 * 12 / 2)  # 12 s each
    clock[0] = 48.0  # in which 8 should be done, but only 4 are
    told._states[:4] = [State.DONE] * 4
    assert told.to_go() == pytest.approx(6 * 12 / 2 * (96 + 24) / (48 + 24))
