"""Every layer and block with drawn options and sizes, against PyTorch's with the same weights."""

from functools import partial

import closeness
import numpy as np
import pytest
from closeness import assert_close
from hypothesis import given
from hypothesis import strategies as st
from rows import OF_LAYERS
from strategies import BATCHES, DTYPES, arrays_like, normal_arrays, shapes_NCHW

from minise import backend, nn
from minise.nn.se import GATES, NORMS, SQUEEZES

PAIRS = st.tuples(st.integers(1, 3), st.integers(1, 3))
FEW = st.integers(1, 3)


@st.composite
def convolutions(draw):
    groups = draw(FEW)
    of_group, filters, size = draw(FEW), groups * draw(FEW), draw(PAIRS)
    options = {"stride": draw(PAIRS), "padding": draw(PAIRS), "dilation": draw(PAIRS)}
    shape = (draw(BATCHES), groups * of_group, draw(st.integers(5, 7)), draw(st.integers(5, 7)))
    options |= {"groups": groups, "bias": draw(st.booleans())}
    return shape, (groups * of_group, filters, size), options


def as_its_operation(row):
    """A layer without parameters has the options of its operation."""
    return DTYPES.flatmap(lambda dtype: row.draw(dtype, BATCHES)).map(
        lambda call: (call.arrays[0].shape, (), call.options)
    )


@st.composite
def linears(draw):
    features, outputs = draw(st.integers(1, 6)), draw(st.integers(1, 6))
    return (draw(BATCHES), features), (features, outputs), {"bias": draw(st.booleans())}


@st.composite
def norms(draw):
    shape = draw(shapes_NCHW(N=st.integers(4, 19)))
    options = {"eps": draw(st.sampled_from([1e-5, 0.1])), "momentum": draw(st.floats(0, 1))}
    return shape, (shape[1],), options


@st.composite
def rows_of_norms(draw):
    """Such as stand between the maps of an SE block."""
    _, arguments, options = draw(norms())
    return (draw(st.integers(4, 19)), *arguments), arguments, options


@st.composite
def se_blocks(draw):
    """Where batch norm is between the maps, of several images, as it is of rows of them."""
    norm = draw(st.sampled_from(NORMS))
    shape = draw(shapes_NCHW(N=BATCHES if norm == "none" else st.integers(4, 19), most_channels=6))
    options = {
        "squeeze": draw(st.sampled_from(list(SQUEEZES))),
        "activation": draw(st.sampled_from(list(nn.ACTIVATIONS))),
        "norm": norm,
        "gate": draw(st.sampled_from(list(GATES))),
        "bias": draw(st.booleans()),
        "residual": draw(st.booleans()),
        "hidden": draw(st.integers(1, 6)),
    }
    return shape, (shape[1],), options


@st.composite
def effective_se(draw):
    shape = draw(shapes_NCHW(most_channels=6))
    options = {"gate": draw(st.sampled_from(list(GATES))), "bias": draw(st.booleans())}
    return shape, (shape[1],), options


@st.composite
def relatives(draw, *options):
    """Of channels and a reduction; `options` are drawn."""
    shape = draw(shapes_NCHW(most_channels=6))
    drawn = {name: draw(values) for name, values in options}
    return shape, (shape[1], draw(st.integers(1, shape[1]))), drawn


@st.composite
def residuals(draw, bottleneck=False):
    sizes = draw(st.integers(2, 6)), draw(st.integers(2, 6))
    shape = (draw(st.integers(2, 3) | st.just(17)), 2 * draw(FEW), *sizes)
    options = {"placement": draw(st.sampled_from([None, *nn.PLACEMENTS]))}
    if bottleneck:
        options |= {
            "width": 2 * draw(FEW),
            "first_width": 2 * draw(FEW),
            "groups": draw(st.integers(1, 2)),
            "stride_first": draw(st.booleans()),
            "shortcut_kernel": draw(st.sampled_from([1, 3])),
        }
    return shape, (shape[1], 2 * draw(FEW), draw(st.integers(1, 2))), options


@st.composite
def inceptions(draw):
    sizes = draw(st.integers(3, 6)), draw(st.integers(3, 6))
    shape = (draw(st.integers(2, 3) | st.just(17)), draw(FEW), *sizes)
    stride = draw(st.integers(1, 2))
    ones, pooled = (draw(st.integers(0, 3)) if stride == 1 else 0 for _ in range(2))
    options = {
        "stride": stride,
        "factored": draw(st.booleans()),
        "pool": draw(st.sampled_from(["avg", "max"])),
        "se": draw(st.booleans()),
    }
    threes, fives = (draw(FEW), draw(FEW)), (draw(FEW), draw(FEW))
    return shape, (shape[1], ones, threes, fives, pooled), options


@st.composite
def inverted(draw):
    sizes = draw(st.integers(2, 6)), draw(st.integers(2, 6))
    shape = (draw(st.integers(2, 3) | st.just(17)), draw(FEW), *sizes)
    options = {
        "width": draw(st.integers(2, 6)),
        "kernel_size": draw(st.sampled_from([1, 3, 5])),
        "activation": draw(st.sampled_from(["relu", "silu", "hard_swish", "tanh"])),
        "eps": draw(st.sampled_from([1e-5, 0.1])),
        "momentum": draw(st.floats(0, 1)),
        "se": draw(st.booleans()),
    }
    return shape, (shape[1], draw(FEW), draw(st.integers(1, 2))), options


def without_options(*shapes):
    return st.one_of(shapes).map(lambda shape: (shape, (), {}))


ANY_SHAPE = without_options(shapes_NCHW(), st.tuples(BATCHES, FEW))
IMAGES = without_options(shapes_NCHW())
# for each layer: its input's shape, its arguments and its options
DRAWN = {name: as_its_operation(row) for name, row in OF_LAYERS.items()} | {
    "BatchNorm2d": norms(),
    "BatchNorm1d": rows_of_norms(),
    "BatchNormReLU2d": norms(),
    "Bottleneck": residuals(bottleneck=True),
    "ConcurrentSE": relatives(("merge", st.sampled_from(["max", "add"]))),
    "Conv2d": convolutions(),
    "DropPath": ANY_SHAPE,
    "Dropout": ANY_SHAPE,
    "ECA": shapes_NCHW(most_channels=6).flatmap(
        lambda shape: st.sampled_from([1, 3, 5]).map(lambda k: (shape, (shape[1], k), {}))
    ),
    "EffectiveSE": effective_se(),
    "Flatten": IMAGES,
    "GatherExcite": IMAGES,
    "GlobalAvgMaxPool": IMAGES,
    "Inception": inceptions(),
    "InvertedResidual": inverted(),
    "Linear": linears(),
    "NoSqueeze": relatives(),
    "Residual": residuals(),
    "SEBlock": se_blocks(),
    "Sequential": linears(),
    "SpatialSE": IMAGES.map(lambda drawn: (drawn[0], (drawn[0][1],), {})),
}
# A relu behind other arithmetic: in float32 a number next to 0 may fall on its other side.
KINKED = {
    "BatchNormReLU2d", "Bottleneck", "ConcurrentSE", "EffectiveSE", "Inception",
    "InvertedResidual", "NoSqueeze", "Residual", "SEBlock",
}  # fmt: skip
# Two or three normalisations in a row: each divides by σ, and magnifies roundings as much as
# numbers.
ROUNDINGS = {
    "Residual": 100 * closeness.ROUNDINGS,
    "Bottleneck": 1000 * closeness.ROUNDINGS,
    "Inception": 1000 * closeness.ROUNDINGS,
    "InvertedResidual": 1000 * closeness.ROUNDINGS,
    "SEBlock": 100 * closeness.ROUNDINGS,
}
RELATIVES = {"ConcurrentSE", "ECA", "EffectiveSE", "GatherExcite", "NoSqueeze", "SpatialSE"}
WITH_WEIGHTS = {
    "BatchNorm1d", "BatchNorm2d", "BatchNormReLU2d", "Conv2d", "Linear", "SEBlock",
    *(RELATIVES - {"GatherExcite"}),
}  # fmt: skip


def our_layer(name, arguments, options, dtype):
    """The layer of minise, with weights none of which is 0 or 1."""
    if name == "Sequential":
        layer = nn.Sequential(nn.Linear(*arguments, **options, dtype=dtype), nn.Tanh())
    elif name in ("Dropout", "DropPath"):
        layer = getattr(nn, name)(0.0, rng=np.random.default_rng(0))
    elif name in WITH_WEIGHTS:
        layer = getattr(nn, name)(*arguments, **options, dtype=dtype)
    elif name == "InvertedResidual":
        se = partial(nn.SEBlock, reduction=2, dtype=dtype) if options["se"] else None
        layer = nn.InvertedResidual(*arguments, **(options | {"se": se}), dtype=dtype)
    elif name in ("Residual", "Bottleneck"):
        options = {name: value for name, value in options.items() if value is not None}
        se = partial(nn.SEBlock, reduction=2, dtype=dtype) if "placement" in options else None
        layer = getattr(nn, name)(*arguments, se=se, **options, dtype=dtype)
    elif name == "Inception":
        se = partial(nn.SEBlock, reduction=2, dtype=dtype) if options["se"] else None
        layer = nn.Inception(*arguments, **(options | {"se": se}), dtype=dtype)
    else:
        layer = getattr(nn, name)(*arguments, **options)
    rng = np.random.default_rng(3)
    for parameter in layer.parameters():
        parameter.value += backend.asarray(
            0.3 * rng.standard_normal(parameter.value.shape).astype(dtype)
        )
    return layer


def their_layer(torch, name, arguments, options):
    """The same from PyTorch's own layers."""
    from minise.bench import pytorch_nets

    class Function(torch.nn.Module):
        def __init__(self, function):
            super().__init__()
            self.forward = function

    if name == "Sequential":
        return torch.nn.Sequential(torch.nn.Linear(*arguments, **options), torch.nn.Tanh())
    if name in ("Dropout", "DropPath"):
        return torch.nn.Dropout(0.0)
    if name == "BatchNormReLU2d":
        return torch.nn.Sequential(torch.nn.BatchNorm2d(*arguments, **options), torch.nn.ReLU())
    if name == "GlobalAvgMaxPool":
        return Function(lambda x: pytorch_nets.SQUEEZES["avg+max"](x, 1).flatten(1))
    if name in RELATIVES:
        from oracle import blocks

        return getattr(blocks, name)(*arguments, **options)
    if name in OF_LAYERS and name not in WITH_WEIGHTS:
        return Function(partial(OF_LAYERS[name].pytorch, torch, **options))
    if name == "SEBlock":
        from oracle import blocks

        return blocks.SEBlock(*arguments, **options)
    if name in ("Residual", "Bottleneck"):
        return their_residual(name, *arguments, **options)
    if name == "InvertedResidual":
        from oracle import blocks

        se = pytorch_nets.SEBlock(options["width"], 2) if options["se"] else None
        return blocks.InvertedResidual(*arguments, **(options | {"se": se}))
    if name == "Inception":
        return their_inception(*arguments, **options)
    return getattr(torch.nn, name)(*arguments, **options)


def their_inception(channels, ones, threes, fives, pooled, *, se, **options):
    from oracle import blocks

    from minise.bench.pytorch_nets import SEBlock

    joined = ones + threes[1] + fives[1] + (pooled or channels)
    options["se"] = SEBlock(joined, 2) if se else None
    return blocks.Inception(channels, ones, threes, fives, pooled, **options)


def their_residual(
    name, channels, filters, stride, placement, width=None, first_width=None, groups=1,
    stride_first=False, shortcut_kernel=1,
):  # fmt: skip
    from oracle import blocks

    from minise.bench.pytorch_nets import SEBlock

    convolutions = [(3, filters, stride, 1), (3, filters, 1, 1)]
    if name == "Bottleneck":
        first, second = (stride, 1) if stride_first else (1, stride)
        convolutions = [
            (1, first_width, first, 1), (3, width, second, groups), (1, filters, 1, 1),
        ]  # fmt: skip
    within = filters if width is None else width
    of_se = {"pre": channels, "3x3": within, None: 2}.get(placement, filters)
    se = SEBlock(of_se, 2) if placement else None
    kernel = shortcut_kernel if stride > 1 else 1
    return blocks.Residual(channels, convolutions, stride, kernel, se, placement)


@pytest.mark.usefixtures("each_backend")
@pytest.mark.parametrize("name", DRAWN)
@given(data=st.data())
def test_a_layer_agrees_with_the_same_in_pytorch(torch, name, data):
    dtype = np.float64 if name in KINKED else data.draw(DTYPES)
    close = partial(assert_close, roundings=ROUNDINGS.get(name, closeness.ROUNDINGS))
    shape, arguments, options = data.draw(DRAWN[name])
    ours = our_layer(name, arguments, options, dtype)
    theirs = their_layer(torch, name, arguments, options)
    theirs = theirs.to(getattr(torch, np.dtype(dtype).name))
    x = data.draw(normal_arrays(shape, dtype))
    tx = torch.tensor(x, requires_grad=True)

    def state_of_theirs():
        state = theirs.state_dict().items()
        return {name: tensor for name, tensor in state if "num_batches_tracked" not in name}

    with torch.no_grad():  # both list their state in the same order
        for tensor, value in zip(
            state_of_theirs().values(), ours.state_dict().values(), strict=True
        ):
            tensor.copy_(torch.tensor(value))
    y, backward = ours.forward(x)
    ty = theirs(tx)
    close(y, ty.detach().numpy())
    dy = data.draw(arrays_like(y))
    ty.backward(torch.tensor(dy))
    close(backward(dy), tx.grad.numpy())
    for parameter, tensor in zip(ours.parameters(), theirs.parameters(), strict=True):
        close(backend.asnumpy(parameter.grad), tensor.grad.numpy())
    for value, tensor in zip(ours.state_dict().values(), state_of_theirs().values(), strict=True):
        close(value, tensor.numpy())  # running statistics among them
    theirs.eval()
    close(ours(x), theirs(tx).detach().numpy())


def test_every_layer_is_compared_here():
    layers = {
        name
        for name in nn.__all__
        if isinstance(getattr(nn, name), type) and issubclass(getattr(nn, name), nn.Layer)
    }
    assert set(DRAWN) == layers - {"Layer"}
