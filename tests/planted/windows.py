"""Convolution and pooling: windows that move over images."""

import numpy as np

from planted.fault import Code, Fault, normal


def conv_forward(x, w, b, stride, pad):
    """(N, C, H, W), (F, C, KH, KW), (F,), window after window."""
    N, _, H, W = x.shape
    F, _, KH, KW = w.shape
    OH, OW = (H + 2 * pad - KH) // stride + 1, (W + 2 * pad - KW) // stride + 1
    x_pad = np.pad(x, [(0, 0), (0, 0), (pad, pad), (pad, pad)])
    out = np.zeros((N, F, OH, OW), x.dtype)
    for i in range(OH):
        for j in range(OW):
            r, c = i * stride, j * stride
            window = x_pad[:, :, r : r + KH, c : c + KW]
            out[:, :, i, j] = window.reshape(N, -1) @ w.reshape(F, -1).T + b
    return out, (x.shape, x_pad, w, stride, pad)


def conv_backward(dout, cache):
    (_, _, H, W), x_pad, w, stride, pad = cache
    F, C, KH, KW = w.shape
    N, _, OH, OW = dout.shape
    dx_pad, dw = np.zeros_like(x_pad), np.zeros_like(w)
    for i in range(OH):
        for j in range(OW):
            r, c = i * stride, j * stride
            window = x_pad[:, :, r : r + KH, c : c + KW]
            dw += (dout[:, :, i, j].T @ window.reshape(N, -1)).reshape(w.shape)
            dwindow = (dout[:, :, i, j] @ w.reshape(F, -1)).reshape(N, C, KH, KW)
            dx_pad[:, :, r : r + KH, c : c + KW] += dwindow
    dx = dx_pad[:, :, pad : pad + H, pad : pad + W]
    db = dout.sum(axis=(0, 2, 3))
    return dx, dw, db


def im2col(x_pad, KH, KW, stride):
    """(N, C, H, W) -> (N, C, KH, KW, OH, OW)."""
    N, C, H, W = x_pad.shape
    OH, OW = (H - KH) // stride + 1, (W - KW) // stride + 1
    cols = np.zeros((N, C, KH, KW, OH, OW), x_pad.dtype)
    for u in range(KH):
        for v in range(KW):
            cols[:, :, u, v] = x_pad[
                :, :, u : u + stride * OH : stride, v : v + stride * OW : stride
            ]
    return cols


def conv_im2col_forward(x, w, b, stride, pad):
    x_pad = np.pad(x, [(0, 0), (0, 0), (pad, pad), (pad, pad)])
    cols = im2col(x_pad, *w.shape[2:], stride)
    out = np.einsum("fcuv,ncuvij->nfij", w, cols) + b[:, None, None]
    return out, (x.shape, x_pad.shape, cols, w, stride, pad)


def conv_im2col_backward(dout, cache):
    (_, _, H, W), padded, cols, w, stride, pad = cache
    _, _, KH, KW = w.shape
    OH, OW = dout.shape[2:]
    dw = np.einsum("nfij,ncuvij->fcuv", dout, cols)
    dcols = np.einsum("fcuv,nfij->ncuvij", w, dout)
    dx_pad = np.zeros(padded)
    for u in range(KH):
        for v in range(KW):
            rows = slice(u, u + stride * OH, stride)
            columns = slice(v, v + stride * OW, stride)
            dx_pad[:, :, rows, columns] += dcols[:, :, u, v]
    dx = dx_pad[:, :, pad : pad + H, pad : pad + W]
    return dx, dw, dout.sum(axis=(0, 2, 3))


def conv1x1_forward(x, w):
    """(N, C, H, W), (F, C) -> (N, F, H, W)."""
    return np.einsum("nchw,fc->nfhw", x, w), (x, w)


def conv1x1_backward(dout, cache):
    x, w = cache
    dx = np.einsum("nfhw,fc->nchw", dout, w)
    dw = np.einsum("nfhw,nchw->fc", dout, x)
    return dx, dw


def max_pool_forward(x, size, stride):
    N, C, H, W = x.shape
    OH, OW = (H - size) // stride + 1, (W - size) // stride + 1
    out = np.zeros((N, C, OH, OW), x.dtype)
    for i in range(OH):
        for j in range(OW):
            r, c = i * stride, j * stride
            out[:, :, i, j] = x[:, :, r : r + size, c : c + size].max(axis=(2, 3))
    return out, (x, out, size, stride)


def max_pool_backward(dout, cache):
    x, out, size, stride = cache
    dx = np.zeros_like(x)
    for i in range(out.shape[2]):
        for j in range(out.shape[3]):
            r, c = i * stride, j * stride
            window = x[:, :, r : r + size, c : c + size]
            mask = window == out[:, :, i : i + 1, j : j + 1]
            dx[:, :, r : r + size, c : c + size] += mask * dout[:, :, i : i + 1, j : j + 1]
    return dx


def avg_pool_forward(x, size):
    """Windows side by side; those at the end may be smaller."""
    N, C, H, W = x.shape
    OH, OW = -(-H // size), -(-W // size)
    out = np.zeros((N, C, OH, OW), x.dtype)
    for i in range(OH):
        for j in range(OW):
            r, c = i * size, j * size
            out[:, :, i, j] = x[:, :, r : r + size, c : c + size].sum(axis=(2, 3)) / size**2
    return out, (x.shape, size)


def avg_pool_backward(dout, cache):
    shape, size = cache
    dx = np.zeros(shape)
    for i in range(-(-shape[2] // size)):
        for j in range(-(-shape[3] // size)):
            r, c = i * size, j * size
            dx[:, :, r : r + size, c : c + size] = dout[:, :, i : i + 1, j : j + 1] / size**2
    return dx


def global_avg_pool_forward(x):
    return x.mean(axis=(2, 3)), x.shape


def global_avg_pool_backward(dout, cache):
    H, W = cache[2:]
    return np.ones(cache) * dout[:, :, None, None] / (H * W)


def upsample_forward(x):
    """Each pixel four times."""
    return x.repeat(2, axis=2).repeat(2, axis=3), x.shape


def upsample_backward(dout, cache):
    N, C, H, W = cache
    return dout.reshape(N, C, H, 2, W, 2).sum(axis=(3, 5))


CONV = Code(conv_forward, conv_backward, normal((2, 2, 5, 4), (3, 2, 3, 3), (3,), 1, 1))
CONV_STRIDE = CONV.on("stride 2", (2, 2, 7, 5), (3, 2, 3, 3), (3,), 2, 1)
CONV_ONE = CONV.on("one channel", (2, 1, 5, 4), (3, 1, 3, 3), (3,), 1, 1)
IM2COL = Code(
    conv_im2col_forward, conv_im2col_backward, normal((2, 2, 6, 6), (3, 2, 3, 3), (3,), 2, 0)
)
CONV1X1 = Code(conv1x1_forward, conv1x1_backward, normal((2, 3, 4, 5), (4, 3)))
CONV1X1_SQUARE = CONV1X1.on("w square", (2, 3, 4, 5), (3, 3))
MAX_POOL = Code(max_pool_forward, max_pool_backward, normal((2, 3, 6, 4), 2, 2))
MAX_POOL_OVERLAP = MAX_POOL.on("overlapping", (2, 2, 7, 5), 3, 2)
AVG_POOL = Code(avg_pool_forward, avg_pool_backward, normal((2, 2, 6, 4), 2))
AVG_POOL_ODD = AVG_POOL.on("odd height", (2, 2, 5, 6), 2)
GLOBAL_AVG_POOL = Code(global_avg_pool_forward, global_avg_pool_backward, normal((2, 3, 4, 5)))
UPSAMPLE = Code(upsample_forward, upsample_backward, normal((2, 3, 3, 4)))

WRITE = "dx_pad[:, :, r : r + KH, c : c + KW]"
FAULTS = [
    Fault(CONV_STRIDE, WRITE, "dx_pad[:, :, i : i + KH, j : j + KW]", x="is the stride left out"),
    Fault(CONV, "return dx, dw", "return dx_pad, dw", x="2 more along axes 2 and 3"),
    Fault(CONV, "pad : pad + H, pad : pad + W", ":H, :W", x="shifted by one along axes 2 and 3"),
    Fault(
        CONV,
        "w.reshape(F, -1)",
        "w[..., ::-1, ::-1].reshape(F, -1)",
        x="w reversed along axes 2 and 3",
    ),
    Fault(CONV, "return dx, dw", "return dx, dw[..., ::-1, ::-1]", w="reversed along axes 2 and 3"),
    Fault(
        CONV_ONE,
        "return dx, dw",
        "return dx, dw.swapaxes(2, 3)",
        w="transposed: right with axes 2 and 3 swapped",
    ),
    Fault(
        CONV_ONE,
        "w.reshape(F, -1)",
        "w.swapaxes(2, 3).reshape(F, -1)",
        x="w transposed (axes 2 and 3)",
    ),
    Fault(
        CONV_STRIDE,
        "range(OH)",
        "range(OH - 1)",
        x="the last index of axis 2 of dy",
        w="the last index of axis 2 of dy",
    ),
    Fault(
        CONV_STRIDE,
        "range(OW)",
        "range(1, OW)",
        x="the first index of axis 3 of dy",
        w="the first index of axis 3 of dy",
    ),
    Fault(CONV, f"{WRITE} +=", f"{WRITE} =", x="one window alone"),
    Fault(CONV, "dw +=", "dw =", w="one window alone"),
    Fault(CONV, "dout.sum(axis=(0, 2, 3))", "dout.sum(axis=(2, 3)).mean(axis=0)", b="factor 0.5"),
    Fault(IM2COL, "columns] +=", "columns] =", x="one window alone"),
    Fault(CONV1X1_SQUARE, "nfhw,fc->nchw", "nfhw,cf->nchw", x="w transposed"),
    Fault(CONV1X1_SQUARE, "nfhw,nchw->fc", "nfhw,nchw->cf", w="axes 0 and 1 swapped"),
    Fault(MAX_POOL, "mask * dout", "dout", x="only where the true gradient is 0"),
    Fault(MAX_POOL, "mask * dout", "mask / size**2 * dout", x="factor 0.25"),
    Fault(MAX_POOL_OVERLAP, "+= mask", "= mask", x="one window alone"),
    Fault(
        MAX_POOL,
        "range(out.shape[2])",
        "range(out.shape[2] - 1)",
        x="the last index of axis 2 of dy",
    ),
    Fault(AVG_POOL, " / size**2", "", x="factor 4"),
    Fault(
        AVG_POOL,
        "dx[:, :, r : r + size, c : c + size] = dout[:, :, i : i + 1, j : j + 1]",
        "dx[:, :, r, c] = dout[:, :, i, j]",
        x="every 2nd index of axes 2 and 3",
    ),
    Fault(
        AVG_POOL_ODD, "-(-shape[2] // size)", "shape[2] // size", x="the last index of axis 2 of dy"
    ),
    Fault(GLOBAL_AVG_POOL, " / (H * W)", "", x="H·W = 20"),
    Fault(GLOBAL_AVG_POOL, "/ (H * W)", "/ H", x="factor 5 = W"),
    Fault(
        UPSAMPLE,
        "dout.reshape(N, C, H, 2, W, 2).sum(axis=(3, 5))",
        "dout[:, :, ::2, ::2]",
        x="one of the 4 outputs",
    ),
    Fault(UPSAMPLE, ".sum(", ".mean(", x="factor 0.25"),
    Fault(UPSAMPLE, "H, 2, W, 2).sum(axis=(3, 5))", "2, H, 2, W).sum(axis=(2, 4))", x=""),
]
