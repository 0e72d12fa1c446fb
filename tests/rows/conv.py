import numpy as np
from strategies import conv_cases, starts

from rows.row import Call, Mutant, N, Row, one


def draw(dtype, N):
    return conv_cases(dtype, N).map(lambda case: Call(case.x, case.w, case.b, **case.options))


def naive(x, w, b=None, *, stride=(1, 1), padding=(0, 0), dilation=(1, 1), groups=1):
    """Walk over the padded image: each place of the window is one output pixel, of all images."""
    (N, C, H, W), (F, of_group, KH, KW) = x.shape, w.shape
    OH = len(starts(H, dilation[0] * (KH - 1) + 1, stride[0], padding[0]))
    OW = len(starts(W, dilation[1] * (KW - 1) + 1, stride[1], padding[1]))
    x, w, y = x.astype(float), w.astype(float), np.zeros((N, F, OH, OW))
    for f, oh, ow in np.ndindex(F, OH, OW):
        first_channel = f // (F // groups) * (C // groups)
        for c, i, j in np.ndindex(of_group, KH, KW):
            h = oh * stride[0] - padding[0] + i * dilation[0]
            v = ow * stride[1] - padding[1] + j * dilation[1]
            if 0 <= h < H and 0 <= v < W:
                y[:, f, oh, ow] += x[:, first_channel + c, h, v] * w[f, c, i, j]
        y[:, f, oh, ow] += 0.0 if b is None else float(b[f])
    return y


def zeros(*shape, dtype=np.float32):
    return np.zeros(shape, dtype)


def turned(w):
    return w[:, :, ::-1, ::-1]


def shifted_by_a_pixel(right, dy, saved):
    dx, dw, db = right(dy, saved)
    return np.roll(dx, (1, 1), (2, 3)), dw, db


def from_wrong_padding(right, dy, saved):
    dx, _, db = right(dy, saved)
    return dx, right(dy, saved._replace(x=np.roll(saved.x, 1, 3)))[1], db


def first_image_alone(right, dy, saved):
    dx, _, db = right(dy, saved)
    first = np.concatenate([dy[:1], np.zeros_like(dy[1:])])
    return dx, right(first, saved)[1], db


def without_first_row(dx, dy, saved):
    dx = dx.copy()
    dx[:, :, 0] = 0
    return dx


X, W = zeros(8, 3, 9, 9), zeros(4, 3, 3, 3)
ROWS = [
    Row(
        "conv2d",
        draw=draw,
        naive=naive,
        pytorch=lambda torch, *arrays, **options: torch.nn.functional.conv2d(*arrays, **options),
        sizes={
            "": Call((N, 3, 7, 5), (5, 3, 3, 3), (5,), padding=1),
            "strided": Call((N, 4, 28, 9), (6, 4, 3, 3), stride=2, padding=1),
            "dilated": Call(
                (N, 2, 8, 7), (3, 2, 2, 3), (3,), stride=(3, 1), padding=(0, 4), dilation=(1, 2)
            ),
            "grouped": Call((N, 6, 4, 5), (9, 2, 2, 1), (9,), groups=3),
            "1x1": Call((N, 5, 3, 3), (7, 5, 1, 1)),
            "depthwise": Call((N, 9, 6, 5), (9, 1, 3, 3), (9,), groups=9, padding=1),
            "wide": Call((N, 9, 5, 6), (21, 9, 5, 5), (21,), padding=2),
        },
        mutants={
            "kernel not turned round": Mutant(
                "x", lambda right, dy, s: right(dy, s._replace(w=turned(s.w)))
            ),
            "rows and columns of the kernel exchanged": one(
                "x w! b", lambda dw, dy, s: dw.swapaxes(2, 3)
            ),
            "gradient of the weights turned round": one("x w! b", lambda dw, dy, s: turned(dw)),
            "gradient of the input shifted by a pixel": Mutant("x", shifted_by_a_pixel),
            "padding off by one": Mutant("w", from_wrong_padding),
            "mean over the batch": one("x w! b", lambda dw, dy, s: dw / len(dy)),
            "first image alone": Mutant("w", first_image_alone),
            "bias not summed over the batch": one(
                "x w b!", lambda db, dy, s: dy[0].sum(axis=(1, 2))
            ),
            "bias averaged over pixels": one(
                "x w b!", lambda db, dy, s: dy.mean(axis=(2, 3)).sum(axis=0)
            ),
            "border of the input without gradient": one("x! w b", without_first_row),
            "a stride forgotten": one("x! w b", lambda dx, dy, s: np.roll(dx, 1, 3), of="stride 2"),
            "groups exchanged": one(
                "x! w b", lambda dx, dy, s: np.roll(dx, 2, 1), of="dilated, grouped"
            ),
        },
        refused={
            r"x has 3 channels, w expects 16: x \(8": (ValueError, Call(X, zeros(4, 16, 3, 3))),
            "2 groups must divide the 3 channels": (ValueError, Call(X, W, groups=2)),
            "3 groups .* the 4 filters": (ValueError, Call(X, zeros(4, 1, 3, 3), groups=3)),
            "0 groups": (ValueError, Call(X, W, groups=0)),
            "padding is -1, expected at least 0": (ValueError, Call(X, W, padding=-1)),
            "stride is 0, expected at least 1": (ValueError, Call(X, W, stride=0)),
            r"dilation is \(1, 0\)": (ValueError, Call(X, W, dilation=(1, 0))),
            "stride is 1.5, expected an integer": (TypeError, Call(X, W, stride=1.5)),
            r"stride is \(1, 2, 3\)": (TypeError, Call(X, W, stride=(1, 2, 3))),
            "mixed dtypes: x float32, w float64": (TypeError, Call(X, W.astype(float))),
            "x is int64, expected float32 or float64": (
                TypeError,
                Call(X.astype(int), W.astype(int)),
            ),
            r"b has shape \(3,\), expected \(4,\)": (ValueError, Call(X, W, zeros(3))),
            r"x has shape \(3, 9, 9\), expected \(N, C, H, W\)": (ValueError, Call(X[0], W)),
            r"w is empty: \(0, 3, 3, 3\)": (ValueError, Call(X, W[:0])),
            r"w has shape \(3, 3, 3\), expected \(F, C": (ValueError, Call(X, W[0])),
            "x is smaller than the window": (ValueError, Call(X[:, :, :2], W)),
            "x has no pixels": (ValueError, Call(X[:, :, :0], W)),
        },
        large={  # few filters and many, and sums over pixels in several parts
            "few": Call((8, 1, 20, 20), (12, 1, 3, 3), padding=1),
            "strided": Call((8, 12, 16, 16), (24, 12, 3, 3), (24,), padding=1, stride=2),
            "many": Call((6, 30, 13, 13), (50, 30, 3, 3)),
            "most": Call((6, 70, 11, 11), (140, 70, 3, 3), padding=1),
            "1x1": Call((7, 33, 14, 14), (65, 33, 1, 1)),
            "grouped": Call((5, 12, 15, 15), (12, 3, 2, 3), groups=4, dilation=(1, 2)),
        },
    )
]
