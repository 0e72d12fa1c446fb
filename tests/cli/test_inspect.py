import numpy as np
import pytest
from PIL import Image

from minise import data, models, nn, runs
from minise.data import Dataset, Split


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


# Seven test images of 1×1 with two channels, of the classes 0, 1 and 3.
PIXELS = np.array([[255, 255], [0, 204], [0, 153], [0, 51], [255, 51], [204, 102], [102, 102]])
CLASSES = np.array([0, 0, 0, 1, 3, 3, 3])
MEAN, STD = 0.4, 0.2
MAPS = (PIXELS / 255 - MEAN) / STD  # (7, 2), which the first block squeezes
# Two blocks: weights and biases of the first map, weights of the second.
ONE = (
    np.array([[1, 0], [0, 1], [-1, -1]]),
    np.array([0, 0, -4.5]),
    np.array([[1, -1, 1], [-1, 0, 2]]),
)
TWO = np.eye(2), np.zeros(2), np.array([[1, 2], [1, -1]])


def gates_by_hand(maps, W1, b1, W2):
    return 1 / (1 + np.exp(-np.maximum(maps @ W1.T + b1, 0) @ W2.T))


FIRST = gates_by_hand(MAPS, *ONE)
SECOND = gates_by_hand(MAPS * FIRST, *TWO)


def block(W1, b1, W2):
    made = nn.SEBlock(2, hidden=len(W1))
    made.fc1.weight.value[...], made.fc1.bias.value[...] = W1, b1
    made.fc2.weight.value[...], made.fc2.bias.value[...] = W2, 0
    return made


@pytest.fixture
def figures(minise, monkeypatch):
    """What is printed, and the figures by their files' names, for a net of two blocks."""
    about = runs.About("cnn", 4, (2, 1, 1), MEAN, STD, "there", 0)
    test = Split(PIXELS.astype(np.uint8)[:, :, None, None], CLASSES)
    few = Dataset("few", Split(255 - test.images, test.labels[::-1]), test)
    net = nn.Sequential(first=block(*ONE), second=block(*TWO))
    monkeypatch.setattr("minise.cli.inspect.run_with_data", lambda run, data: (net, about, few))
    drawn, written = [], {}
    monkeypatch.setattr("minise.cli.inspect.png", lambda figure: drawn.append(figure) or b"")
    monkeypatch.setattr(
        "minise.cli.inspect.write_whole",
        lambda path, content: written.update({path.name: drawn[-1]}),
    )

    def run(*arguments):
        code, out, err = minise("inspect", "run", *arguments)
        assert (code, err) == (0, "")
        return out, written

    return run


def lines(axes):
    return {
        line.get_label(): pytest.approx(line.get_ydata(), rel=1e-4) for line in axes.get_lines()
    }


def means(s):
    return {k: s[k == CLASSES].mean(axis=0) for k in (0, 1, 3)}


def farthest(s, size):
    mean = means(s)
    return max([(0, 1), (0, 3), (1, 3)], key=lambda pair: size(mean[pair[0]] - mean[pair[1]]))


def test_the_table_has_the_gates_of_each_block(figures):
    out, _ = figures()
    rows = [line.split("│")[1:-1] for line in out.splitlines() if line.startswith("│")]
    told = {row[0].strip(): [cell.strip() for cell in row[1:]] for row in rows}
    for name, s, units, dead in (("first", FIRST, 3, 1), ("second", SECOND, 2, 0)):
        between = np.std(list(means(s).values()), axis=0).mean()
        within = np.mean([s[k == CLASSES].std(axis=0) for k in (0, 1, 3)])
        assert told[name] == [
            "2", f"{s.min():.2f} to {s.max():.2f}", f"± {between:.3f}", f"± {within:.3f}",
            str(units), str(dead),
        ]  # fmt: skip


def test_the_two_classes_that_differ_most_in_the_last_block_are_drawn(figures):
    _, written = figures()
    norm = np.linalg.norm
    assert farthest(SECOND, norm) == (1, 3)
    assert farthest(FIRST, norm) == (0, 3)  # that would be another picture
    assert farthest(SECOND, lambda v: abs(v).max()) == (0, 1)  # and this
    assert written.keys() == {"gates.png", "two-classes.png"}
    for axes, s in zip(written["two-classes.png"].axes, (FIRST, SECOND), strict=True):
        assert lines(axes) == {"class 1": means(s)[1], "class 3": means(s)[3]}


@pytest.mark.effect("minise inspect --classes")
def test_the_classes_that_are_asked_for_are_drawn_in_their_order(figures):
    _, written = figures("--classes", "3,0")
    for axes, s in zip(written["two-classes.png"].axes, (FIRST, SECOND), strict=True):
        drawn = lines(axes)
        assert drawn == {"class 3": means(s)[3], "class 0": means(s)[0]}
        assert list(drawn) == ["class 3", "class 0"]


def test_the_mean_gates_of_every_class_are_drawn(figures):
    _, written = figures()
    for axes, s in zip(written["gates.png"].axes[:2], (FIRST, SECOND), strict=True):
        (image,) = axes.images
        mean = means(s)  # of class 2 there is no image
        order = np.argsort(np.mean([*mean.values()], axis=0), kind="stable")
        shown = np.ma.filled(image.get_array(), np.nan)
        assert {k: row.tolist() for k, row in enumerate(shown) if not np.isnan(row).all()} == {
            k: pytest.approx(np.asarray(mean[k])[order]) for k in mean
        }


@pytest.mark.effect("minise inspect WORDS")
def test_maps_are_those_of_the_image_that_is_asked_for(figures):
    _, written = figures("4", "5")
    assert written.keys() == {"gates.png", "two-classes.png", "maps-4.png", "maps-5.png"}
    figure = written["maps-4.png"]
    assert figure.get_suptitle().startswith("test image 4, of class 3, in cnn.")
    (picture, *axes) = [axes for axes in figure.axes if axes.images]
    assert picture.images[0].get_array().tolist() == [[PIXELS[4, 0]]]
    maps = [(a.get_title(), float(a.images[0].get_array()[0, 0])) for a in axes]
    expected = []
    for before, s in ((MAPS[4], FIRST[4]), (MAPS[4] * FIRST[4], SECOND[4])):
        for c in np.argsort(-s):  # the widest open first
            expected += [(f"channel {c}", pytest.approx(before[c], rel=1e-4))]
            expected += [(f"× {s[c]:.2f}", pytest.approx(before[c] * s[c], rel=1e-4))]
    assert maps == expected


def test_an_image_beyond_the_last_is_refused(figures, minise):
    code, _, err = minise("inspect", "run", "7")
    assert (code, err) == (1, "minise: image 7: there are test images 0 to 6\n")
