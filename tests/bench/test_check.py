import numpy as np
import pytest

from minise.bench.check import differences

RIGHT = {"y": np.linspace(-1, 1, 100, dtype=np.float32), "dw": np.ones((2, 3), np.float32)}


def changed(name, change):
    arrays = {key: array.copy() for key, array in RIGHT.items()}
    arrays[name] = change(arrays[name])
    return arrays


def test_equal_numbers_and_rounding_errors_pass():
    assert differences(RIGHT, RIGHT) == []
    assert differences(changed("y", lambda y: y * np.float32(1 + 1e-6)), RIGHT) == []
    zeros = {"dw": np.zeros(3, np.float32)}
    assert differences(zeros, zeros) == []


@pytest.mark.parametrize(("size", "found"), [(0.9e-5, ["y"]), (1.1e-5, ["dw", "y"])])
def test_a_gradient_may_be_rounding_alone_beside_larger_ones(size, found):
    """As that of a bias which the next batch norm takes away again; a result may not."""
    noise = {name: np.full(1, size, np.float32) for name in ("dw", "y")}
    zeros = {name: np.zeros(1, np.float32) for name in noise}
    large = {"db": np.ones(1, np.float32)}
    lines = differences({**noise, **large}, {**zeros, **large})
    assert [line.split()[0] for line in lines] == found


@pytest.mark.parametrize(
    ("name", "change", "said"),
    [
        ("y", lambda y: np.where(y == 1, 0.9, y).astype(np.float32), "y is off by 0.1 of 5.8"),
        ("y", lambda y: np.where(y == 1, np.nan, y).astype(np.float32), "y is off by nan"),
        ("dw", lambda dw: dw.T, r"dw is float32 (3, 2), expected float32 (2, 3)"),
        ("dw", lambda dw: dw.astype(np.float64), "dw is float64 (2, 3), expected float32"),
    ],
)
def test_what_differs_is_named(name, change, said):
    (line,) = differences(changed(name, change), RIGHT)
    assert line.startswith(said)


def test_a_result_that_is_missing_is_named():
    assert differences({"y": RIGHT["y"]}, RIGHT) == ["dw is on one side only"]


def test_gradients_may_be_given_another_tolerance_but_not_outputs():
    for name, found in [("dw", 0), ("y", 1)]:
        assert len(differences(changed(name, lambda a: 1.01 * a), RIGHT, 0.05)) == found
        assert len(differences(changed(name, lambda a: 1.01 * a), RIGHT)) == 1


def test_outputs_may_be_given_another_tolerance_but_not_gradients_with_them():
    for name, found in [("dw", 1), ("y", 0)]:
        off = changed(name, lambda a: 1.001 * a)
        assert len(differences(off, RIGHT, forward_tolerance=0.01)) == found
