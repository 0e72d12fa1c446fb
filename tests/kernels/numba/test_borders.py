"""Each choice of a form, at its border, from both sides: the form, the result, and its memory.

Everything here is float64, for which `test_agreement` has compiled the same kernels.
"""

import itertools

import numpy as np
import pytest
import rows
from closeness import assert_close
from kernels.agreement import assert_agrees, between_fences, memory_is_fenced
from rows import ROWS
from rows.row import Call

from minise import backend, ops
from minise.kernels.numba import (
    activation,
    conv,
    conv_weights,
    layout,
    linear,
    memory,
    norm,
    pointwise,
    tiles,
    winograd,
)
from minise.kernels.numba.lanes import LANES


def normal(*shapes):
    rng = np.random.default_rng(0)
    return [rng.standard_normal(shape) for shape in shapes]


def conv_agrees(N, C, F, size, kernel=(3, 3), **options):
    """A convolution with a bias, forward and backward."""
    of_group = C // options.get("groups", 1)
    call = Call(*normal((N, C, *size), (F, of_group, *kernel), (F,)), **options)
    assert_agrees(ROWS["conv2d"], call)


@pytest.fixture
def forms(monkeypatch):
    """Which functions of `conv` were called, in turn."""
    called = []
    watch(monkeypatch, called, winograd, "conv3x3")
    watch(monkeypatch, called, conv, "sum_of_stretches")
    watch(monkeypatch, called, conv, "dots_of_stretches")
    watch(monkeypatch, called, conv.planes, "conv2d")
    watch(monkeypatch, called, conv.planes, "conv2d_backward")
    watch(monkeypatch, called, conv.planes, "depthwise")
    watch(monkeypatch, called, conv.pointwise, "conv1x1")
    return called


def watch(monkeypatch, called, module, name):
    function = getattr(module, name)

    def watched(*arguments, **options):
        called.append(name)
        return function(*arguments, **options)

    monkeypatch.setattr(module, name, watched)


PLANES = ["conv2d", "conv2d_backward"]
STRETCHES = ["sum_of_stretches", "sum_of_stretches", "dots_of_stretches"]
WINOGRAD = ["conv3x3", "conv3x3", "dots_of_stretches"]


@pytest.mark.parametrize(
    ("N", "form"), [(0, PLANES), (LANES - 1, PLANES), (LANES, STRETCHES), (LANES + 1, STRETCHES)]
)
def test_from_a_register_full_of_images_on_they_are_the_lanes(forms, N, form):
    """At the left and right of an image a stretch is no longer than the batch."""
    conv_agrees(N, 2, 5, (4, 5), padding=1)
    assert forms in (form, 2 * form)  # the first time only to be compiled


def test_a_channel_by_itself_has_planes_of_its_own(forms):
    conv_agrees(1, layout.TASKS, layout.TASKS, (4, 5), padding=1, groups=layout.TASKS)
    assert forms[:2] == ["depthwise", "conv2d_backward"]


@pytest.mark.parametrize(
    ("change", "is_product"),
    [
        ({}, True),
        ({"N": 1, "size": (1, LANES)}, True),
        ({"N": 1, "size": (1, LANES - 1)}, False),
        ({"C": tiles.ROWS - 1}, False),
        ({"F": tiles.ROWS - 1}, False),
        ({"stride": (1, 2)}, False),
        ({"padding": (1, 0)}, False),
        ({"kernel": (1, 2)}, False),
        ({"C": 2 * tiles.ROWS, "F": 2 * tiles.ROWS, "groups": 2}, False),
    ],
)
def test_a_convolution_of_points_is_a_product_of_matrices(forms, change, is_product):
    usual = {"N": LANES, "C": tiles.ROWS, "F": tiles.ROWS, "size": (2, 3), "kernel": (1, 1)}
    conv_agrees(**usual | change)
    assert ("conv1x1" in forms) == is_product
    if not change:
        assert forms[:3] == ["conv1x1", "conv1x1", "dots_of_stretches"]  # y, dx, dw


@pytest.mark.parametrize("panel", [1, 2**15])  # numbers: as narrow as it can be; all at once
def test_panels_and_filters_that_do_not_come_out_even(monkeypatch, panel):
    monkeypatch.setattr(pointwise, "PANEL", panel)
    wide = tiles.COLUMNS * LANES
    for pixels in (LANES, LANES + 1, wide - 1, wide, wide + 1, wide + LANES + 1, 2 * wide + 3):
        for C, F in [(tiles.ROWS, tiles.ROWS + 1), (2 * tiles.ROWS + 3, 3 * tiles.ROWS)]:
            conv_agrees(1, C, F, (1, pixels), (1, 1))


# y (6, 8), dx (4, 8): each more than half of 4×4 patches
SUITS = {"C": 2, "F": 3, "size": (4, 8), "kernel": (3, 3), "padding": (2, 1)}


@pytest.mark.parametrize(
    ("change", "form"),
    [
        ({}, WINOGRAD),
        ({"padding": (2, 2)}, WINOGRAD),
        ({"padding": (3, 2)}, STRETCHES),
        ({"padding": (2, 3)}, STRETCHES),
        ({"stride": (1, 2)}, STRETCHES),
        ({"stride": (2, 1)}, STRETCHES),
        ({"dilation": (1, 2)}, STRETCHES),
        ({"dilation": (2, 1)}, STRETCHES),
        ({"kernel": (3, 2)}, STRETCHES),
        ({"kernel": (2, 3)}, STRETCHES),
        ({"F": 4, "groups": 2}, STRETCHES),
        ({"N": LANES - 1}, PLANES),
        ({"N": LANES + 1}, WINOGRAD),
    ],
)
def test_fewer_multiplications_where_they_can_be_had(forms, monkeypatch, change, form):
    monkeypatch.setattr(winograd, "ENOUGH", 2)
    conv_agrees(**{"N": LANES} | SUITS | change)
    assert forms in (form, 2 * form)


def test_fewer_multiplications_from_some_channels_and_filters_on(forms):
    enough = winograd.ENOUGH
    for C, F, form in [
        (enough, enough, WINOGRAD),
        (enough - 1, enough, STRETCHES),
        (enough, enough - 1, STRETCHES),
    ]:
        forms.clear()
        conv_agrees(LANES, C, F, (4, 4), padding=1)
        assert forms in (form, 2 * form)


def test_fewer_multiplications_where_patches_are_half_full(forms, monkeypatch):
    """Each way by its own result: y of the forward pass, dx of the backward pass."""
    monkeypatch.setattr(winograd, "ENOUGH", 2)
    neither, both = STRETCHES, WINOGRAD
    for size, padding, form in [
        ((4, 2), 1, both),
        ((4, 1), 1, neither),
        ((3, 3), 1, both),
        ((5, 5), 1, neither),
        ((7, 7), 1, both),
        ((4, 4), 0, ["sum_of_stretches", "conv3x3", "dots_of_stretches"]),
        ((5, 5), 2, ["conv3x3", "sum_of_stretches", "dots_of_stretches"]),
    ]:
        forms.clear()
        conv_agrees(LANES, 2, 3, size, padding=padding)
        assert forms in (form, 2 * form), size


AROUND = sorted({k * LANES + d for k in (1, 2, 3, 4, 6, 7) for d in (-1, 0, 1)} - {LANES - 1})


@pytest.mark.parametrize("F", [1, 3, 4, 5, 8, 9, 12, 13])
def test_stretches_of_any_length(F):
    """Three lanes of several filters, four of one, and what is left over."""
    for N in AROUND:
        conv_agrees(N, 2, F, (1, 1), (1, 1))
        conv_agrees(N, 1, F, (1, 3), (1, 1), stride=2)  # in pieces


@pytest.mark.parametrize("F", [1, 4, 5, 15, 16, 17, 33])
def test_blocks_of_any_number_of_filters_and_channels(F):
    for C in (1, 2, 3, 7, 8, 9, 17):
        conv_agrees(LANES, C, F, (1, 2), (1, 1))
    for height in range(1, layout.TASKS + 2):
        conv_agrees(LANES, 2, F, (height, 1), (1, 1))


def test_groups_of_any_number_of_filters():
    for of_group, height in itertools.product((1, 4, 5, 9), (1, 2, 4)):
        conv_agrees(LANES, 3, 3 * of_group, (height, 1), (1, 1), groups=3)


def test_rows_are_cut_into_stretches_for_the_gradient_of_the_weights():
    whole = conv_weights.STRETCH // LANES
    for N, W in [(LANES, whole - 1), (LANES, whole), (LANES, whole + 1), (LANES + 1, whole)]:
        conv_agrees(N, 1, 4, (1, W), (1, 1))
    for N in (conv_weights.STRETCH - 1, conv_weights.STRETCH + 1):
        conv_agrees(N, 1, 5, (1, 2), (1, 1), stride=2)


@pytest.mark.parametrize("N", [LANES, LANES + 1, 2 * LANES - 1, 2 * LANES])
def test_patches_of_four_by_four_for_any_size(N, monkeypatch):
    """They fill the columns of their tiles of sums or do not, and so do the filters the rows."""
    monkeypatch.setattr(winograd, "suits", lambda *_: True)
    for H, W in [(1, 1), (1, 2), (3, 4), (4, 3), (4, 4), (5, 4), (2, 11), (1, 14), (8, 9)]:
        conv_agrees(N, 2, 5, (H, W), padding=1)
    for F, padding in [(2, 0), (tiles.ROWS - 1, 2), (tiles.ROWS, (0, 2)), (tiles.ROWS + 1, (2, 0))]:
        conv_agrees(N, 3, F, (3, 4), padding=padding)


@pytest.mark.parametrize("patches", range(1, 2 * tiles.COLUMNS + 2))
def test_as_many_patches_as_a_tile_has_columns_and_other_numbers(monkeypatch, patches):
    monkeypatch.setattr(winograd, "suits", lambda *_: True)
    conv_agrees(LANES, 2, 3, (4, 4 * patches), padding=1)


def test_planes_shorter_and_longer_than_a_register():
    for N, OH, OW in [(1, 1, LANES - 1), (1, 1, LANES), (1, 1, LANES + 1), (LANES - 1, 1, 1)]:
        conv_agrees(N, 2, 5, (OH, OW), (1, 1))
    for N, stride, padding in itertools.product((1, 2, LANES - 1), (1, 2, 3), (0, 1)):
        conv_agrees(N, 2, 5, (5, 6), (3, 2), stride=stride, padding=padding)
        conv_agrees(N, 2, 4, (5, 6), (2, 1), stride=stride, padding=padding, dilation=2)


def test_rows_of_batch_norm_at_the_ends_of_its_sums():
    """Sums in lanes, which are taken together after each STRETCH."""
    assert norm.STRETCH % norm.PASS == 0
    for whole in (LANES, norm.PASS, norm.STRETCH, 2 * norm.STRETCH):
        for length in (whole - 1, whole, whole + 1):
            norm_agrees((1, 2, 2, length))
    for shape in [(2, 1, 1, 1), (3, 3, 1, 1), (1, 2, 2, 1), (LANES, 2, 1, 3)]:
        norm_agrees(shape)


@pytest.mark.parametrize("value", [1000.3, 1e30])
def test_a_map_of_one_number_has_no_variance(value):
    """Its sum is rounded, and the mean would be off by more than √eps."""
    x, b = np.full((LANES, 2, 12, 28), value, np.float32), np.array([1, 2], np.float32)
    y, saved = ops.batch_norm(x, np.ones(2, np.float32), b)
    assert saved.var.tolist() == [0, 0]
    np.testing.assert_array_equal(y, np.broadcast_to(b[:, None, None], x.shape))


@pytest.mark.parametrize("height", [1, 2, 3, 7, 8, 9])
def test_channels_are_divided_where_rows_are_few(height):
    assert layout.parts(height) == {1: 8, 2: 4, 3: 3, 7: 2, 8: 1, 9: 1}[height]
    for C in (1, 2, 3, 8, 9):
        x, r = normal((2, C, height, 2), (2, C, height, 2))
        (s,) = normal((2, C))
        for N in (1, 2):  # one image: along its rows
            assert_agrees(ROWS["channel_scale"], Call(x[:N], s[:N]))
            se_agrees(x[:N], r[:N], s[:N])
            assert_agrees(ROWS["scale_add_relu"], Call(x[:N], s[:N], r[:N]))
            assert_agrees(ROWS["global_avg_pool"], Call(x[:N]))
            assert_agrees(ROWS["relu"], Call(x[:N]))
            norm_agrees(x[:N].shape)
        assert_agrees(ROWS["add"], Call(x, r))
        assert_agrees(ROWS["global_max_pool"], Call(x))


def se_agrees(x, dy, s):
    """The two passes back through an SE block, as the specification takes them."""

    def gradients():
        ds = ops.gates_gradient(dy, ops.channel_scale(x, s)[1])
        _, saved = ops.global_avg_pool(x)
        return ds, ops.global_avg_pool_backward(ds, saved, add_to=dy, scaled_by=s)

    x, dy, s = (between_fences(array, len(x)) for array in (x, dy, s))
    with backend.using("numpy"):
        expected = gradients()
    gradients()  # compiled
    with memory_is_fenced():
        found = gradients()
    for got, right in zip(found, expected, strict=True):
        assert_close(got, right)


def norm_agrees(shape):
    x, w, b = normal(shape, shape[1:2], shape[1:2])
    statistics = (b, w**2 + 0.1)
    for name in ("batch_norm", "batch_norm_relu"):
        assert_agrees(ROWS[name], Call(x, w, b))
        assert_agrees(ROWS[name], Call(x, w, b, statistics=statistics))


@pytest.mark.parametrize("row", rows.activation.ROWS, ids=lambda row: row.operation)
def test_activations_at_the_ends_of_their_stretches(row):
    stretch, options = activation.STRETCH, row.sizes["rows"].options
    for shape in [(0,), (0, 3, 2, 2), (2, 0), (1,), (3, 2), (2, 3, 4), (2, 3, 1, 5)]:
        assert_agrees(row, Call(*normal(shape), **options))
    for size in (stretch - 1, stretch, stretch + 1, 2 * stretch, 2 * stretch + 1):
        assert_agrees(row, Call(*normal((size,)), **options))


@pytest.mark.parametrize(
    ("N", "outputs", "inputs", "by_numpy"),
    [
        (128, 64, 128, True),  # 2²⁰ products, 2¹³ weights
        (129, 64, 128, False),
        (16, 64, 128, True),  # 2¹⁷ products, so one piece
        (17, 64, 128, True),
        (128, 1, 100, True),
        (65, 100, 3, True),
        (2, 64, 128, True),
        (2, 1, 2**13 + 1, False),
        (2**19, 1, 2, True),
        (2**19 + 1, 1, 2, False),
    ],
)
def test_linear_maps_of_few_products_are_numpys(monkeypatch, N, outputs, inputs, by_numpy):
    called = []
    watch(monkeypatch, called, linear, "conv2d")
    watch(monkeypatch, called, linear, "conv2d_backward")
    assert_agrees(ROWS["linear"], Call(*normal((N, inputs), (outputs, inputs), (outputs,))))
    form = [] if by_numpy else ["conv2d", "conv2d_backward"]
    assert called in (form, 2 * form)


@pytest.mark.parametrize("operation", ["linear", "global_avg_pool"])
def test_a_row_and_a_map_of_any_length_are_added_by_lanes(operation):
    for length in (1, *AROUND):
        arrays = [(1, 2, 1, length)]
        if operation == "linear":
            arrays = [(1, length), (3, length), (3,)]
        assert_agrees(ROWS[operation], Call(*normal(*arrays)))


def test_many_weights_of_one_row_are_shared_out(monkeypatch):
    for outputs, inputs in [(3, 5), (5, 3), (1, 15), (4, 4), (1, 16)]:
        for many in (15, 16, 1):
            monkeypatch.setattr(linear, "MANY", many)
            assert linear._shares(np.empty((outputs, inputs))) == 1 + outputs * inputs // many
            assert_agrees(ROWS["linear"], Call(*normal((1, inputs), (outputs, inputs), (outputs,))))


def test_windows_of_any_size_stride_and_padding():
    """Those that overlap, touch, leave gaps, or begin in the padding."""
    for kernel, stride, H in itertools.product((1, 2, 3), (1, 2, 3), (3, 4, 5)):
        for padding, ceil_mode in itertools.product(range(kernel // 2 + 1), (False, True)):
            options = {"stride": stride, "padding": padding, "ceil_mode": ceil_mode}
            (x,) = normal((2, 1, H, 3))
            for name in ("max_pool2d", "avg_pool2d"):
                assert_agrees(ROWS[name], Call(x, kernel_size=kernel, **options))
                assert_agrees(ROWS[name], Call(x[:1], kernel_size=kernel, **options))


def test_memory_is_used_again_from_some_size_on():
    memory.release()
    for size, leased in [(memory.SMALL - 1, 0), (memory.SMALL, 1)]:
        before = len(memory.pool.leases)
        array = memory.empty((size,), np.uint8)
        assert len(memory.pool.leases) - before == leased
        del array


def test_what_lies_batch_last_is_not_copied():
    x = between_fences(*normal((3, 2, 2, 2)), 3)
    assert np.shares_memory(layout.batch_last(x), x)
    x.flags.writeable = False
    for other in (x, np.ascontiguousarray(x)):
        copied = layout.batch_last(other)
        assert copied.flags.carray
        assert not np.shares_memory(copied, other)
        np.testing.assert_array_equal(layout.batch_first(copied), x)


@pytest.mark.parametrize("row", rows.activation.ROWS, ids=lambda row: row.operation)
def test_activations_of_arrays_with_many_axes(row):
    for axes in (5, 6, 9):
        assert_agrees(row, Call(*normal((2,) * axes), **row.sizes["rows"].options))


def test_other_kinds_of_arrays_have_rules_of_their_own():
    """NumPy computes them."""
    with backend.using("numba") as numba:
        for x in (np.ma.array([1.0]), None):
            assert numba.find("activation.relu", x) is None
        assert numba.find("activation.relu", np.ones(1)) is not None
        y, _ = ops.relu(np.ma.array([1.0, -1.0], mask=[True, False]))
        assert y.mask.tolist() == [True, False]
