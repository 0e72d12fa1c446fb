import json

import pytest
from swept import leave_point

from minise import InputError, runs, train
from minise.runs.lock import locked

EPOCH = train.Epoch(1, 0.5, 0.8, 0.4, 0.9, 0.05, 1.5, 8000.0)


@pytest.fixture
def make(tmp_path):
    """Writes what a run leaves: its configuration, and an epoch for each accuracy."""

    def make(name, *accuracies, **options):
        folder = tmp_path / "runs" / name
        folder.mkdir(parents=True)
        config = runs.Config(epochs=2, **options)
        (folder / "config.json").write_text(json.dumps({"config": config._asdict()}))
        epochs = [
            EPOCH._replace(epoch=n, test_accuracy=a)._asdict()
            for n, a in enumerate(accuracies, start=1)
        ]
        if epochs:
            (folder / "metrics.jsonl").write_text("".join(json.dumps(e) + "\n" for e in epochs))
        return folder

    return make


def test_a_run_is_read_as_it_was_written(make):
    record = runs.read_record(make("a", 0.9, 0.95, 0.93, seed=3))
    assert record.config == runs.Config(epochs=2, seed=3)
    assert record.history == [
        EPOCH,
        EPOCH._replace(epoch=2, test_accuracy=0.95),
        EPOCH._replace(epoch=3, test_accuracy=0.93),
    ]
    assert record.test_accuracy == 0.93  # the last: to choose the best would be to train on tests
    assert runs.read_record(make("c", 0.9, 0.5, None)).test_accuracy == 0.5
    assert runs.read_record(make("b")).test_accuracy is None


def test_runs_come_in_the_order_of_their_numbers(make, tmp_path):
    for number in (10, 9, 1):
        make(f"se-cnn-{number}")
    make("other")
    (tmp_path / "runs" / "no run").mkdir()
    names = [record.folder.name for record in runs.find_records(tmp_path / "runs")]
    assert names == ["other", "se-cnn-1", "se-cnn-9", "se-cnn-10"]


def test_seeds_are_put_together_where_nothing_else_differs(make, tmp_path):
    for seed, accuracy in enumerate((0.90, 0.92, 0.92)):
        make(f"a-{seed}", 0.97, accuracy, seed=seed)
    make("again-1", 0.5, 0.80, seed=0)  # made twice, which is no evidence of its own
    make("unfinished-1", 0.99, seed=7)
    make("longer-1", 0.97, 0.98, 0.99, seed=8)
    make("untested-1", None, None, seed=9)
    make("other-1", 0.5, 0.9, lr=0.3)
    for seed in (0, 5):
        make(f"pair-{seed}", 0.5, 0.7, seed=seed, lr=0.2)
    groups = runs.over_seeds(runs.find_records(tmp_path / "runs"))
    assert [(config, tests.figures) for config, tests in groups] == [
        (runs.Config(epochs=2), {0: 0.90, 1: 0.92, 2: 0.92}),
        (runs.Config(epochs=2, lr=0.3), {0: 0.9}),
        (runs.Config(epochs=2, lr=0.2), {0: 0.7, 5: 0.7}),
    ]


def test_seeds_without_a_finished_run_are_told_of_each_group(make, tmp_path):
    make("a-0", 0.5, 0.7, seed=0)
    make("a-1", 0.5, seed=1)
    make("a-1-again", 0.5, 0.8, seed=1)
    make("a-3", 0.5, seed=3)
    make("a-2", 0.5, seed=2)
    make("b-0", 0.5, seed=0, lr=0.3)
    assert runs.over_seeds(runs.find_records(tmp_path / "runs")) == [
        (runs.Config(epochs=2), runs.Seeds({0: 0.7, 1: 0.8}, unfinished=(2, 3)))
    ]


def test_a_rate_that_is_the_usual_one_makes_no_other_training(make, tmp_path):
    make("a-0", 0.5, 0.7, seed=0)
    make("a-1", 0.5, 0.8, seed=1, lr=0.1, weight_decay=5e-4)
    make("b-0", 0.5, 0.6, seed=0, optimizer="adamw", lr=0.1)
    make("b-1", 0.5, 0.6, seed=1, optimizer="adamw", lr=0.01, weight_decay=0.01)
    assert runs.over_seeds(runs.find_records(tmp_path / "runs")) == [
        (runs.Config(epochs=2), runs.Seeds({0: 0.7, 1: 0.8})),
        (runs.Config(epochs=2, optimizer="adamw", lr=0.1), runs.Seeds({0: 0.6})),
        (runs.Config(epochs=2, optimizer="adamw"), runs.Seeds({1: 0.6})),
    ]


def test_images_that_have_moved_make_no_other_training(tmp_path):
    images = {"/a/x.npz": "12", "/b/x.npz": "12", "/b/y.npz": "34", "/c/x.npz": "34"}
    for seed, (data, fingerprint) in enumerate(images.items()):
        for more in (0, 10):
            folder = leave_point(tmp_path, 0.5, seed=seed + more, data=data)
            told = json.loads((folder / "result.json").read_text()) | {"images": fingerprint}
            (folder / "result.json").write_text(json.dumps(told))
    leave_point(tmp_path, seed=7, data="/b/x.npz")  # stopped: which images it has is not known
    records = runs.find_records(tmp_path)
    data = {record.config.seed: record.config.data for record in records}
    assert [data[seed] for seed in (0, 1, 2, 3, 7)] == [
        "/a/x.npz", "/a/x.npz", "/c/x.npz", "/c/x.npz", "/a/x.npz",
    ]  # fmt: skip
    assert [sorted(tests.figures) for _, tests in runs.over_seeds(records)] == [
        [0, 1, 10, 11],
        [2, 3, 12, 13],
    ]
    rows = runs.as_rows(records)  # for a table by pandas
    assert len({row["data"] for row in rows}) == 2


def test_a_place_where_images_have_changed_keeps_its_name(tmp_path):
    for seed, (data, fingerprint) in enumerate([("/a", "12"), ("/b", "12"), ("/b", "34")]):
        folder = leave_point(tmp_path, 0.5, seed=seed, data=data)
        told = json.loads((folder / "result.json").read_text()) | {"images": fingerprint}
        (folder / "result.json").write_text(json.dumps(told))
    assert [record.config.data for record in runs.find_records(tmp_path)] == ["/a", "/b", "/b"]


def test_a_configuration_without_se_is_the_same_in_all_else():
    config = runs.Config(model="se-resnet8", options={"reduction": 8}, lr=0.3, seed=2)
    plain = config._replace(model="resnet8", options={})
    assert runs.without_se(config) == plain
    assert runs.without_se(plain) is None
    assert runs.without_se(config._replace(model="senet154")) is None
    host = config._replace(model="se-resnet50", options={"stages": [4], "ceil_pool": True})
    assert runs.without_se(host).options == {"ceil_pool": True}


def test_how_far_a_run_is_follows_from_its_files(make):
    assert runs.read_record(make("a", 0.9, 0.95)).state == "done"
    begun = make("b", 0.9)
    assert runs.read_record(begun).state == "stopped"
    with locked(begun / ".lock"):
        assert runs.read_record(begun).state == "running"
    (begun / ".lock").write_text("of a process that was killed")
    assert runs.read_record(begun).state == "stopped"


def test_a_failure_is_read_also_where_nothing_was_trained(make, tmp_path, caplog):
    begun = make("a", 0.9, seed=1)
    (begun / "failed.json").write_text('{"error": "no memory"}')
    record = runs.read_record(begun)
    assert (record.state, record.error, record.config.seed) == ("failed", "no memory", 1)
    early = tmp_path / "runs" / "b"
    early.mkdir()
    config = runs.Config(seed=2)._asdict()
    (early / "failed.json").write_text(json.dumps({"error": "no images", "config": config}))
    record = runs.find_records(tmp_path / "runs")[1]
    assert (record.state, record.error, record.config.seed) == ("failed", "no images", 2)
    (early / "failed.json").write_text('{"error": "no images"}')
    assert len(runs.find_records(tmp_path / "runs")) == 1
    assert "runs/b: failed: no images" in caplog.text


def test_the_epochs_of_a_finished_point_are_read_when_they_are_asked_for(tmp_path):
    folder = leave_point(tmp_path, 0.9)
    record = runs.read_record(folder)
    (folder / "metrics.jsonl").write_text("{")
    with pytest.raises(InputError, match="not a readable run"):
        record.history  # noqa: B018


def test_a_result_says_itself_what_was_trained(tmp_path):
    folder = leave_point(tmp_path, 0.9, seed=3)
    (record,) = runs.find_records(tmp_path)
    (folder / "config.json").unlink()
    assert runs.find_records(tmp_path) == [record]


@pytest.mark.parametrize("broken", ["{", "[1]"])
def test_a_broken_result_is_none(tmp_path, broken):
    folder = leave_point(tmp_path, 0.9)
    (folder / "result.json").write_text(broken)
    with pytest.raises(InputError, match="not a readable run"):
        runs.read_record(folder)


@pytest.mark.parametrize(
    "changed",
    [
        {"test_accuracy": "0.9"},
        {"test_accuracy": float("nan")},
        {"test_accuracy": None},
        {"test_accuracy": True},
        {"test_accuracy": 90.0},
        {"test_loss": "low"},
        {"gates": 1},
        {"gates": {"block1.se": 1}},
        {"config": runs.Config(seed=7)._asdict()},
    ],
)
def test_a_result_that_no_training_leaves_is_none(tmp_path, changed):
    folder = leave_point(tmp_path, 0.9)
    result = json.loads((folder / "result.json").read_text())
    (folder / "result.json").write_text(json.dumps(result | changed))
    with pytest.raises(InputError, match="not a readable run"):
        runs.read_record(folder)


@pytest.mark.parametrize(
    ("config", "metrics"),
    [
        ("", ""),
        ("{}", ""),
        ('{"config": {"modell": 3}}', ""),
        ('{"config": {}}', "{"),
        ('{"config": {}}', '{"epoch": 1}'),
    ],
)
def test_broken_files_are_one_clear_error(make, config, metrics):
    folder = make("a")
    (folder / "config.json").write_text(config)
    (folder / "metrics.jsonl").write_text(metrics)
    with pytest.raises(InputError, match=r"runs/a"):
        runs.read_record(folder)


def test_one_that_cannot_be_read_does_not_hide_the_others(make, tmp_path, caplog):
    make("good", 0.9, 0.95)
    (make("bad") / "config.json").write_text("{}")
    (record,) = runs.find_records(tmp_path / "runs")
    assert record.folder.name == "good"
    assert "runs/bad: not a readable run" in caplog.text


def test_where_there_are_no_runs_is_told(tmp_path):
    with pytest.raises(InputError, match="nowhere: there is no such folder"):
        runs.find_records(tmp_path / "nowhere")
    with pytest.raises(InputError, match="holds no runs"):
        runs.find_records(tmp_path)
    with pytest.raises(InputError, match=r"config\.json: there is no such file"):
        runs.read_record(tmp_path)
