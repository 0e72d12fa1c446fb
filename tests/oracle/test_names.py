"""Nets as others build and name them: their weights loaded here give the same scores.

The nets here are built of PyTorch's layers; `released` compares those of the packages themselves.
"""

import numpy as np
import pytest

from minise import InputError, models

NAMED = [
    ("timm", "se-resnet50"),
    ("timm", "se-resnet18"),
    ("torchvision", "resnet50"),
    ("moskomule", "se-resnet50"),
    ("cadene", "se-resnet50"),
    ("cadene", "se-resnext50-32x4d"),
]


@pytest.fixture(params=NAMED, ids="-".join)
def theirs(request, torch):
    """Names, the net's name here, and theirs with random weights and running statistics."""
    from oracle.named import THEIRS

    torch.manual_seed(0)  # PyTorch's layers draw from its global generator
    net = THEIRS[request.param]().eval()
    with torch.no_grad():
        for name, value in net.state_dict().items():
            if name.endswith("running_mean"):
                value.normal_(0, 0.1)
            elif name.endswith("running_var"):
                value.uniform_(0.5, 1.5)
            elif value.dim() == 1:  # of a norm, or a bias
                value.uniform_(0.5, 1)
    return *request.param, net


def assert_written_as_they_came(net, ours, names, path):
    from safetensors.torch import load_file

    models.save(ours, path, naming=names)
    written = load_file(path)
    state = {key: value for key, value in net.state_dict().items() if "num_batches" not in key}
    assert written.keys() == state.keys()
    assert all(written[key].equal(value.float()) for key, value in state.items())


def test_their_weights_give_their_scores_and_are_written_as_they_came(torch, theirs, tmp_path):
    from safetensors.torch import save_file

    names, name, net = theirs
    x = torch.randn(1, 3, 224, 224)
    with torch.no_grad():
        scores = net(x).numpy()
    save_file(net.state_dict(), tmp_path / "theirs.safetensors")
    ours = models.load(name, tmp_path / "theirs.safetensors", naming=names)
    assert np.abs(ours(x.numpy()) - scores).max() <= 1e-4 * np.abs(scores).max()
    assert_written_as_they_came(net, ours, names, tmp_path / "ours.safetensors")


@pytest.mark.parametrize("theirs", NAMED[1:2], indirect=True, ids="-".join)
def test_a_file_of_pytorch_is_read_where_pytorch_is(torch, theirs, tmp_path):
    names, name, net = theirs
    torch.save({"epoch": 90, "state_dict": net.half().state_dict()}, tmp_path / "theirs.pth")
    ours = models.load(name, tmp_path / "theirs.pth", naming=names)
    assert_written_as_they_came(net, ours, names, tmp_path / "ours.safetensors")


def test_what_pytorch_may_not_unpickle_is_one_clear_error(torch, tmp_path):
    path = tmp_path / "hostile.pth"
    torch.save({"state_dict": {}, "code": Harmful(tmp_path / "harm")}, path)
    with pytest.raises(InputError, match=r"hostile\.pth: the weights cannot be read"):
        models.load("se-resnet18", path, naming="timm")
    torch.save([torch.zeros(2)], path)
    with pytest.raises(InputError, match="has no weights: expected a dict of tensors by name"):
        models.load("se-resnet18", path, naming="timm")
    assert not (tmp_path / "harm").exists()


def checkpoints(torch):
    """Nets as PyTorch wraps them, and dictionaries as people save them."""
    net = torch.nn.Sequential()
    net.conv1 = torch.nn.Conv2d(1, 2, 3)
    wrapped = {
        "as it is": net,
        "DataParallel": torch.nn.DataParallel(net),
        "compiled": torch.compile(net, backend="eager"),
        "both": torch.nn.DataParallel(torch.compile(net, backend="eager")),
    }
    sgd = torch.optim.SGD(net.parameters(), 0.1, momentum=0.9)
    net(torch.zeros(1, 1, 4, 4)).sum().backward()
    sgd.step()  # from now on it remembers tensors
    for how, module in wrapped.items():
        state = module.state_dict()
        yield how, state
        yield f"{how}, in model", {"model": state, "optimizer": sgd.state_dict(), "epoch": 3}
        for key in ("state_dict", "model_state_dict", "net", "ema"):
            yield f"{how}, in {key}", {key: state, "step": torch.tensor(7), "best": 0.5}


def test_checkpoints_are_understood_however_they_were_saved(torch, tmp_path):
    from minise.files import read_tensors
    from minise.models.states import find_state

    path, seen = tmp_path / "x.pth", 0
    for how, content in checkpoints(torch):
        torch.save(content, path)
        found = find_state(path, read_tensors(path).arrays, {"conv1.weight", "conv1.bias"}, None)
        assert set(found) == {"conv1.weight", "conv1.bias"}, how
        seen += 1
    assert seen == 24


def test_of_several_states_one_has_to_be_chosen(torch, tmp_path):
    net, other = (models.create("se-cnn", seed=seed).state_dict() for seed in (0, 1))
    both = {
        key: {name: torch.from_numpy(value) for name, value in state.items()}
        for key, state in (("model", net), ("ema", other))
    }
    torch.save({"epoch": 3, **both}, tmp_path / "x.pth")
    message = "holds several states that fit, model, ema: say which, as in key='model'"
    with pytest.raises(InputError, match=message):
        models.load("se-cnn", tmp_path / "x.pth")
    found = models.load("se-cnn", tmp_path / "x.pth", key="ema").state_dict()
    assert all(np.array_equal(found[name], other[name]) for name in other)


def test_code_beside_the_tensors_is_named(torch, tmp_path):
    import argparse

    torch.save({"model": {}, "args": argparse.Namespace()}, tmp_path / "x.pth")
    with pytest.raises(InputError, match=r"it holds argparse\.Namespace, which is code") as error:
        models.load("se-cnn", tmp_path / "x.pth")
    assert "\n" not in str(error.value)


class Harmful:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")
