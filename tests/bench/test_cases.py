import pytest

from minise import backend, bench
from minise.bench import cases
from minise.bench.case import Variant, draw
from minise.bench.check import differences
from minise.bench.ours import Minise

# every kind of case, at a size that takes no time
SMALL = [
    cases.conv("conv", 3, 4, 6, 5),
    cases.conv("conv, stride", 3, 4, 6, 8, kernel=5, stride=2),
    cases.conv("conv, grouped", 3, 4, 6, 5, kernel=1, groups=2),
    cases.linear("linear", 4, 6, 3),
    cases.se("se", 3, 8, 4, 2),
    cases.norm_relu("norm-relu", 3, 4, 5),
    cases.tail("tail", 3, 4, 5),
    cases.pool("pool", 3, 4, 6),
    cases.step("step, cnn", "se-cnn", 3),
    cases.step("step, resnet", "se-resnet8", 3),
    cases.image("image", "se-resnet8"),
]


@pytest.mark.parametrize("case", SMALL, ids=lambda case: case.name)
def test_a_case_is_what_the_specification_says(case):
    arrays = case.arrays()
    with backend("numpy"):
        specified = case.side(Minise(), arrays).numbers()
    ours = case.side(Minise(), arrays).numbers()
    assert differences(ours, specified, case.gradient_tolerance) == []
    assert ("scores" if "labels" in arrays else "y") in ours


@pytest.mark.parametrize("case", SMALL, ids=lambda case: case.name)
def test_a_case_is_the_same_in_pytorch(case):
    pytest.importorskip("torch", reason="PyTorch is not installed")
    from minise.bench.pytorch import PyTorch

    arrays = case.arrays()
    ours = case.side(Minise(), arrays).numbers()
    for variant in (Variant(), Variant(channels_last=True)):
        theirs = case.side(PyTorch(variant), arrays).numbers()
        assert differences(ours, theirs, case.gradient_tolerance) == []


def test_inputs_lie_as_each_library_wants_them():
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    from minise.bench.ours import batch_last
    from minise.bench.pytorch import placed

    x = draw({"x": (3, 4, 5, 6)})["x"]
    assert batch_last(x).transpose(1, 2, 3, 0).flags.c_contiguous
    assert (batch_last(x) == x).all()
    assert placed(x, Variant()).is_contiguous()
    last = placed(x, Variant(channels_last=True))
    assert last.is_contiguous(memory_format=torch.channels_last)
    assert (last.numpy() == x).all()


def test_work_is_counted_for_all_passes():
    work = {case.name: case.work for case in bench.CASES.values() if isinstance(case, bench.Case)}
    assert work["conv3x3-16-28"] == (3 * 2 * 64 * 16 * 28 * 28 * 16 * 9, "FLOP")
    assert work["conv3x3-depthwise"] == (3 * 2 * 64 * 64 * 14 * 14 * 9, "FLOP")
    assert work["conv3x3-stride2"] == (3 * 2 * 64 * 32 * 14 * 14 * 16 * 9, "FLOP")
    assert work["linear-784-10"] == (3 * 2 * 64 * 784 * 10, "FLOP")
    assert work["se-32-14"] == (7 * 4 * 64 * 32 * 14 * 14, "B")
    assert work["pool-16-28"] == (2 * 4 * 64 * 16 * (28 * 28 + 14 * 14), "B")
    assert work["step-se-cnn-64"] == (64, "images")


def test_every_name_belongs_to_one_case():
    assert not bench.CASES.keys() & bench.SCALING.keys()
    assert all(name == case.name for name, case in bench.CASES.items())
