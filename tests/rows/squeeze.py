import math

import numpy as np
from hypothesis import strategies as st
from strategies import SEEDS, arrays_NCHW

from rows.pool import winner_is, zeros_and_ones
from rows.row import Call, Mutant, N, Row, one


def whole_maps(dtype, N):
    return arrays_NCHW(dtype, N=N).map(Call)


def map_by_map(summary):
    def naive(x):
        N, C = x.shape[:2]
        z = [summary([float(v) for v in x[n, c].flat]) for n in range(N) for c in range(C)]
        return np.array(z).reshape(N, C)

    return naive


@st.composite
def masked_maps(draw, dtype, N):
    """Each image has one pixel at least; what is masked may be anything."""
    x = draw(arrays_NCHW(dtype, N=N))
    rng = np.random.default_rng(draw(SEEDS))
    mask = rng.random((len(x), *x.shape[2:])) < draw(st.sampled_from([0, 0.5, 1]))
    for n in range(len(x)):
        mask[n].flat[rng.integers(mask[n].size)] = True
    x[~np.broadcast_to(mask[:, None], x.shape)] *= draw(st.sampled_from([1, 1e30]))
    return Call(x, mask)


def masked_naive(x, mask):
    N, C = x.shape[:2]
    z = np.zeros((N, C))
    for n, c in np.ndindex(N, C):
        there = [float(v) for v, counts in zip(x[n, c].flat, mask[n].flat, strict=True) if counts]
        z[n, c] = math.fsum(there) / len(there)
    return z


def masked_in_pytorch(torch, x, mask):
    where = mask[:, None].to(x.dtype)
    return (where * x).sum(dim=(2, 3)) / where.sum(dim=(2, 3))


def every_largest_pixel(dx, dy, saved):
    x = saved.x
    return np.where(x == x.max(axis=(2, 3), keepdims=True), dy[:, :, None, None], 0)


MAPS = {"": Call((N, 3, 7, 5))}
IMAGES = np.zeros((2, 3, 1, 2))
LARGE_MAPS = {"": Call((3, 2, 41, 40))}
ROWS = [
    Row(
        "global_avg_pool",
        draw=whole_maps,
        naive=map_by_map(lambda numbers: math.fsum(numbers) / len(numbers)),
        pytorch=lambda torch, x: x.mean(dim=(2, 3)),
        sizes=MAPS,
        mutants={
            "not divided by H·W": one("x!", lambda dx, dy, s: dx * dx[0, 0].size),
            "divided by H": one("x!", lambda dx, dy, s: dx * dx.shape[3]),
        },
        large=LARGE_MAPS,
    ),
    Row(
        "global_max_pool",
        draw=whole_maps,
        naive=map_by_map(max),
        pytorch=lambda torch, x: torch.nn.functional.adaptive_max_pool2d(x, 1).flatten(1),
        sizes=MAPS,
        mutants={
            "the last pixel wins": Mutant("x", winner_is(11)),
            "a tie given twice": one("x!", every_largest_pixel, call=zeros_and_ones()),
        },
        large=LARGE_MAPS,
        roundings=0,
    ),
    Row(
        "masked_avg_pool",
        draw=masked_maps,
        naive=masked_naive,
        pytorch=masked_in_pytorch,
        mutants={
            "divided by H·W": one(
                "x!", lambda dx, dy, s: dx * s.pixels[:, None, None, None] / s.mask[0].size
            ),
            "not divided": one("x!", lambda dx, dy, s: dx * s.pixels[:, None, None, None]),
            "masked pixels given a share": one(
                "x!", lambda dx, dy, s: 0 * dx + (dy / s.pixels[:, None])[:, :, None, None]
            ),
            "the mask of the first image": one(
                "x!",
                lambda dx, dy, s: s.mask[:1, None] * (dy / s.pixels[:, None])[:, :, None, None],
            ),
        },
        refused={
            "the mask leaves image 1 no pixel": (
                ValueError,
                Call(IMAGES, np.array([[[True, False]], [[False, False]]])),
            ),
            r"mask has shape \(2, 1, 1, 2\), expected \(2, 1, 2\) for x \(2, 3, 1, 2\)": (
                ValueError,
                Call(IMAGES, np.ones((2, 1, 1, 2), bool)),
            ),
            "mask is float64, expected bool; mask != 0 makes one": (
                TypeError,
                Call(IMAGES, np.ones((2, 1, 2))),
            ),
            "x has no pixels": (
                ValueError,
                Call(np.zeros((2, 3, 0, 2)), np.zeros((2, 0, 2), bool)),
            ),
        },
        batched=2,
    ),
]
