"""What a net says that it is: a line for each layer."""

from html.parser import HTMLParser

import numpy as np
import pytest

from minise import models, nn
from minise.nn.layer import Buffer, Parameter


@pytest.mark.parametrize(
    ("layer", "text"),
    [
        (nn.Conv2d(1, 16, 3, padding=1), "Conv2d(weight (16, 1, 3, 3), bias (16,), padding=1)"),
        (
            nn.Conv2d(4, 8, (3, 5), stride=(1, 2), groups=2, bias=False),
            "Conv2d(weight (8, 2, 3, 5), stride=(1, 2), groups=2)",
        ),
        (nn.BatchNorm2d(3), "BatchNorm2d(weight (3,), bias (3,))"),
        (nn.BatchNorm2d(3, eps=1e-3), "BatchNorm2d(weight (3,), bias (3,), eps=0.001)"),
        (nn.MaxPool2d(3, 2, 1), "MaxPool2d(size=3, stride=2, padding=1)"),
        (nn.MaxPool2d(2, ceil_mode=True), "MaxPool2d(size=2, stride=2, ceil_mode=True)"),
        (nn.Dropout(rng=np.random.default_rng(0)), "Dropout()"),
        (nn.Dropout(0.2, rng=np.random.default_rng(0)), "Dropout(p=0.2)"),
        (nn.ReLU(), "ReLU()"),
        (nn.Sequential(), "Sequential()"),
    ],
)
def test_one_layer_is_one_line_with_what_is_not_usual(layer, text):
    assert repr(layer) == str(layer) == text


def test_a_net_is_a_line_for_each_of_its_layers():
    net = nn.Sequential(
        conv=nn.Conv2d(1, 8, 3, padding=1), se=nn.SEBlock(8, 4), pool=nn.MaxPool2d(2)
    )
    assert repr(net).splitlines() == [
        "Sequential, 122 parameters",
        "  conv: Conv2d(weight (8, 1, 3, 3), bias (8,), padding=1)",
        "  se: SEBlock, 42 parameters",
        "    squeeze: GlobalAvgPool()",
        "    fc1: Linear(weight (2, 8), bias (2,))",
        "    activation: ReLU()",
        "    fc2: Linear(weight (8, 2), bias (8,))",
        "    gate: Sigmoid()",
        "  pool: MaxPool2d(size=2, stride=2)",
    ]


class Own(nn.Layer):
    def __init__(self, activation="relu", scale=1.0, size=(2, 2)):
        self.activation, self.scale, self.size = activation, np.float32(scale), size
        self.table, self.function, self._seen = [1, 2], np.tanh, 3
        self.gain, self.mean = Parameter(np.ones((2, 1))), Buffer(np.ones(7))
        self.fc = nn.Linear(3, 2)


def test_a_layer_of_ones_own_tells_its_numbers_and_text():
    assert repr(Own()).splitlines()[0] == "Own(gain (2, 1)), 10 parameters"
    assert repr(Own("tanh", 2, (2, 3))).splitlines() == [
        "Own(gain (2, 1), activation='tanh', scale=2.0, size=(2, 3)), 10 parameters",
        "  fc: Linear(weight (2, 3), bias (2,))",
    ]


def test_blocks_that_are_alike_are_told_once():
    blocks = [nn.Residual(4, 4) for _ in range(5)]
    net = nn.Sequential(nn.Residual(2, 4), *blocks, nn.ReLU(), nn.ReLU(), nn.Residual(4, 4, 2))
    lines = [line for line in repr(net).splitlines() if line.startswith("  ") and line[2] != " "]
    each = sum(p.value.size for p in blocks[0].parameters())
    assert lines[1] == f"  1 to 5: 5 × Residual, {5 * each:,} parameters in all"
    assert lines[2:4] == ["  6: ReLU()", "  7: ReLU()"]
    assert len(lines) == 5


def test_of_large_nets_the_innermost_layers_are_counted():
    net = models.create("senet154", filled=False)
    lines = repr(net).splitlines()
    assert len(lines) <= 60
    count = sum(parameter.value.size for parameter in net.parameters())
    assert lines[0].endswith(f", {count:,} parameters")
    inside = dict(net.named_layers())["layer3"]
    layers = len(dict(getattr(inside, "1").named_layers())) - 1
    (line,) = [line for line in lines if "35 × " in line]
    assert line.startswith(f"    1 to 35: 35 × Bottleneck, {layers} layers, ")


def test_of_a_long_row_the_middle_is_left_out():
    net = nn.Sequential(*(nn.Linear(k + 1, 1) for k in range(200)))
    lines = repr(net).splitlines()
    assert len(lines) == 60
    assert lines[30] == "  … and 142 more …"
    names = [int(line.split(":")[0]) for line in lines[1:] if ":" in line]
    assert names == [*range(29), *range(171, 200)]


def test_a_parameter_in_two_places_counts_once():
    one = nn.Linear(3, 3)
    assert repr(nn.Sequential(one, nn.ReLU(), one)).startswith("Sequential, 12 parameters\n")


def test_a_layer_that_is_half_made_or_within_itself_is_told_too():
    half = nn.Conv2d.__new__(nn.Conv2d)
    assert repr(half) == "Conv2d()"
    half.weight = Parameter.__new__(Parameter)
    half.bias = Parameter(np.ones(2))
    half.bias.value = None
    assert repr(half) == "Conv2d()"
    net = nn.Sequential(nn.ReLU())
    net.itself = net
    assert repr(net).splitlines()[-1] == "  itself: Sequential again()"
    half._repr_html_()
    net._repr_html_()


class Cells(HTMLParser):
    def __init__(self, page):
        super().__init__()
        self.rows, self.tags = [], []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_data(self, text):
        if self.rows and self.rows[-1]:
            self.rows[-1][-1] += text


def test_a_notebook_shows_the_same_as_a_table():
    net = models.create("se-cnn")
    rows = Cells(net._repr_html_()).rows
    assert rows[0] == ["layer", "type", "options", "shapes of parameters", "parameters"]
    assert rows[1] == ["conv1", "Conv2d", "padding=1", "weight (8, 1, 3, 3), bias (8,)", "80"]
    assert rows[3] == ["se1", "SEBlock", "", "", "42"]
    assert len(rows) == len(repr(net).splitlines())
    large = Cells(models.create("senet154", filled=False)._repr_html_()).rows
    assert ["1 to 35", "35 × Bottleneck", "13 layers", "", "62,435,520"] in large


def test_names_from_peoples_code_are_escaped():
    net = nn.Sequential(**{"<b>a</b>": nn.ReLU()})
    net.label = "<script>"
    parsed = Cells(net._repr_html_())
    assert parsed.rows[1][0] == "<b>a</b>"
    assert not {"b2", "script"} & set(parsed.tags)
    assert parsed.tags.count("b") == 1  # the title's own
