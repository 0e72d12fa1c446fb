import numpy as np
import pytest

from minise import InputError, SEBlock, compare, models, summary

SEED = """\
----------------------------------------------------------------
        Layer (type)               Output Shape         Param #
================================================================
         MaxPool2d-1             [-1, 64, 1, 1]               0
            Linear-2                   [-1, 21]           1,365
              ReLU-3                   [-1, 21]               0
            Linear-4                   [-1, 64]           1,408
           Sigmoid-5                   [-1, 64]               0
================================================================
Total params: 2,773
Trainable params: 2,773
Non-trainable params: 0
----------------------------------------------------------------
Input size (MB): 4.00
Forward/backward pass size (MB): 0.00
Params size (MB): 0.01
Estimated Total Size (MB): 4.01
----------------------------------------------------------------
"""


@pytest.fixture
def seed():
    return SEBlock(64, reduction=3, squeeze="max")


def test_the_seed_prints_its_table_to_the_character(seed, capsys):
    summary(seed, (64, 128, 128))
    assert capsys.readouterr().out == SEED


def test_a_map_of_another_size_works_as_well(seed, capsys):
    summary(seed, (64, 7, 5))
    printed = capsys.readouterr().out
    assert "MaxPool2d-1             [-1, 64, 1, 1]" in printed
    assert "Input size (MB): 0.01" in printed


def test_full_adds_the_multiplication_its_cost_and_the_memory_it_took(seed, capsys):
    summary(seed, (64, 128, 128), full=True)
    printed = capsys.readouterr().out
    assert "Scale-6         [-1, 64, 128, 128]               0               0" in printed
    assert f"Multiply-adds: {2 * 64 * 21:,}\n" in printed
    peak = float(printed.split("forward and backward (MB):")[1].split()[0])
    assert 12 <= peak < 25  # y, dy and dx of 4 MB each at least
    assert not any(parameter.grad.any() for parameter in seed.parameters())


@pytest.mark.parametrize(
    "name", ["cnn", "se-cnn", "se-cnn3", "resnet8", "se-resnet8", "se-resnet14"]
)
def test_every_net_has_a_table_that_counts_all_its_parameters(name, capsys):
    net = models.create(name)
    summary(net, (1, 28, 28))
    total = sum(parameter.value.size for parameter in net.parameters())
    assert f"Total params: {total:,}\n" in capsys.readouterr().out


def test_the_multiply_adds_of_a_net_are_those_counted_by_hand(capsys):
    summary(models.create("cnn"), (1, 28, 28), full=True)
    by_hand = 28 * 28 * 8 * 9 + 14 * 14 * 16 * 8 * 9 + 16 * 7 * 7 * 10
    assert f"Multiply-adds: {by_hand:,}\n" in capsys.readouterr().out


def test_full_tells_what_is_in_se_blocks(capsys):
    summary(models.create("se-cnn"), (1, 28, 28), full=True)
    printed = capsys.readouterr().out
    for line in (
        "Multiply-adds: 290,240",  # those of cnn and 160
        "  params: 190 (2.05%)",
        "  multiply-adds: 160 (0.06%)",
        "  squeeze and scale: 18,816",
    ):
        assert f"{line}\n" in printed
    summary(models.create("cnn"), (1, 28, 28), full=True)
    assert "In SE blocks" not in capsys.readouterr().out


def test_two_nets_are_compared_side_by_side(capsys):
    compare({name: models.create(name) for name in ("se-resnet8", "resnet8")}, (1, 28, 28))
    printed = " ".join(capsys.readouterr().out.replace("│", " ").split())
    se, plain = (
        sum(p.value.size for p in models.create(name).parameters())
        for name in ("se-resnet8", "resnet8")
    )
    assert f"parameters {se:,} {plain:,} +{se - plain:,} +{(se - plain) / plain:.2%}" in printed
    assert "A multiply-add is a multiplication with its addition" in printed
    with pytest.raises(InputError, match="got 1 nets by name, expected 2"):
        compare({"one": models.create("cnn")}, (1, 28, 28))


def test_batch_normalisation_keeps_its_averages(capsys):
    net = models.create("resnet8")
    before = net.state_dict()
    summary(net, (1, 28, 28), full=True)
    assert all(np.array_equal(before[k], v) for k, v in net.state_dict().items())


def test_an_input_that_does_not_fit_is_one_clear_error():
    with pytest.raises(InputError, match=r"input of \(1, 20, 20\) does not fit: linear: x has 400"):
        summary(models.create("cnn"), (1, 20, 20))
