import json

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from minise import InputError, models, runs

ABOUT = runs.About("se-cnn", 10, (1, 28, 28), 0.13, 0.31, "sample", 5, {}, tuple("ABCDEFGHIJ"))


@pytest.fixture
def net():
    return models.create("se-cnn", seed=5)


@pytest.fixture
def path(tmp_path, net):
    runs.save_weights(tmp_path / "model.safetensors", net, ABOUT)
    return tmp_path / "model.safetensors"


def test_one_file_is_enough_to_use_the_net(path, net):
    loaded, about = runs.load_weights(path)
    assert about == ABOUT
    x = np.random.default_rng(0).standard_normal((2, 1, 28, 28)).astype(np.float32)
    np.testing.assert_array_equal(loaded(x), net(x))


def test_a_net_that_is_read_knows_its_images(tmp_path):
    path, net = tmp_path / "model.safetensors", models.create("cnn3", in_channels=3)
    runs.save_weights(path, net, ABOUT._replace(model="cnn3", image_shape=(3, 32, 30)))
    assert net.image_shape == (3, 28, 28)
    assert runs.load_weights(path)[0].image_shape == (3, 32, 30)
    assert models.load("cnn3", path).image_shape == (3, 32, 30)


def test_a_digit_is_dark_on_light_for_a_net_that_learned_such():
    digit = np.array([[0, 200]], np.uint8)
    assert ABOUT.as_learned(digit).tolist() == [[0, 200]]
    assert ABOUT._replace(mean=0.5, std=0.9).as_learned(digit).tolist() == [[0, 200]]
    assert ABOUT._replace(mean=0.51, std=0.1).as_learned(digit).tolist() == [[255, 55]]


def test_a_class_is_called_by_its_name_or_else_its_number():
    assert [ABOUT.class_name(label) for label in (0, 9, 10)] == ["A", "J", "10"]


def test_the_file_is_plain_safetensors_and_no_other_is_left_behind(path, net):
    tensors = load_file(path)
    assert all(np.array_equal(tensors[name], value) for name, value in net.state_dict().items())
    assert list(path.parent.iterdir()) == [path]


def test_broken_files_are_one_clear_error(path, tmp_path):
    whole = path.read_bytes()
    for content in (b"", b"no weights at all", whole[:100], whole[:-10]):
        path.write_bytes(content)
        with pytest.raises(InputError, match=r"model\.safetensors: the weights cannot be read"):
            runs.load_weights(path)
    with pytest.raises(InputError, match="there is no such file"):
        runs.load_weights(tmp_path / "nothing.safetensors")


def test_tensors_that_do_not_fit_are_named(path, net):
    state = net.state_dict()
    del state["fc.bias"]
    state["conv1.weight"] = state["conv1.weight"][:4]
    save_file(state, path, metadata={"minise": json.dumps(ABOUT._asdict())})
    with pytest.raises(InputError, match=r"missing: fc\.bias\n .*: conv1\.weight \(4, "):
        runs.load_weights(path)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (None, "does not say which net"),
        ({"image_shape": [1, 28]}, "does not say which net"),
        ({"num_classes": 10**9}, "does not say which net"),
        ({"mean": "much"}, "does not say which net"),
        ({"extra": 1}, "does not say which net"),
        ({"model": "se-cnnn"}, r"model\.safetensors: unknown model .*did you mean 'se-cnn'"),
        ({"options": {"seed": 3}}, r"model\.safetensors: se-cnn: unknown option 'seed'"),
        ({"options": {"hidden": 10**12}}, r"model\.safetensors: "),
        ({"options": [3]}, "does not say which net"),
    ],
)
def test_weights_that_do_not_say_whose_they_are_are_refused(path, net, changes, message):
    about = None if changes is None else {"minise": json.dumps({**ABOUT._asdict(), **changes})}
    save_file(net.state_dict(), path, metadata=about)
    with pytest.raises(InputError, match=message):
        runs.load_weights(path)
