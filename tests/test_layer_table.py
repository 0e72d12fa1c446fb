import re

import numpy as np
import pytest

from minise import InputError, SEBlock, compare, cost, models, nn, summary

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

# Of a net by hand, on an image of 4×5. Its layers output 40 + 40 + 2 + 1 + 1 + 2 + 2 + 40 + 40 + 3
# numbers, 171, of which the six of SE make 48.
SMALL = """\
-------------------------------------------------------------------------------
        Layer (type)               Output Shape         Param #       Mult-Adds
===============================================================================
            Conv2d-1              [-1, 2, 4, 5]              20             360
       BatchNorm2d-2              [-1, 2, 4, 5]               4               0
         AvgPool2d-3              [-1, 2, 1, 1]               0               0
            Linear-4                    [-1, 1]               3               2
              ReLU-5                    [-1, 1]               0               0
            Linear-6                    [-1, 2]               4               2
           Sigmoid-7                    [-1, 2]               0               0
             Scale-8              [-1, 2, 4, 5]               0               0
           Flatten-9                   [-1, 40]               0               0
           Linear-10                    [-1, 3]             123             120
===============================================================================
Total params: 154
Trainable params: 154
Non-trainable params: 0
-------------------------------------------------------------------------------
Input size (MB): 0.00
Forward/backward pass size (MB): 0.00
Params size (MB): 0.00
Estimated Total Size (MB): 0.00
-------------------------------------------------------------------------------
Multiply-adds: 484
In SE blocks
  params: 7 (4.55%)
  multiply-adds: 4 (0.83%)
  outputs: 48 (28.07%)
  squeeze and scale: 80
Memory at its peak, forward and backward (MB): 7.25
A multiply-add is a multiplication with its addition, in convolutions
and linear maps without their biases. Many papers call it a FLOP.
Squeeze and scale are counted apart: one for each number they read.
-------------------------------------------------------------------------------
"""


def small(**se):
    return nn.Sequential(
        conv=nn.Conv2d(1, 2, 3, padding=1),
        bn=nn.BatchNorm2d(2),
        **se,
        flatten=nn.Flatten(),
        fc=nn.Linear(40, 3),
    )


@pytest.fixture
def peaks(monkeypatch):
    """Lets the memory that is measured be so many MB, one after the other."""

    def are(*peaks):
        left = iter(peaks)

        def traced():
            return 2**20, next(left) * 2**20

        monkeypatch.setattr("minise.layer_table.tracemalloc.get_traced_memory", traced)

    return are


@pytest.fixture
def seed():
    return SEBlock(64, reduction=3, squeeze="max")


def test_the_seed_prints_its_table_to_the_character(seed, capsys):
    print(summary(seed, (64, 128, 128)))
    assert capsys.readouterr().out == SEED


def test_a_map_of_another_size_works_as_well(seed, capsys):
    print(summary(seed, (64, 7, 5)))
    printed = capsys.readouterr().out
    assert "MaxPool2d-1             [-1, 64, 1, 1]" in printed
    assert "Input size (MB): 0.01" in printed


def test_full_adds_the_multiplication_its_cost_and_the_memory_it_took(seed, capsys):
    print(summary(seed, (64, 128, 128), full=True))
    printed = capsys.readouterr().out
    assert "Scale-6         [-1, 64, 128, 128]               0               0" in printed
    assert f"Multiply-adds: {2 * 64 * 21:,}\n" in printed
    peak = float(printed.split("forward and backward (MB):")[1].split()[0])
    assert 12 <= peak < 25  # y, dy and dx of 4 MB each at least
    assert not any(parameter.grad.any() for parameter in seed.parameters())


def test_a_small_net_prints_its_full_table_to_the_character(capsys, peaks):
    peaks(7.25)
    print(summary(small(se=SEBlock(2, hidden=1)), (1, 4, 5), full=True))
    assert capsys.readouterr().out == SMALL


def test_sizes_are_those_of_four_bytes_a_number(capsys):
    net = nn.Sequential(conv=nn.Conv2d(1, 2, 3, padding=1), se=SEBlock(2, hidden=1))
    print(summary(net, (1, 200, 300)))
    printed = capsys.readouterr().out
    assert "Input size (MB): 0.23\n" in printed  # 60,000 numbers
    # 120,000 and 8, forward and backward; the scaled maps are not counted
    assert "Forward/backward pass size (MB): 0.92\n" in printed
    assert "Params size (MB): 0.00\n" in printed
    assert "Estimated Total Size (MB): 1.14\n" in printed
    assert "Scale" not in printed


def test_the_multiply_adds_of_a_net_are_those_counted_by_hand(capsys):
    print(summary(models.create("cnn"), (1, 28, 28), full=True))
    by_hand = 28 * 28 * 8 * 9 + 14 * 14 * 16 * 8 * 9 + 16 * 7 * 7 * 10
    assert f"Multiply-adds: {by_hand:,}\n" in capsys.readouterr().out


def test_full_tells_what_is_in_se_blocks(capsys):
    print(summary(models.create("se-cnn"), (1, 28, 28), full=True))
    printed = capsys.readouterr().out
    for line in (
        "Multiply-adds: 290,240",  # those of cnn and 160
        "  params: 190 (2.05%)",
        "  multiply-adds: 160 (0.06%)",
        "  squeeze and scale: 18,816",
    ):
        assert f"{line}\n" in printed
    print(summary(models.create("cnn"), (1, 28, 28), full=True))
    assert "In SE blocks" not in capsys.readouterr().out


def test_batch_normalisation_keeps_its_averages(capsys):
    net = models.create("resnet8")
    before = net.state_dict()
    print(summary(net, (1, 28, 28), full=True))
    assert all(np.array_equal(before[k], v) for k, v in net.state_dict().items())


def test_an_input_that_does_not_fit_is_one_clear_error():
    with pytest.raises(InputError, match=r"input of \(1, 20, 20\) does not fit: linear: x has 400"):
        summary(models.create("cnn"), (1, 20, 20))


def test_a_named_net_knows_its_own_images():
    net = models.create("se-cnn3", in_channels=3)
    assert str(summary(net)) == str(summary(net, (3, 28, 28)))
    assert cost(net) == cost(net, (3, 28, 28))
    net.image_shape = 3, 32, 32
    assert str(summary(net)) == str(summary(net, (3, 32, 32)))


@pytest.mark.parametrize("take", [summary, cost, lambda net: compare({"a": net, "b": net})])
def test_a_net_of_ones_own_needs_a_shape(take):
    with pytest.raises(InputError, match=r"Sequential does not say which .* \(1, 28, 28\)"):
        take(small())
    own = small()
    own.image_shape = 1, 4, 5
    assert cost(own) == cost(own, (1, 4, 5))


def test_a_summary_shows_itself_as_its_table_and_in_a_notebook_too(seed):
    of = summary(seed, (64, 128, 128), full=True)
    assert repr(of) == str(of)
    page = of._repr_html_()
    row = re.search("<tr><td[^>]*>Linear-2</td>.*?</tr>", page)[0]
    assert re.findall(">([^<]+)<", row) == ["Linear-2", "[-1, 21]", "1,365", "1,344"]
    assert "Total params: 2,773\n" in page
    assert "Squeeze and scale are counted apart" in page
