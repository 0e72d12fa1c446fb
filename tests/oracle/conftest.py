import pytest


@pytest.fixture(scope="session")
def torch():
    """PyTorch, the judge from outside: nothing else needs it."""
    return pytest.importorskip("torch", reason="PyTorch is not installed")


@pytest.fixture(scope="session")
def torch_nets(torch):
    """By name, functions that make the nets of minise from PyTorch's layers."""
    from oracle import nets

    from minise.bench.pytorch_nets import NETS

    return NETS | nets.NETS


@pytest.fixture(scope="session")
def hard_sigmoid(torch):
    """PyTorch's own multiplies by a sixth in float32, even for float64 (2.13)."""
    return lambda x: torch.nn.functional.relu6(x + 3) / 6
