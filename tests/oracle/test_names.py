"""Nets as others build and name them: their weights loaded here give the same scores."""

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


def test_all_names_are_compared_here():
    assert {names for names, _ in NAMED} == set(models.NAMES)


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

    models.save(ours, path, names=names)
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
    ours = models.load(name, tmp_path / "theirs.safetensors", names=names)
    assert np.abs(ours(x.numpy()) - scores).max() <= 1e-4 * np.abs(scores).max()
    assert_written_as_they_came(net, ours, names, tmp_path / "ours.safetensors")


@pytest.mark.parametrize("theirs", NAMED[1:2], indirect=True, ids="-".join)
def test_a_file_of_pytorch_is_read_where_pytorch_is(torch, theirs, tmp_path):
    names, name, net = theirs
    torch.save({"epoch": 90, "state_dict": net.half().state_dict()}, tmp_path / "theirs.pth")
    ours = models.load(name, tmp_path / "theirs.pth", names=names)
    assert_written_as_they_came(net, ours, names, tmp_path / "ours.safetensors")


def test_what_pytorch_may_not_unpickle_is_one_clear_error(torch, tmp_path):
    path = tmp_path / "hostile.pth"
    torch.save({"state_dict": {}, "code": Harmful(tmp_path / "harm")}, path)
    with pytest.raises(InputError, match=r"hostile\.pth: no weights that can be read"):
        models.load("se-resnet18", path, names="timm")
    torch.save([torch.zeros(2)], path)
    with pytest.raises(InputError, match="holds no state: expected a dict of tensors by name"):
        models.load("se-resnet18", path, names="timm")
    assert not (tmp_path / "harm").exists()


class Harmful:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")
