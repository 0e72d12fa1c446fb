import math

import numpy as np
from strategies import arrays_NCHW

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


def every_largest_pixel(dx, dy, saved):
    x = saved.x
    return np.where(x == x.max(axis=(2, 3), keepdims=True), dy[:, :, None, None], 0)


MAPS = {"": Call((N, 3, 7, 5))}
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
]
