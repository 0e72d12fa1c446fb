import numpy as np
import pytest

from minise import InputError, SEBlock, SEResidual


def test_the_block_is_equations_2_to_4_of_the_paper():
    """Hu et al., section 3, written out with NumPy."""
    x = np.random.default_rng(0).standard_normal((3, 8, 5, 4))
    block = SEBlock(8, 2, rng=np.random.default_rng(1), dtype=np.float64)
    w1, b1, w2, b2 = (parameter.value for parameter in block.parameters())
    b1 += 0.1
    b2 -= 0.2
    z = x.mean(axis=(2, 3))
    s = 1 / (1 + np.exp(-(np.maximum(z @ w1.T + b1, 0) @ w2.T + b2)))
    np.testing.assert_allclose(block(x), x * s[:, :, None, None], rtol=1e-12)


@pytest.mark.parametrize(
    ("channels", "options", "hidden"),
    [
        (64, {"reduction": 3}, 21),
        (64, {}, 4),
        (8, {"reduction": 16}, 1),  # at least one
        (64, {"hidden": 5}, 5),
    ],
)
def test_the_hidden_width_is_the_floor_but_at_least_one(channels, options, hidden):
    assert SEBlock(channels, **options).fc1.weight.value.shape == (hidden, channels)


def test_the_seed_block_has_2773_parameters_and_without_biases_2688():
    counts = [
        sum(p.value.size for p in SEBlock(64, 3, squeeze="max", bias=bias).parameters())
        for bias in (True, False)
    ]
    assert counts == [2_773, 2 * 64 * 21]


def test_the_squeeze_takes_maps_of_any_size():
    block = SEBlock(4, 2, squeeze="max")
    for H, W in [(1, 1), (7, 3), (128, 128)]:
        assert block(np.ones((2, 4, H, W), np.float32)).shape == (2, 4, H, W)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"squeeze": "mean"}, "squeeze 'mean', expected one of avg, max"),
        ({"gate": "softmax"}, "gate 'softmax', expected one of sigmoid, tanh"),
        ({"reduction": 0}, "reduction 0: not positive"),
        ({"hidden": 0}, "hidden 0, expected at least 1"),
    ],
)
def test_unknown_options_are_one_clear_error(options, message):
    with pytest.raises(InputError, match=message):
        SEBlock(8, **options)


def test_a_residual_block_is_branch_plus_shortcut():
    block = SEResidual(3, 3, reduction=2, dtype=np.float64)
    block.bn2.weight.value[:] = 0  # the branch is silent: what is left is relu of the shortcut
    x = np.random.default_rng(0).standard_normal((2, 3, 5, 5))
    np.testing.assert_allclose(block(x), np.maximum(x, 0))
