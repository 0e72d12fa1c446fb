import numpy as np
import pytest
from closeness import assert_close
from hypothesis import given
from hypothesis import strategies as st
from rows import ROWS
from strategies import DTYPES, arrays_like, arrays_NCHW, normal_arrays

from minise import InputError, SEBlock, backend
from minise.nn import PRESETS, NoSqueeze
from minise.nn.se import GATES, SQUEEZES

OPTIONS = st.fixed_dictionaries(
    {
        "squeeze": st.sampled_from(list(SQUEEZES)),
        "gate": st.sampled_from(list(GATES)),
        "hidden": st.integers(1, 4),
    }
)


@st.composite
def blocks(draw, channels, dtype=np.float64, options=OPTIONS):
    """An SE block none of whose weights is 0."""
    block = SEBlock(channels, dtype=dtype, **draw(options))
    for parameter in block.parameters():
        parameter.value = backend.asarray(draw(normal_arrays(parameter.value.shape, dtype)))
    return block


def se_block(x, w1, b1, w2, b2, *, squeeze, gate):
    """Squeeze, excitation, scale (Hu et al., section 3), step by step."""
    naive = {name: row.naive for name, row in ROWS.items()}
    average, largest = naive["global_avg_pool"](x), naive["global_max_pool"](x)
    z = {"avg": average, "max": largest, "avg+max": (average + largest) / 2}[squeeze]
    s = naive[gate](naive["linear"](naive["relu"](naive["linear"](z, w1, b1)), w2, b2))
    return naive["channel_scale"](x, s)


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
    ],
)
def test_the_hidden_width_is_rounded_as_asked(channels, options, hidden):
    assert SEBlock(channels, **options).fc1.weight.value.shape == (hidden, channels)


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("paper", 2 * 64 * 4),
        ("caffe", 2 * 64 * 4 + 4 + 64),
        ("timm", 2 * 64 * 8 + 8 + 64),
        ("torchvision", 2 * 64 * 16 + 16 + 64),
        ("seed", 2_773),
    ],
)
def test_a_preset_has_the_parameters_of_its_source(name, parameters):
    block = SEBlock(64, **PRESETS[name].options)
    assert sum(p.value.size for p in block.parameters()) == parameters


def test_every_preset_names_its_source():
    assert all(preset.source for preset in PRESETS.values())


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


def test_the_squeeze_takes_maps_of_any_size():
    block = SEBlock(4, 2, squeeze="max")
    for H, W in [(1, 1), (7, 3), (128, 128)]:
        assert block(np.ones((2, 4, H, W), np.float32)).shape == (2, 4, H, W)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"squeeze": "mean"}, "unknown squeeze 'mean': there are avg, max, avg.max"),
        ({"gate": "sigmod"}, "unknown gate 'sigmod': did you mean 'sigmoid'?"),
        ({"rounding": "ceil"}, "unknown rounding 'ceil'"),
        ({"reduction": 16}, "a reduction of 16 leaves no hidden unit for 8 channels"),
        ({"reduction": 0}, "reduction 0: must be above 0"),
        ({"hidden": 0}, "hidden 0, expected at least 1"),
    ],
)
def test_unknown_options_are_one_clear_error(options, message):
    with pytest.raises(InputError, match=message):
        SEBlock(8, **options)
