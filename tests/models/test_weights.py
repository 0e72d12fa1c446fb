import numpy as np
import pytest

from minise import InputError, models, runs
from minise.files import Tensors, write_tensors
from minise.models.naming import to_theirs

SE18 = "se-resnet18"


@pytest.fixture(scope="module")
def net():
    return models.create("se-resnet18", seed=4, num_classes=3)


def assert_same(first, second):
    first, second = first.state_dict(), second.state_dict()
    assert first.keys() == second.keys()
    assert all(np.array_equal(first[name], second[name]) for name in first)


@pytest.mark.parametrize("names", [None, "torchvision", "cadene"])
def test_a_net_that_was_saved_is_loaded_again(net, tmp_path, names):
    models.save(net, tmp_path / "x.safetensors", naming=names)
    again = models.load(SE18, tmp_path / "x.safetensors", naming=names, num_classes=3)
    assert_same(again, net)


@pytest.mark.parametrize(
    ("names", "ours", "theirs"),
    [
        ("timm", "layer1.0.shortcut.0.weight", "layer1.0.downsample.0.weight"),
        ("timm", "layer1.0.se.fc1.bias", "layer1.0.se.fc1.bias"),
        ("moskomule", "layer4.2.se.fc2.weight", "layer4.2.se.fc.2.weight"),
        ("cadene", "conv1.weight", "layer0.conv1.weight"),
        ("cadene", "layer1.0.conv1.weight", "layer1.0.conv1.weight"),
        ("cadene", "layer1.0.bn3.running_var", "layer1.0.bn3.running_var"),
        ("cadene", "layer2.1.se.fc2.bias", "layer2.1.se_module.fc2.bias"),
        ("cadene", "fc.bias", "last_linear.bias"),
    ],
)
def test_a_name_is_theirs(names, ours, theirs):
    assert to_theirs(ours, models.NAMINGS[names]) == theirs


@pytest.mark.parametrize("names", models.NAMINGS)
@pytest.mark.parametrize("name", [SE18, "se-resnext50-32x4d", "senet154"])
def test_no_two_names_become_one(names, name):
    state = models.create(name, filled=False).named_state()
    ours = [ours for ours, _ in state]
    assert len({to_theirs(name, models.NAMINGS[names]) for name in ours}) == len(ours)


def test_options_win_over_those_that_go_with_the_names(net, tmp_path):
    models.save(net, tmp_path / "x.safetensors", naming="torchvision")
    with pytest.raises(InputError, match=r"of another shape: layer1\.0\.se\.fc1\.weight"):
        models.load(SE18, tmp_path / "x.safetensors", naming="timm", num_classes=3)
    own = models.load(
        SE18, tmp_path / "x.safetensors", naming="timm", num_classes=3, rounding="floor"
    )
    assert_same(own, net)


def test_a_file_of_another_net_is_answered_with_what_differs_in_its_own_names(net, tmp_path):
    path = tmp_path / "x.safetensors"
    models.save(net, path, naming="cadene")
    with pytest.raises(InputError) as error:
        models.load("resnet34", path, naming="cadene")
    told = str(error.value)
    assert told.startswith(f"{path} does not fit resnet34 in the names of cadene:\n")
    assert "missing: layer1.2.conv1.weight; layer1.2.bn1.weight;" in told
    assert "unexpected: layer1.0.se_module.fc1.bias;" in told
    assert "of another shape: last_linear.weight (3, 512), expected (1000, 512);" in told
    assert told.count("\n") == 3


def test_names_of_others_are_recognised(net, tmp_path):
    models.save(net, tmp_path / "x.safetensors", naming="cadene")
    for names in (None, "timm"):
        with pytest.raises(InputError, match="its names look like those of naming='cadene'"):
            models.load(SE18, tmp_path / "x.safetensors", naming=names)
    models.save(net, tmp_path / "x.safetensors")
    with pytest.raises(InputError, match="its names look like those of naming=None"):
        models.load(SE18, tmp_path / "x.safetensors", naming="cadene")


def test_a_file_that_says_what_it_is_of_is_not_taken_for_something_else(tmp_path):
    net = models.create("se-cnn", gate="tanh")
    about = runs.About("se-cnn", 10, (1, 28, 28), 0.5, 0.3, "sample", 0, {"gate": "tanh"})
    runs.save_weights(tmp_path / "x.safetensors", net, about)
    with pytest.raises(InputError, match=r"x\.safetensors is of se-cnn with gate='tanh'"):
        models.load("se-cnn", tmp_path / "x.safetensors")
    assert_same(models.load("se-cnn", tmp_path / "x.safetensors", gate="tanh"), net)


def test_unknown_names_are_answered_with_the_nearest(net, tmp_path):
    for call in (models.load, models.save):
        with pytest.raises(InputError, match="unknown naming 'tim': did you mean 'timm'"):
            call(*((SE18,) if call is models.load else (net,)), __file__, naming="tim")


def rename(net, path, change):
    """A file of the net's state, each name changed."""
    write_tensors(path, Tensors({change(name): v for name, v in net.state_dict().items()}, {}))


@pytest.mark.parametrize(
    "before", ["module.", "backbone.", "model.", "_orig_mod.", "module._orig_mod.", "my.own.net."]
)
@pytest.mark.parametrize("names", [None, "cadene"])
def test_what_a_net_was_wrapped_in_is_taken_off_its_names(net, tmp_path, before, names):
    path = tmp_path / "x.safetensors"
    table = None if names is None else models.NAMINGS[names]
    rename(net, path, lambda name: before + (name if table is None else to_theirs(name, table)))
    assert_same(models.load(SE18, path, naming=names, num_classes=3), net)


@pytest.mark.parametrize(
    ("head", "told"),
    [("fc.", "nothing, others with 'backbone.'"), ("head.fc.", "'backbone.', others with 'head.'")],
)
def test_a_head_under_another_name_is_found_and_told(net, tmp_path, head, told):
    path = tmp_path / "x.safetensors"
    rename(net, path, lambda n: head + n[3:] if n.startswith("fc.") else f"backbone.{n}")
    with pytest.warns(UserWarning, match=f"some names begin with {told}") as warned:
        assert_same(models.load(SE18, path, num_classes=3), net)
    (told_of,) = (w.filename for w in warned if w.category is UserWarning)
    assert told_of == __file__  # the line that loads


def test_of_a_wrapped_net_what_does_not_fit_is_told_in_the_names_of_the_file(net, tmp_path):
    path = tmp_path / "x.safetensors"
    rename(net, path, lambda n: "head.weight" if n == "fc.weight" else f"module.{n}")
    with pytest.raises(InputError, match=r"missing: fc\.weight\n  unexpected: head\.weight$"):
        models.load(SE18, path, num_classes=3)
    rename(net, path, lambda name: f"module.{name}")
    with pytest.raises(InputError, match=r"resnet34:\n  missing: layer1\.2\.conv1") as error:
        models.load("resnet34", path)
    assert "unexpected: module.layer1.0.se.fc1.bias;" in str(error.value)


def test_names_of_others_are_recognised_in_a_wrapped_net(net, tmp_path):
    path, table = tmp_path / "x.safetensors", models.NAMINGS["cadene"]
    rename(net, path, lambda name: "module." + to_theirs(name, table))
    with pytest.raises(InputError, match="its names look like those of naming='cadene'"):
        models.load(SE18, path, num_classes=3)


def test_of_two_nets_in_a_file_none_is_chosen_in_silence(net, tmp_path):
    path, other = tmp_path / "x.safetensors", models.create(SE18, seed=9, num_classes=3)
    both = {"teacher": net, "student": other}
    state = {f"{who}.{n}": v for who, one in both.items() for n, v in one.state_dict().items()}
    write_tensors(path, Tensors(state, {}))
    with pytest.raises(InputError, match=r"a part of it fits: key='student' or key='teacher'$"):
        models.load(SE18, path, num_classes=3)
    for who, one in both.items():
        assert_same(models.load(SE18, path, key=who, num_classes=3), one)
    with pytest.raises(InputError, match="has no 'pupil': there are student, teacher"):
        models.load(SE18, path, key="pupil", num_classes=3)


def test_what_is_left_over_beside_a_wrapped_net_is_not_dropped_in_silence(net, tmp_path):
    path = tmp_path / "x.safetensors"
    state = {f"model.{name}": v for name, v in net.state_dict().items()}
    write_tensors(path, Tensors(state | {"decoder.weight": np.ones(3, np.float32)}, {}))
    with pytest.raises(InputError, match=r"unexpected: decoder\.weight\n  .* key='model'"):
        models.load(SE18, path, num_classes=3)
    assert_same(models.load(SE18, path, key="model", num_classes=3), net)


@pytest.fixture
def run(tmp_path):
    """The folder of a run with three classes, and its net."""
    net = models.create("se-cnn", seed=2, num_classes=3, gate="tanh")
    about = runs.About("se-cnn", 3, (1, 28, 28), 0.5, 0.3, "sample", 0, {"gate": "tanh"})
    (tmp_path / "runs" / "se-cnn-1").mkdir(parents=True)
    runs.save_weights(tmp_path / "runs" / "se-cnn-1" / "model.safetensors", net, about)
    return tmp_path / "runs" / "se-cnn-1", net


def test_a_run_is_loaded_by_its_folder(run):
    folder, net = run
    assert_same(models.load("se-cnn", str(folder), gate="tanh"), net)
    with pytest.raises(
        InputError, match=r"1.model\.safetensors is of se-cnn with gate='tanh', not"
    ):
        models.load("resnet8", folder)


def test_a_folder_without_weights_is_told(run, tmp_path):
    folder, _ = run
    with pytest.raises(InputError, match=r"runs is not a run, but holds runs: .*se-cnn-1$"):
        models.load("se-cnn", folder.parent)
    with pytest.raises(InputError, match=r"is not a run: there is no model\.safetensors"):
        models.load("se-cnn", tmp_path)
    (folder / "model.safetensors").rename(folder / "config.json")
    with pytest.raises(InputError, match=r"has no model\.safetensors yet"):
        models.load("se-cnn", folder)
