import numpy as np
import pytest
from closeness import assert_close
from hypothesis import given
from hypothesis import strategies as st
from rows import ROWS
from scipy.special import expit
from strategies import DTYPES, arrays_like, arrays_NCHW, normal_arrays

from minise import InputError, SEBlock, backend
from minise.gradcheck import assert_gradients
from minise.nn import ACTIVATIONS, Layer, NoSqueeze
from minise.nn.se import GATES, SQUEEZES

OPTIONS = st.fixed_dictionaries(
    {
        "squeeze": st.sampled_from(list(SQUEEZES)),
        "activation": st.sampled_from(list(ACTIVATIONS)),
        "gate": st.sampled_from(list(GATES)),
        "residual": st.booleans(),
        "hidden": st.integers(1, 4),
    }
)
BY_HAND = {
    "none": lambda x: x,
    "relu": lambda x: np.maximum(x, 0),
    "relu6": lambda x: np.clip(x, 0, 6),
    "leaky_relu": lambda x: np.where(x > 0, x, 0.01 * x),
    "silu": lambda x: x * expit(x),
    "hard_swish": lambda x: x * np.clip(x / 6 + 0.5, 0, 1),
    "sigmoid": lambda x: expit(x),
    "tanh": lambda x: np.tanh(x),
    "hard_sigmoid": lambda x: np.clip(x / 6 + 0.5, 0, 1),
    "hard_sigmoid_0.2": lambda x: np.clip(0.2 * x + 0.5, 0, 1),
    "clip": lambda x: np.clip(x, 0, 1),
}


@st.composite
def blocks(draw, channels, dtype=np.float64, options=OPTIONS):
    """An SE block none of whose weights is 0."""
    block = SEBlock(channels, dtype=dtype, **draw(options))
    for parameter in block.parameters():
        parameter.value = backend.asarray(draw(normal_arrays(parameter.value.shape, dtype)))
    return block


def se_block(x, w1, b1, w2, b2, *, squeeze, activation, gate, residual):
    """Squeeze, excitation, scale (Hu et al., section 3), step by step."""
    naive = {name: row.naive for name, row in ROWS.items()}
    average, largest = naive["global_avg_pool"](x), naive["global_max_pool"](x)
    z = {"avg": average, "max": largest, "avg+max": (average + largest) / 2}[squeeze]
    a = BY_HAND[activation](naive["linear"](z, w1, b1))
    y = naive["channel_scale"](x, BY_HAND[gate](naive["linear"](a, w2, b2)))
    return x + y if residual else y


def values(block):
    return [backend.asnumpy(parameter.value) for parameter in block.parameters()]


@pytest.mark.usefixtures("each_backend")
@given(data=st.data(), x=DTYPES.flatmap(arrays_NCHW), options=OPTIONS)
def test_the_block_is_equations_2_to_4_of_the_paper(data, x, options):
    block = data.draw(blocks(x.shape[1], x.dtype, st.just(options)))
    del options["hidden"]
    assert_close(block(x), se_block(x, *values(block), **options))


@pytest.mark.usefixtures("each_backend")
@given(data=st.data(), x=arrays_NCHW())
def test_the_block_follows_a_permutation_of_channels(data, x):
    """Whatever the order of the channels, if the weights and the gradients come in it too."""
    block, order = data.draw(blocks(x.shape[1])), data.draw(st.permutations(range(x.shape[1])))
    y, backward = block.forward(x)
    dy = data.draw(arrays_like(y))
    dx = backward(dy)
    block.fc1.weight.value = block.fc1.weight.value[:, order]
    block.fc2.weight.value, block.fc2.bias.value = (
        block.fc2.weight.value[order],
        block.fc2.bias.value[order],
    )
    permuted, permuted_backward = block.forward(x[:, order])
    assert_close(permuted, y[:, order])
    assert_close(permuted_backward(dy[:, order]), dx[:, order])


@pytest.mark.usefixtures("each_backend")
@given(data=st.data(), x=arrays_NCHW())
def test_sigmoid_gates_make_no_value_larger_nor_change_its_sign(data, x):
    sigmoid = st.fixed_dictionaries({"gate": st.just("sigmoid"), "hidden": st.integers(1, 4)})
    y = data.draw(blocks(x.shape[1], options=sigmoid))(x)
    assert (np.abs(y) <= np.abs(x)).all()
    assert (y * x >= 0).all()


@pytest.mark.usefixtures("each_backend")
@given(x=arrays_NCHW(), squeeze=st.sampled_from(list(SQUEEZES)))
def test_without_weights_every_value_is_halved(x, squeeze):
    block = SEBlock(x.shape[1], hidden=2, squeeze=squeeze, dtype=np.float64)
    for parameter in block.parameters():
        parameter.value[...] = 0
    np.testing.assert_array_equal(block(x), x / 2)


@pytest.mark.usefixtures("each_backend")
@given(data=st.data(), x=arrays_NCHW())
def test_the_gates_do_not_see_where_a_pixel_is(data, x):
    block = data.draw(blocks(x.shape[1]))
    order = data.draw(st.permutations(range(x.shape[2] * x.shape[3])))
    N, C, H, W = x.shape
    shuffled = x.reshape(N, C, H * W)[..., order].reshape(x.shape)
    assert_close(block.gates(shuffled)[0], block.gates(x)[0])


@pytest.mark.parametrize(
    ("channels", "options", "hidden"),
    [
        (64, {"reduction": 3}, 21),
        (64, {}, 4),
        (16, {}, 1),
        (11, {"reduction": 4}, 2),  # not 3
        (12, {"reduction": 1.5}, 8),
        (64, {"hidden": 5}, 5),
        (64, {"rounding": "timm"}, 8),  # not 4
        (256, {"rounding": "timm"}, 16),
        (320, {"rounding": "timm"}, 24),  # 20 lies between 16 and 24
        (8, {"rounding": "timm"}, 8),
        (72, {"rounding": "timm", "reduction": 4}, 16),
        (72, {"rounding": "torchvision", "reduction": 4}, 24),  # 16 would lose two of 18
        (72, {"rounding": "ghostnet", "reduction": 4}, 20),
        (72, {"rounding": "nearest", "reduction": 4}, 18),
        (74, {"rounding": "nearest", "reduction": 4}, 18),  # 18.5: the even one
        (74, {"rounding": "geffnet", "reduction": 4}, 19),
        (9, {"rounding": "geffnet", "reduction": 4}, 3),  # 2 would lose more than a tenth of 2.25
        (144, {"rounding": "mobilenet", "reduction": 16}, 16),
        (672, {"rounding": "fastai"}, 48),  # not 40
        (3, {"rounding": "floor_or_one"}, 1),
        (96, {"reduced_from": 16, "reduction": 4}, 4),  # the input of EfficientNet's block
    ],
)
def test_the_hidden_width_is_rounded_as_asked(channels, options, hidden):
    assert SEBlock(channels, **options).fc1.weight.value.shape == (hidden, channels)


def test_the_weights_of_a_1x1_convolution_are_those_of_a_linear_map():
    block = SEBlock(6, 2)
    state = block.state_dict()
    state["fc1.weight"] = state["fc1.weight"][:, :, None, None] + 1
    block.load_state_dict(state)
    np.testing.assert_array_equal(block.fc1.weight.value, state["fc1.weight"][:, :, 0, 0])
    conv = NoSqueeze(6, 2)
    conv.load_state_dict(block.state_dict())
    np.testing.assert_array_equal(conv.fc1.weight.value, state["fc1.weight"])
    with pytest.raises(InputError, match=r"fc1\.weight \(3, 6, 1\), expected \(3, 6\)"):
        block.load_state_dict(state | {"fc1.weight": state["fc1.weight"][..., 0]})


def test_the_seed_block_has_2773_parameters_and_without_biases_2688():
    counts = [
        sum(p.value.size for p in SEBlock(64, 3, squeeze="max", bias=bias).parameters())
        for bias in (True, False)
    ]
    assert counts == [2_773, 2 * 64 * 21]


@pytest.mark.parametrize("norm", ["before", "after"])
def test_batch_norm_is_before_the_activation_or_after_it(norm):
    block = SEBlock(4, 2, norm=norm)
    block.activation.norm.running_mean.value[...] = [-3, 5]
    h = np.array([[-1, 2]], np.float32)
    z, scale = h - [-3, 5], np.sqrt(1 + 1e-5)
    expected = z / scale * (z > 0) if norm == "before" else ([[0, 2]] - np.array([-3, 5])) / scale
    np.testing.assert_allclose(block.activation(h), expected, rtol=1e-6)


def padded(x, widths):
    """x (N, C, H, W) with NaN beyond each image's width, and the mask of what is before it."""
    mask = np.arange(x.shape[3]) < np.array(widths)[:, None, None]  # (N, 1, W)
    mask = np.repeat(mask, x.shape[2], axis=1)
    return np.where(mask[:, None], x, np.nan), mask


def test_the_gates_of_a_padded_image_are_those_of_what_is_there():
    block, rng = SEBlock(4, 2, dtype=np.float64), np.random.default_rng(0)
    x, mask = padded(rng.standard_normal((3, 4, 2, 5)), widths := [5, 2, 3])
    s, _ = block.gates(x, mask=mask)
    for n, W in enumerate(widths):
        assert_close(s[n : n + 1], block.gates(x[n : n + 1, :, :, :W])[0])
    y, _ = block.forward(np.nan_to_num(x, nan=7.0), mask=mask)  # padding is scaled all the same
    assert_close(y, np.nan_to_num(x, nan=7.0) * s[:, :, None, None])


def test_the_gradients_of_a_masked_block_are_right():
    class Masked(Layer):
        def __init__(self):
            self.se = SEBlock(4, hidden=8, dtype=np.float64)

        def forward(self, x, training=True):
            return self.se.forward(x, training, mask)

    x = np.random.default_rng(0).standard_normal((3, 4, 2, 5))
    _, mask = padded(x, [5, 2, 3])
    assert_gradients(Masked(), x)


@pytest.mark.parametrize("squeeze", ["max", "avg+max"])
def test_a_mask_is_for_the_mean_alone(squeeze):
    x = np.ones((1, 4, 2, 2), np.float32)
    with pytest.raises(InputError, match='a mask is for squeeze="avg"'):
        SEBlock(4, 2, squeeze=squeeze).forward(x, mask=np.ones((1, 2, 2), bool))


def test_the_squeeze_takes_maps_of_any_size():
    block = SEBlock(4, 2, squeeze="max")
    for H, W in [(1, 1), (7, 3), (128, 128)]:
        assert block(np.ones((2, 4, H, W), np.float32)).shape == (2, 4, H, W)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"squeeze": "mean"}, "unknown squeeze 'mean': there are avg, max, avg.max"),
        ({"gate": "sigmod"}, "unknown gate 'sigmod': did you mean 'sigmoid'?"),
        ({"rounding": "ceil"}, "unknown rounding 'ceil': .*here are floor, .*, fastai"),
        ({"reduction": 16}, "a reduction of 16 leaves no hidden unit for 8 channels"),
        ({"reduction": 0}, "reduction 0, expected a number above 0"),
        ({"reduction": "4"}, "reduction '4', expected a number above 0"),
        ({"reduction": np.nan}, "reduction nan, expected a number above 0"),
        ({"hidden": 0}, "hidden 0, expected a whole number of at least 1"),
        ({"hidden": 2.5}, "hidden 2.5, expected a whole number of at least 1"),
        ({"hidden": 2.0}, "hidden 2.0, expected a whole number of at least 1"),
        ({"hidden": "3"}, "hidden '3', expected a whole number of at least 1"),
        ({"hidden": True}, "hidden True, expected a whole number of at least 1"),
        ({"reduced_from": 0}, "reduced_from 0, expected a whole number of at least 1"),
        ({"reduced_from": -4}, "reduced_from -4, expected a whole number of at least 1"),
        (
            {"reduced_from": 12, "reduction": 16},
            "a reduction of 16 leaves no hidden unit for 12 channels",
        ),
        ({"activation": "swish"}, "activation 'swish' is called 'silu'"),
        ({"norm": "behind"}, "unknown norm 'behind': there are none, before, after"),
    ],
)
def test_unknown_options_are_one_clear_error(options, message):
    with pytest.raises(InputError, match=message):
        SEBlock(8, **{"reduction": 2} | options)
