import json

import numpy as np
import pytest
from PIL import Image

from minise import InputError, models, train
from minise.data import Split

ABOUT = train.About("se-cnn", 10, (1, 28, 28), 0.13, 0.31, "sample", 0)
EPOCH = train.Epoch(1, 0.5, 0.8, 0.4, 0.9, 0.05, 1.5, 8000.0)


@pytest.fixture
def net():
    return models.create("se-cnn")


def test_each_epoch_leaves_a_line_of_metrics_and_the_weights(tmp_path, net):
    folder = tmp_path / "deep" / "run"
    with train.Run(folder, net, ABOUT) as run:
        run.on_epoch(EPOCH)
        run.on_epoch(EPOCH._replace(epoch=2))
    lines = (folder / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in lines] == [
        EPOCH._asdict(),
        EPOCH._replace(epoch=2)._asdict(),
    ]
    assert list(run.files()) == ["weights", "metrics"]
    assert train.load_run(folder)[1] == ABOUT
    assert train.load_run(folder / "model.safetensors")[1] == ABOUT


def test_a_folder_that_holds_files_is_not_touched(tmp_path, net):
    (tmp_path / "precious.txt").write_text("text")
    with pytest.raises(InputError, match="holds files already"):
        train.Run(tmp_path, net, ABOUT)
    assert [path.name for path in tmp_path.iterdir()] == ["precious.txt"]


def test_a_folder_that_cannot_be_made_is_one_clear_error(tmp_path, net):
    (tmp_path / "file").write_text("text")
    with pytest.raises(InputError, match="file/run: cannot be written to: Not a directory"):
        train.Run(tmp_path / "file" / "run", net, ABOUT)


def test_a_run_that_came_to_nothing_leaves_nothing(tmp_path, net):
    with pytest.raises(KeyboardInterrupt), train.Run(tmp_path / "run", net, ABOUT):
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []


def test_runs_are_numbered(tmp_path):
    assert train.next_folder("se-cnn", tmp_path) == tmp_path / "se-cnn-1"
    (tmp_path / "se-cnn-1").mkdir()
    assert train.next_folder("se-cnn", tmp_path) == tmp_path / "se-cnn-2"


@pytest.mark.parametrize("channels", [1, 2, 3])
@pytest.mark.parametrize("wrong", [0, 3, 60])
def test_pictures_are_drawn_of_any_number_of_mistakes(tmp_path, net, channels, wrong):
    labels = np.arange(100) % 10
    p = np.full((100, 10), 0.05)
    p[np.arange(100), labels] = 0.55
    p[:wrong] = np.roll(p[:wrong], 1, axis=1)
    images = np.zeros((100, channels, 28, 28), np.uint8)
    with train.Run(tmp_path / "run", net, ABOUT) as run:
        run.on_epoch(EPOCH)
        run.finish([EPOCH], Split(images, labels), p)
    for what in ("curves", "mistakes"):
        with Image.open(run.files()[what]) as picture:
            assert picture.format == "PNG"
            assert min(picture.size) > 200
