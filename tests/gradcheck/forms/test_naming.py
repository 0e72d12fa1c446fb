"""Whose gradient a name tells."""

import pytest

from minise.gradcheck.forms.naming import owner


@pytest.mark.parametrize(
    ("gradient", "names", "expected"),
    [
        ("dx", ["x", "w"], "x"),
        ("grad_w", ["x", "w"], "w"),
        ("w_grad", ["x", "w"], "w"),
        ("gradient_w", ["x", "w"], "w"),
        ("dL_dw", ["x", "w"], "w"),
        ("d_w", ["x", "w"], "w"),
        ("x", ["x", "w"], "x"),
        ("dW", ["w", "W"], "W"),
        ("dW", ["x", "w"], "w"),
        ("dw", ["w", "W"], "w"),
        ("dW1", ["W1", "W2"], "W1"),
        ("dW", ["weights", "biases"], "weights"),
        ("db", ["weights", "bias"], "bias"),
        ("dweights", ["weights", "biases"], "weights"),
        ("weights_gradient", ["weights", "biases"], "weights"),
        ("dW", ["W1", "W2"], None),
        ("dh", ["x", "w"], None),
        ("d", ["x"], None),
        ("dW1", ["params['W1']", "params['W2']"], "params['W1']"),
        ("dW", ["x", "layers[0].W"], "layers[0].W"),
        ("data", ["x", "data"], "data"),
    ],
)
def test_a_gradient_belongs_to_the_input_that_its_name_tells(gradient, names, expected):
    assert owner(gradient, names) == expected


def test_an_attribute_is_not_its_own_gradient():
    assert owner("W", ["W", "b"], itself=False) is None
    assert owner("dW", ["W", "b"], itself=False) == "W"
