from functools import partial

import numpy as np
import pytest
from laws import assert_share

from minise import InputError, backend, nn, ops

NORMS = [nn.BatchNorm2d, nn.BatchNormReLU2d]


@pytest.fixture
def x():
    return np.random.default_rng(0).standard_normal((4, 2, 3, 5)) * 3 + 1


@pytest.mark.usefixtures("each_backend")
@pytest.mark.parametrize("kind", NORMS)
@pytest.mark.parametrize(("options", "momentum"), [({}, 0.1), ({"momentum": 0.25}, 0.25)])
def test_running_averages_move_by_momentum_towards_the_unbiased_variance(
    x, kind, options, momentum
):
    layer, kept = kind(2, **options, dtype=np.float64), 1 - momentum
    for _ in range(2):
        layer.forward(backend.asarray(x))
    mean, var = x.mean(axis=(0, 2, 3)), x.var(axis=(0, 2, 3), ddof=1)
    averages = (backend.asnumpy(a.value) for a in (layer.running_mean, layer.running_var))
    # they begin at 0 and 1
    for average, expected in zip(averages, (0, kept**2), strict=True):
        of_batches = (1 - kept**2) * (var if expected else mean)
        np.testing.assert_allclose(average, expected + of_batches)


@pytest.mark.usefixtures("each_backend")
@pytest.mark.parametrize("kind", NORMS)
@pytest.mark.parametrize(("options", "eps"), [({}, 1e-5), ({"eps": 0.5}, 0.5)])
def test_a_norm_takes_the_statistics_of_the_batch_and_in_evaluation_its_averages(
    x, kind, options, eps
):
    layer = kind(2, **options, dtype=np.float64)
    numbers = {"weight": [2, -3], "bias": [0.5, 0.25], "running_mean": [1, -2]}
    layer.load_state_dict(
        {name: np.array(v, float) for name, v in (numbers | {"running_var": [0.04, 9]}).items()}
    )
    small = x * 0.01  # so that eps counts

    def by_hand(mean, var):
        columns = (np.reshape(v, (2, 1, 1)) for v in (mean, var, [2, -3], [0.5, 0.25]))
        m, v, w, b = columns
        y = w * (small - m) / np.sqrt(v + eps) + b
        return np.maximum(y, 0) if kind is nn.BatchNormReLU2d else y

    evaluated = layer(backend.asarray(small))
    np.testing.assert_allclose(backend.asnumpy(evaluated), by_hand([1, -2], [0.04, 9]))
    in_training, _ = layer.forward(backend.asarray(small))
    of_batch = by_hand(small.mean(axis=(0, 2, 3)), small.var(axis=(0, 2, 3)))
    np.testing.assert_allclose(backend.asnumpy(in_training), of_batch)


def test_a_convolution_hands_on_all_options_to_its_operation():
    x = np.random.default_rng(0).standard_normal((2, 4, 7, 8))
    layer = nn.Conv2d(4, 6, (3, 2), (1, 2), (2, 1), (2, 3), 2, dtype=np.float64)
    layer.bias.value[...] = np.arange(6)
    options = {"stride": (1, 2), "padding": (2, 1), "dilation": (2, 3), "groups": 2}
    expected, _ = ops.conv2d(x, layer.weight.value, layer.bias.value, **options)
    np.testing.assert_array_equal(layer(x), expected)
    assert nn.Conv2d(4, 6, 3, bias=False).bias is None


@pytest.mark.parametrize(
    ("kind", "operation", "options"),
    [
        (nn.MaxPool2d, ops.max_pool2d, {"ceil_mode": True}),
        (nn.AvgPool2d, ops.avg_pool2d, {"ceil_mode": True}),
        (nn.AvgPool2d, ops.avg_pool2d, {"ceil_mode": True, "count_include_pad": False}),
    ],
)
def test_a_pooling_hands_on_all_options_to_its_operation(x, kind, operation, options):
    window = (3, 2), (2, 2), (1, 0)
    expected, _ = operation(x, *window, **options)
    assert expected.shape == (4, 2, 2, 3)  # of 3×5; without `ceil_mode` two columns
    np.testing.assert_array_equal(kind(*window, **options)(x), expected)
    # by default the windows lie side by side, without padding
    np.testing.assert_array_equal(kind(2)(x), operation(x, 2, 2, 0)[0])


class AllOnes:
    """In place of a generator: every weight is its own standard deviation."""

    def standard_normal(self, shape):
        return np.ones(shape)


@pytest.mark.parametrize(
    ("make", "variances"),
    [
        (partial(nn.Conv2d, 4, 6, (3, 2)), {"weight": 2 / (4 * 6)}),
        (partial(nn.Conv2d, 4, 6, 3, groups=2), {"weight": 2 / (2 * 9)}),
        (partial(nn.Linear, 8, 3), {"weight": 1 / 8}),
        (partial(nn.SEBlock, 8, 2), {"fc1.weight": 2 / 8, "fc2.weight": 1 / 4}),
        (partial(nn.NoSqueeze, 8, 2), {"fc1.weight": 2 / 8, "fc2.weight": 1 / 4}),
        (partial(nn.SpatialSE, 8), {"conv.weight": 1 / 8}),
        (partial(nn.ECA, 8, 5), {"conv.weight": 1 / 5}),
        (
            partial(nn.ConcurrentSE, 8, 2),
            {
                "channel.fc1.weight": 2 / 8,
                "channel.fc2.weight": 1 / 4,
                "spatial.conv.weight": 1 / 8,
            },
        ),
    ],
)
def test_weights_begin_with_2_over_their_inputs_before_a_relu_and_else_with_1(make, variances):
    state = make(rng=AllOnes(), dtype=np.float64).state_dict()
    assert {name: value.max() ** 2 for name, value in state.items() if value.any()} == (
        pytest.approx(variances)
    )


def test_dropout_keeps_the_mean_and_lets_evaluation_alone():
    layer = nn.Dropout(0.25, rng=np.random.default_rng(0))
    x = np.ones((100, 100), np.float32)
    y, backward = layer.forward(x)
    assert y.dtype == np.float32
    assert set(np.unique(y)) == {0, np.float32(1 / 0.75)}
    kept = y > 0
    assert_share(kept.sum(), kept.size, 0.75)
    assert_share((kept[::2] & kept[1::2]).sum(), kept.size // 2, 0.75**2)  # of two images
    assert_share((kept[:, ::2] & kept[:, 1::2]).sum(), kept.size // 2, 0.75**2)
    np.testing.assert_array_equal(backward(x), y)
    assert not np.array_equal(layer.forward(x)[0], y)
    np.testing.assert_array_equal(layer(x), x)
    with pytest.raises(ValueError, match=r"p is 1\.0"):
        nn.Dropout(1.0, rng=np.random.default_rng(0))


def test_drop_path_drops_whole_images_and_keeps_the_mean():
    layer = nn.DropPath(0.2, rng=np.random.default_rng(0))
    x = np.ones((5000, 2, 1, 3), np.float32)
    y, backward = layer.forward(x)
    assert y.dtype == np.float32
    kept = y[:, 0, 0, 0] > 0
    np.testing.assert_array_equal(
        y, np.where(kept[:, None, None, None], np.float32(1 / 0.8), 0) * x
    )
    assert_share(kept.sum(), kept.size, 0.8)
    assert_share((kept[::2] & kept[1::2]).sum(), kept.size // 2, 0.8**2)  # of two images
    dx = backward(3 * x)
    assert dx.dtype == np.float32
    np.testing.assert_array_equal(dx, 3 * y)
    assert not np.array_equal(layer.forward(x)[0], y)
    np.testing.assert_array_equal(layer(x), x)
    np.testing.assert_array_equal(nn.DropPath(0, rng=layer.rng).forward(x)[0], x)
    with pytest.raises(ValueError, match=r"^DropPath: p is 1, expected 0 <= p < 1"):
        nn.DropPath(1, rng=np.random.default_rng(0))


def test_drop_path_keeps_the_order_in_memory():
    x = np.moveaxis(np.ones((3, 4, 5, 8), np.float32), -1, 0)  # batch last
    y, backward = nn.DropPath(0.5, rng=np.random.default_rng(0)).forward(x)
    assert y.strides == backward(x).strides == x.strides


def test_flattening_batch_last_memory_is_a_view():
    x = np.moveaxis(np.zeros((3, 4, 5, 2)), -1, 0)
    y, backward = nn.Flatten().forward(x)
    assert y.shape == (2, 60)
    assert np.shares_memory(x, y)
    assert backward(y).shape == x.shape
    assert nn.Flatten()(x[:0]).shape == (0, 60)


def test_wrong_options_are_refused():
    with pytest.raises(ValueError, match="3 groups must divide in_channels 4"):
        nn.Conv2d(4, 6, 3, groups=3)
    with pytest.raises(ValueError, match="padding is -1"):
        nn.Conv2d(4, 6, 3, padding=-1)
    with pytest.raises(ValueError, match="more than half"):
        nn.MaxPool2d(2, padding=2)


SWITCHES = [
    *((partial(kind, 4, 2), option)
      for kind in (nn.SEBlock, nn.NoSqueeze, nn.ConcurrentSE) for option in ("bias", "residual")),
    *((make, "bias")
      for make in (partial(nn.Linear, 4, 3), partial(nn.Conv2d, 4, 3, 1), partial(nn.SpatialSE, 4),
                   partial(nn.EffectiveSE, 4))),
]  # fmt: skip


@pytest.mark.parametrize(("make", "option"), SWITCHES)
def test_a_switch_is_true_or_false_and_no_word_counts_as_true(make, option):
    for wrong in ("no", "False", 1, 0, None, np.random.default_rng(0)):
        with pytest.raises(InputError, match=rf"^\w+: {option} .*, expected True or False$"):
            make(**{option: wrong})
    for value in (False, np.False_):
        assert str(make(**{option: value})) == str(make(**{option: False}))
