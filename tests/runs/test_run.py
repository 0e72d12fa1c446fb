import json
import os
import subprocess

import numpy as np
import pytest

from minise import InputError, runs, train
from minise.data import Dataset, Split
from minise.files import read_tensors
from minise.runs.folder import check_empty

# noise teaches little
pytestmark = pytest.mark.filterwarnings("ignore:.* learned nothing in epoch")


def splits():
    rng = np.random.default_rng(0)
    return [
        Split(rng.integers(0, 256, (count, 1, 28, 28), np.uint8), np.arange(count) % 10)
        for count in (40, 100)
    ]


CONFIG = runs.Config(epochs=3, batch_size=10)


@pytest.fixture
def training():
    return runs.training_of(CONFIG, Dataset("noise", *splits()))


def go_on(run):
    return run.training.run(watchers=[run])


def test_a_run_leaves_all_that_explains_it(tmp_path, training):
    folder = tmp_path / "deep" / "run"
    run = runs.Run(folder, training, CONFIG)
    assert set(run.files()) == {"config", "checkpoint"}  # it can go on from the first moment
    history = go_on(run)
    assert set(run.files()) == {"config", "checkpoint", "metrics", "weights", "best"}
    lines = (folder / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in lines] == [epoch._asdict() for epoch in history]
    explained = json.loads((folder / "config.json").read_text())
    assert explained["config"] == CONFIG._asdict()
    (start,) = explained["starts"]
    assert set(start) == {"command", "time", "environment", "git"}
    mean, std = training.mean, training.std
    about = runs.About("se-cnn3", 10, (1, 28, 28), mean, std, "sample", 0, {})
    for path in (folder, *(run.files()[what] for what in ("weights", "best", "checkpoint"))):
        assert runs.load_run(path)[1] == about
    last = runs.load_run(folder)[0].state_dict()
    assert all(np.array_equal(v, last[name]) for name, v in training.net.state_dict().items())


def test_a_net_that_was_made_with_options_is_loaded_with_them(tmp_path, training):
    config = CONFIG._replace(options={"reduction": 8})
    own = runs.training_of(config, training.data)
    net, about = runs.load_run(runs.Run(tmp_path, own, config).files()["checkpoint"])
    assert about.options == {"reduction": 8}
    shapes = [[p.value.shape for p in each.parameters()] for each in (net, own.net, training.net)]
    assert shapes[0] == shapes[1] != shapes[2]


def starts(folder):
    return json.loads((folder / "config.json").read_text())["starts"]


def test_the_revision_is_told_and_whether_files_were_changed(tmp_path, training, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)  # a hook's, which would lead to its own repository
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)

    def git(*command):
        command = ("git", "-c", "user.name=a", "-c", "user.email=a@b", *command)
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    def revision():
        runs.Run(tmp_path / "run", training, CONFIG, resumed=True)
        return starts(tmp_path / "run")[-1]["git"]

    assert revision() is None  # no repository
    (tmp_path / "code.py").write_text("1")
    git("init")
    assert revision() is None  # no commit
    git("add", "code.py")
    git("commit", "-m", "1")
    assert revision() == git("rev-parse", "HEAD")
    (tmp_path / "code.py").write_text("changed")
    assert revision() == git("rev-parse", "HEAD") + "+"
    name = os.fsdecode(b"\xff.py")  # a name may be any bytes, and git may be told to show them
    (tmp_path / name).write_text("1")
    git("config", "core.quotepath", "false")
    git("add", name)
    assert revision() == git("rev-parse", "HEAD") + "+"


@pytest.mark.parametrize("lost", ["", "{", "{}", "[]", '{"starts": 3}', None])
def test_a_run_whose_earlier_starts_are_lost_goes_on(tmp_path, training, lost):
    if lost is not None:
        (tmp_path / "config.json").write_text(lost)
    runs.Run(tmp_path, training, CONFIG, resumed=True)
    assert len(starts(tmp_path)) == 1


def test_what_a_killed_run_left_half_written_is_taken_away(tmp_path, training):
    (tmp_path / ".best.safetensors.1-2.part").write_text("half")
    runs.Run(tmp_path, training, CONFIG, resumed=True)
    assert [path.name for path in tmp_path.iterdir()] == ["config.json"]


EPOCH = train.Epoch(1, 0.5, 0.8, 0.4, 0.9, 0.05, 1.5, 8000.0)


@pytest.mark.parametrize(
    ("accuracies", "best"),
    [
        ([0.5, 0.9, 0.7], 2),
        ([0.9, 0.7, 0.8], 1),
        ([0.5, 0.9, 0.9, 0.7], 3),  # of equals the last
        ([0.9, 0.9, 0.0, 0.7], 2),
        ([None, 0.5, 0.4, None], 2),
        ([0.0, None], 1),
        ([None, None], None),
    ],
)
def test_the_best_checkpoint_is_kept_beside_the_last(tmp_path, training, accuracies, best):
    run = runs.Run(tmp_path, training, CONFIG)
    for training.epoch, accuracy in enumerate(accuracies, start=2):
        training.net.fc.bias.value[0] = training.epoch - 1
        # the accuracy of the training and the test's loss say something else
        others = {"accuracy": 0.1 * training.epoch, "test_loss": 1 / training.epoch}
        epoch = EPOCH._replace(epoch=training.epoch - 1, test_accuracy=accuracy, **others)
        training.history.append(epoch)
        run.on_epoch(epoch)
    files, last = run.files(), len(accuracies)
    assert ("best" in files) == (best is not None)
    for what, epoch in {"weights": last, "checkpoint": last, "best": best}.items():
        if epoch is not None:
            assert runs.load_run(files[what])[0].fc.bias.value[0] == epoch
    if best is not None:
        state = json.loads(read_tensors(files["best"]).metadata["training"])
        assert (state["epoch"], len(state["history"])) == (best + 1, best)


def test_metrics_are_a_line_for_each_epoch_with_its_figures_by_name(tmp_path, training):
    run = runs.Run(tmp_path, training, CONFIG)
    for epoch in (EPOCH, EPOCH._replace(epoch=2, test_loss=None, test_accuracy=None)):
        training.history.append(epoch)
        run.on_epoch(epoch)
    assert run.files()["metrics"].read_text() == (
        '{"epoch": 1, "loss": 0.5, "accuracy": 0.8, "test_loss": 0.4, "test_accuracy": 0.9, '
        '"lr": 0.05, "seconds": 1.5, "images_per_second": 8000.0}\n'
        '{"epoch": 2, "loss": 0.5, "accuracy": 0.8, "test_loss": null, "test_accuracy": null, '
        '"lr": 0.05, "seconds": 1.5, "images_per_second": 8000.0}\n'
    )


@pytest.mark.parametrize(
    ("every", "positions"),
    [
        ("1 epoch", [(1, 0), (2, 0), (3, 0), (4, 0)]),
        ("2 epochs", [(1, 0), (3, 0), (4, 0)]),
        ("3 steps", [(1, 0), (1, 3), (2, 2), (3, 1), (3, 4), (4, 0)]),
        ("90 minutes", [(1, 0), (4, 0)]),
    ],
)
def test_checkpoints_are_written_as_often_as_they_are_asked_for(
    tmp_path, training, monkeypatch, every, positions
):
    seen, keep = [], runs.Run.keep

    def watch(run):
        keep(run)
        seen.append((training.epoch, training.steps))

    monkeypatch.setattr(runs.Run, "keep", watch)
    go_on(runs.Run(tmp_path, training, CONFIG, every=runs.read_every(every)))
    assert seen == positions


@pytest.mark.parametrize("resumed", [False, True])
def test_minutes_are_counted_from_the_last_checkpoint(tmp_path, training, monkeypatch, resumed):
    now, written = [1000.0], []
    monkeypatch.setattr("minise.runs.run.time.monotonic", lambda: now[0])
    run = runs.Run(tmp_path, training, CONFIG, every=runs.read_every("5 min"), resumed=resumed)
    monkeypatch.setattr("minise.runs.run.write_tensors", lambda *_: written.append(now[0]))
    for now[0] in (1100.0, 1299.0, 1300.0, 1310.0, 1599.0, 1600.0):
        run.on_step(None)
    assert written == [1300.0, 1600.0]


@pytest.mark.parametrize("text", ["", "often", "0 steps", "5", "-1 epoch", "2 hours"])
def test_what_is_no_interval_is_told(text):
    with pytest.raises(InputError, match="expected '1 epoch', '100 steps', '5 minutes' or"):
        runs.read_every(text)


def test_a_folder_that_holds_files_is_not_touched(tmp_path, training):
    (tmp_path / "precious.txt").write_text("text")
    with pytest.raises(InputError, match="already holds files"):
        runs.Run(tmp_path, training, CONFIG)
    assert [path.name for path in tmp_path.iterdir()] == ["precious.txt"]


def test_of_two_runs_that_find_a_folder_empty_one_gets_it(tmp_path, training, monkeypatch):
    runs.Run(tmp_path / "run", training, CONFIG)
    before = contents(tmp_path / "run")
    looked = iter([lambda folder: None])  # the second looked before the first had written

    def look(folder):
        next(looked, check_empty)(folder)

    monkeypatch.setattr("minise.runs.run.check_empty", look)
    with pytest.raises(InputError, match="already holds files"):
        runs.Run(tmp_path / "run", training, CONFIG)
    assert contents(tmp_path / "run") == before


def test_a_folder_that_cannot_be_made_is_one_clear_error(tmp_path, training):
    (tmp_path / "file").write_text("text")
    with pytest.raises(InputError, match="file/run: cannot be written to: Not a directory"):
        runs.Run(tmp_path / "file" / "run", training, CONFIG)
    (tmp_path / ".x.part").mkdir()  # what cannot be taken away, either
    with pytest.raises(InputError, match="cannot be written to: Is a directory"):
        runs.Run(tmp_path, training, CONFIG, resumed=True)


def test_a_disk_that_is_full_at_any_write_leaves_the_old_files_and_no_other(
    tmp_path, training, monkeypatch
):
    """ENOSPC at the first, second, third … write of a run, in each of the three ways it comes."""
    real = {name: getattr(os, name) for name in ("fsync", "replace")}

    def count_writes():
        calls = [0]
        monkeypatch.setattr(
            os, "fsync", lambda fd: calls.__setitem__(0, calls[0] + 1) or real["fsync"](fd)
        )
        go_on(runs.Run(tmp_path / "counted", restart(), CONFIG, every=runs.Every(2, "step")))
        return calls[0]

    def restart():
        return runs.training_of(CONFIG, training.data)

    writes = count_writes()
    assert writes > 20
    for failing in range(1, writes + 1):
        folder, calls, before = tmp_path / str(failing), [0], {}

        def full(descriptor, folder=folder, calls=calls, failing=failing, before=before):
            calls[0] += 1
            if calls[0] == failing:
                before.update(contents(folder))
                raise OSError(28, "No space left on device")
            real["fsync"](descriptor)

        monkeypatch.setattr(os, "fsync", full)
        with pytest.raises(InputError, match="cannot be written: No space left on device"):
            go_on(runs.Run(folder, restart(), CONFIG, every=runs.Every(2, "step")))
        assert {name: v for name, v in contents(folder).items() if ".part" not in name} == {
            name: v for name, v in before.items() if ".part" not in name
        }
        assert not [path for path in folder.iterdir() if path.name.endswith(".part")]


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_runs_are_numbered(tmp_path):
    assert runs.next_folder("se-cnn", tmp_path) == tmp_path / "se-cnn-1"
    assert runs.next_folder("se-cnn", tmp_path) == tmp_path / "se-cnn-2"


def test_pictures_of_the_training_and_of_its_mistakes_are_left(tmp_path, training, monkeypatch):
    figures = []

    def png(figure):
        figures.append(figure)
        return str(len(figures)).encode()

    monkeypatch.setattr("minise.runs.pictures.png", png)
    training.data = training.data._replace(class_names=tuple("abcdefghij"))
    run = runs.Run(tmp_path, training, CONFIG)
    assert runs.load_run(run.files()["checkpoint"])[1].class_names == tuple("abcdefghij")
    training.history.extend([EPOCH, EPOCH._replace(epoch=2, loss=0.25)])
    test = Split(training.data.test.images[:2], np.array([3, 4]))
    run.finish(test, np.eye(10)[[3, 9]])
    assert [run.files()[what].read_bytes() for what in ("curves", "mistakes")] == [b"1", b"2"]
    curves, mistakes = figures
    assert list(curves.axes[0].get_lines()[0].get_ydata()) == [0.5, 0.25]
    assert [axes.get_title() for axes in mistakes.axes if axes.images] == ["j (100 %), is e"]
