import pytest

from minise import InputError, SEBlock, compare, models, nn

NETS = {
    "with": lambda: nn.Sequential(conv=nn.Conv2d(1, 2, 3, padding=1), se=SEBlock(2, hidden=1)),
    "without": lambda: nn.Sequential(conv=nn.Conv2d(1, 2, 3, padding=1)),
}


@pytest.fixture(autouse=True)
def peaks(monkeypatch):
    """The memory that is measured: 8.0 MB, then 2.5."""
    left = iter([8.0, 2.5])
    monkeypatch.setattr("minise.comparison.peak_memory", lambda net, shape: next(left))


def rows(lines):
    return [[cell.strip() for cell in line.split("│")[1:-1]] for line in lines if "│" in line]


def test_two_nets_are_compared_side_by_side(capsys):
    compare({name: make() for name, make in NETS.items()}, (1, 4, 5))
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].split("┃")[1:-1] == [
        " image of 1×4×5    ", " with ", " without ", " difference ", "          ",
    ]  # fmt: skip
    assert rows(lines) == [
        ["parameters", "27", "20", "+7", "+35.00%"],
        ["multiply-adds", "364", "360", "+4", "+1.11%"],
        ["squeeze and scale", "80", "0", "+80", ""],
        ["peak memory, MB", "8.0", "2.5", "+5.5", "+220.00%"],
    ]
    assert lines[8].startswith("A multiply-add is a multiplication with its addition")


def test_it_takes_two():
    with pytest.raises(InputError, match="got 1 nets by name, expected 2"):
        compare({"one": NETS["with"]()}, (1, 4, 5))


def test_two_named_nets_are_compared_on_the_images_of_the_first(capsys):
    compare({name: models.create(name) for name in ("se-cnn", "cnn")})
    assert "image of 1×28×28" in capsys.readouterr().out


def test_layers_that_cost_more_are_listed_and_those_that_only_one_net_has(capsys):
    nets = {name: make() for name, make in NETS.items()}
    nets["with"].conv = nn.Conv2d(1, 2, 1)
    compare(nets, (1, 4, 5), layers=True)
    lines = capsys.readouterr().out.splitlines()
    assert [row for row in rows(lines) if len(row) == 5 and row[0][:2] in ("co", "se")] == [
        ["conv", "4", "20", "40", "360"],
        ["se.squeeze", "0", "–", "0", "–"],
        ["se.fc1", "3", "–", "2", "–"],
        ["se.activation", "0", "–", "0", "–"],
        ["se.fc2", "4", "–", "2", "–"],
        ["se.gate", "0", "–", "0", "–"],
    ]


def test_layers_that_cost_the_same_but_are_otherwise_built_are_told(capsys):
    def net(gate):
        blocks = {f"se{k}": SEBlock(4, 2, gate=gate) for k in range(3)}
        return nn.Sequential(conv=nn.Conv2d(1, 4, 1), **blocks)

    nets = {"slope 1/6": net("hard_sigmoid"), "slope 0.2": net("hard_sigmoid_0.2")}
    compare(nets, (1, 4, 5), layers=True)
    out = capsys.readouterr().out
    expected = "gate is HardSigmoid() in slope 1/6, HardSigmoid(width=5) in slope 0.2 (3 times)"
    assert expected in out.splitlines()
    assert "No layer" not in out
    assert len(rows(out.splitlines())) == 4  # no layer costs more


def test_nets_that_are_alike_differ_in_no_layer(capsys):
    compare({"one": NETS["with"](), "two": NETS["with"]()}, (1, 4, 5), layers=True)
    out = capsys.readouterr().out
    assert "No layer of one differs from that of the other.\n" in out
    assert len(rows(out.splitlines())) == 4
