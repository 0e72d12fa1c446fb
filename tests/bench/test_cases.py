import numpy as np
import pytest
from bench.small import SMALL

from minise import backend, bench, models
from minise.bench import cases
from minise.bench.case import Variant, draw
from minise.bench.check import differences
from minise.bench.ours import Minise


@pytest.mark.parametrize("case", SMALL, ids=lambda case: case.name)
def test_a_case_is_what_the_specification_says(case):
    arrays = case.arrays()
    with backend.using("numpy"):
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


def test_pytorchs_nets_have_the_names_of_ours():
    pytest.importorskip("torch", reason="PyTorch is not installed")
    from minise.bench.pytorch_nets import NETS

    for name, net in NETS.items():
        theirs = {key for key in net().state_dict() if not key.endswith("num_batches_tracked")}
        assert theirs == models.create(name, filled=False).state_dict().keys()


@pytest.mark.parametrize("net", ["se-resnet50", "se-mobilenetv3-large", "se-efficientnet-b0"])
def test_a_deep_net_is_the_same_in_pytorch(monkeypatch, net):
    pytest.importorskip("torch", reason="PyTorch is not installed")
    from minise.bench.pytorch import PyTorch

    monkeypatch.setattr(models, "image_shape", lambda net: (3, 64, 64))
    case = cases.evaluated("image", net)
    arrays = case.arrays()
    ours, theirs = (case.side(who, arrays).numbers() for who in (Minise(), PyTorch(Variant())))
    assert differences(ours, theirs) == []
    assert ours["scores"].shape == (1, 1000)


def test_a_step_in_which_nothing_is_dropped_is_the_same_in_pytorch(monkeypatch):
    pytest.importorskip("torch", reason="PyTorch is not installed")
    from minise.bench.pytorch import PyTorch

    monkeypatch.setattr(models, "image_shape", lambda net: (3, 64, 64))
    case = cases.step("step", "se-efficientnet-b0", 8)
    arrays = case.arrays()
    ours, theirs = (case.side(who, arrays).numbers() for who in (Minise(), PyTorch(Variant())))
    assert differences(ours, theirs, case.gradient_tolerance) == []


def test_images_are_of_the_size_that_the_net_was_made_for():
    assert cases.images("se-cnn", 2)["x"].shape == (2, 1, 28, 28)
    drawn = cases.images("se-resnet50", 3)
    assert drawn["x"].shape == (3, 3, 224, 224)
    assert drawn["labels"].shape == (3,)


def test_inputs_lie_as_each_library_wants_them():
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    from minise.bench import ours
    from minise.bench.pytorch import placed

    x = draw({"x": (3, 4, 5, 6)})["x"]
    assert ours.placed(x).transpose(1, 2, 3, 0).flags.c_contiguous
    assert (ours.placed(x) == x).all()
    assert placed(x, Variant()).is_contiguous()
    last = placed(x, Variant(channels_last=True))
    assert last.is_contiguous(memory_format=torch.channels_last)
    assert (last.numpy() == x).all()


def test_numbers_are_drawn_that_no_library_rounds():
    drawn = draw({"x": (40, 50), "dy": (40, 50)})
    for array in drawn.values():
        assert array.dtype == np.float32
        np.testing.assert_array_equal(array * 64, np.round(array * 64))
        assert (array.min(), array.max()) == (-2, 2)
    assert (drawn["x"] != drawn["dy"]).any()
    np.testing.assert_array_equal(draw({"x": (40, 50)})["x"], drawn["x"])
    assert set(cases.images("cnn", 300)["labels"]) == set(range(10))


def test_every_name_belongs_to_one_case():
    groups = bench.CASES, bench.BATCHES, bench.ON_GPU, bench.SCALING
    every = [item for group in groups for item in group.items()]
    assert len(dict(every)) == len(every)
    assert all(name == case.name for name, case in every)
