"""The page "Kinks" says what the code gives at each kink: ours, and PyTorch's."""

import json
import re
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from minise import ops

PAGE = Path(__file__).parents[2] / "tutorials/reference/kinks.md"
ONES = np.ones((1, 1, 2, 2))


def tables(text):
    """{framework: {what: cell}}, of all tables of a text."""
    found = {}
    for table in re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE):
        lines = [re.split(r"(?<!\\)\|", line)[1:-1] for line in table.splitlines()]
        names, _, *rows = [[cell.strip() for cell in line] for line in lines]
        for framework, *cells in rows:
            found.setdefault(framework, {}).update(zip(names[1:], cells, strict=True))
    return found


TABLES = tables(PAGE.read_text(encoding="utf-8").partition("## What a check says there")[0])


def cell(slopes):
    """Derivatives as the page writes them; of equal pixels, who gets the gradient."""
    if np.size(slopes) == 4 or np.ndim(slopes) > 1:
        shares = np.ravel(slopes).tolist()
        return {(1, 0, 0, 0): "first", (0.25,) * 4: "even"}[tuple(shares)]
    written = []
    for slope in np.ravel(slopes).tolist():
        fraction = Fraction(slope).limit_denominator(12)
        exact = fraction if abs(fraction - slope) < 1e-7 and fraction.denominator != 10 else slope
        written.append(str(exact).replace("-", "−"))
    return ", ".join(written)


def slope_of(name, *points, **options):
    """What our backward gives at these points."""
    _, saved = getattr(ops, name)(np.array(points, float), **options)
    return getattr(ops, f"{name}_backward")(np.ones(len(points)), saved)


def ours():
    _, pool = ops.max_pool2d(ONES, 2)
    _, squeeze = ops.global_max_pool(ONES)
    return {
        "relu at 0": slope_of("relu", 0),
        "leaky relu at 0": slope_of("leaky_relu", 0, slope=0.1),
        "hard sigmoid at −3, 3": slope_of("hard_sigmoid", -3, 3),
        "hard swish at −3, 3": slope_of("hard_swish", -3, 3),
        "relu6 at 0, 6": slope_of("clip", 0, 6, low=0, high=6),
        "hardtanh at −1, 1": slope_of("clip", -1, 1, low=-1, high=1),
        "clip at 0, 1": slope_of("clip", 0, 1, low=0, high=1),
        "max pool": ops.max_pool2d_backward(np.ones((1, 1, 1, 1)), pool),
        "global max pool": ops.global_max_pool_backward(np.ones((1, 1)), squeeze),
    }


@pytest.mark.usefixtures("each_backend")
def test_the_page_says_what_minise_gives_at_each_kink():
    given = {what: cell(slopes) for what, slopes in ours().items()}
    assert {what: said for what, said in TABLES["minise"].items() if said != "–"} == given


def test_step_1_of_the_tutorials_says_the_same():
    step = json.loads((PAGE.parents[1] / "01-a-derivative-you-can-trust.ipynb").read_text("utf-8"))
    said = tables("".join("".join(cell["source"]) + "\n" for cell in step["cells"]))
    assert list(said) == [framework for framework in TABLES if not framework.startswith("*")]
    for framework, cells in said.items():
        assert cells == {what: TABLES[framework].get(what, "–") for what in cells}, framework


def test_what_the_page_leaves_out_of_minise_is_no_operation():
    for what in [what for what, said in TABLES["minise"].items() if said == "–"]:
        name = re.match(r"\w+", what)[0]
        assert name not in ops.__all__


def test_the_page_says_what_pytorch_gives():
    torch = pytest.importorskip("torch")
    functional = torch.nn.functional

    def slope(f, *points):
        x = torch.tensor(np.array(points, float), requires_grad=True)
        f(x).sum().backward()
        return x.grad.numpy()

    zero = torch.zeros(1, dtype=torch.float64)
    given = {
        "relu at 0": slope(functional.relu, 0),
        "leaky relu at 0": slope(lambda x: functional.leaky_relu(x, 0.1), 0),
        "hard sigmoid at −3, 3": slope(functional.hardsigmoid, -3, 3),
        "hard swish at −3, 3": slope(functional.hardswish, -3, 3),
        "relu6 at 0, 6": slope(functional.relu6, 0, 6),
        "hardtanh at −1, 1": slope(functional.hardtanh, -1, 1),
        "clip at 0, 1": slope(lambda x: torch.clamp(x, 0, 1), 0, 1),
        "abs at 0": slope(torch.abs, 0),
        "maximum(x, 0)": slope(lambda x: torch.maximum(x, zero), 0),
        "maximum(0, x)": slope(lambda x: torch.maximum(zero, x), 0),
        "max pool": slope(lambda x: functional.max_pool2d(x, 2), *ONES),
        "global max pool": slope(lambda x: functional.adaptive_max_pool2d(x, 1), *ONES),
    }
    said = TABLES[f"PyTorch {torch.__version__.partition('+')[0]}"]
    assert {what: said[what] for what in given} == {w: cell(s) for w, s in given.items()}
