import numpy as np
import pytest
from PIL import Image

from minise import data, inspect, models, runs


@pytest.fixture
def run(minise, tmp_path):
    """A run of a net that has learned nothing, on few images."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (30, 28, 28), np.uint8)
    labels = np.arange(30) % 3
    np.savez(tmp_path / "few.npz", x_train=images, y_train=labels, x_test=images, y_test=labels)
    about = runs.About("se-cnn", 3, (1, 28, 28), 0.5, 0.3, str(tmp_path / "few.npz"), 0)
    (tmp_path / "run").mkdir()
    net = models.create("se-cnn", num_classes=3)
    runs.save_weights(tmp_path / "run" / "model.safetensors", net, about)
    return tmp_path / "run"


def test_pictures_of_gates_and_maps_are_left_in_the_run(minise, run, tmp_path):
    digit = data.load("sample").test.images[0, 0]
    Image.fromarray(255 - digit).save(tmp_path / "photo.png")
    code, out, err = minise("inspect", run, 4, "photo.png", "--classes", "2,0")
    assert (code, err) == (0, "")
    assert "se1" in out
    assert "dead" in out
    (row,) = (line.replace("│", " ").split() for line in out.splitlines() if "se1" in line)
    x = data.to_input(np.load(tmp_path / "few.npz")["x_test"][:, None], 0.5, 0.3)
    net = runs.load_run(run)[0]
    s, dead = inspect.gates(net, x)["se1"], inspect.dead_units(net, x)["se1"]
    assert row[1:5] == ["8", f"{s.min():.2f}", "to", f"{s.max():.2f}"]
    assert row[-2:] == ["2", str(dead.sum())]
    table = out[: out.index(str(run))].splitlines()
    assert max(map(len, table)) <= 80
    made = {"gates.png", "two-classes.png", "maps-4.png", "maps-photo.png"}
    assert {path.name for path in run.glob("*.png")} == made
    for name in made:
        assert name in out
        with Image.open(run / name) as picture:
            assert picture.width > 500


def test_out_says_where(minise, run, tmp_path):
    assert minise("inspect", run / "model.safetensors", "--out", "a/b")[0] == 0
    assert {path.name for path in (tmp_path / "a" / "b").iterdir()} == {
        "gates.png",
        "two-classes.png",
    }
    assert list(run.glob("*.png")) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["30"], "image 30: there are test images 0 to 29"),
        (["nothing.png"], "nothing.png: there is no such file"),
        (["few.npz"], "few.npz: not a readable picture"),
        (["--classes", "1"], "--classes '1', expected two as in 4,9"),
        (["--classes", "1,1"], "expected two that differ"),
        (["3", "3"], "two images would be drawn in the same file, maps-3.png"),
        (["--classes", "1,7"], "no test image is of class 7"),
        (["--data", "sample"], "run learned 3 classes"),
        (["--out", "few.npz/x"], "few.npz/x: cannot be written to: Not a directory"),
    ],
)
def test_every_mistake_is_one_clear_line_and_leaves_no_picture(minise, run, arguments, message):
    code, _, err = minise("inspect", run, *arguments)
    assert code == 1
    assert message in err
    assert "Traceback" not in err
    assert list(run.parent.rglob("*.png")) == []


def test_a_net_without_se_is_told(minise, tmp_path):
    about = runs.About("cnn", 10, (1, 28, 28), 0.5, 0.3, "sample", 0)
    runs.save_weights(tmp_path / "cnn.safetensors", models.create("cnn"), about)
    code, _, err = minise("inspect", "cnn.safetensors")
    assert (code, err) == (
        1,
        "minise: cnn.safetensors, cnn: the net has no SE block to look into\n",
    )
