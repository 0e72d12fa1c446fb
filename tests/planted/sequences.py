"""Words, steps through time, attention."""

import numpy as np

from planted.fault import Code, Fault, normal


def embedding_forward(w, words):
    """(V, D), (N, T) -> (N, T, D)."""
    return w[words], (w.shape, words)


def embedding_backward(dout, cache):
    shape, words = cache
    dw = np.zeros(shape)
    np.add.at(dw, words, dout)
    return dw


def rnn_step_forward(x, h, wx, wh, b):
    """(N, D), (N, H), (D, H), (H, H), (H,) -> (N, H)."""
    out = np.tanh(x @ wx + h @ wh + b)
    return out, (x, h, wx, wh, out)


def rnn_step_backward(dout, cache):
    x, h, wx, wh, out = cache
    da = dout * (1 - out**2)
    return da @ wx.T, da @ wh.T, x.T @ da, h.T @ da, da.sum(axis=0)


def rnn_forward(x, wx, wh):
    """(N, T, D), (D, H), (H, H) -> (N, T, H); from 0."""
    h = [np.zeros((len(x), len(wh)))]
    for t in range(x.shape[1]):
        h.append(np.tanh(x[:, t] @ wx + h[-1] @ wh))
    return np.stack(h[1:], axis=1), (x, wx, wh, h)


def rnn_backward(dout, cache):
    x, wx, wh, h = cache
    dx, dwx, dwh = np.zeros_like(x), np.zeros_like(wx), np.zeros_like(wh)
    dh = np.zeros_like(h[0])
    for t in reversed(range(x.shape[1])):
        da = (dout[:, t] + dh) * (1 - h[t + 1] ** 2)
        dx[:, t] = da @ wx.T
        dwx += x[:, t].T @ da
        dwh += h[t].T @ da
        dh = da @ wh.T
    return dx, dwx, dwh


def lstm_forward(x, c, w):
    """(N, D), (N, H), (D, 4H) -> h, (N, H): gates i, f, o and candidate g."""
    i, f, o, g = np.split(x @ w, 4, axis=1)
    i, f, o = (1 / (1 + np.exp(-a)) for a in (i, f, o))
    g = np.tanh(g)
    c_next = f * c + i * g
    tanh_c = np.tanh(c_next)
    return o * tanh_c, (x, c, w, i, f, o, g, tanh_c)


def lstm_backward(dout, cache):
    x, c, w, i, f, o, g, tanh_c = cache
    do = dout * tanh_c
    dc_next = dout * o * (1 - tanh_c**2)
    di, df, dg = dc_next * g, dc_next * c, dc_next * i
    parts = [di * i * (1 - i), df * f * (1 - f), do * o * (1 - o), dg * (1 - g**2)]
    da = np.concatenate(parts, axis=1)
    return da @ w.T, dc_next * f, x.T @ da


def attention_forward(q, k, v):
    """(T, D), (S, D), (S, E) -> (T, E)."""
    scores = q @ k.T / np.sqrt(q.shape[1])
    e = np.exp(scores - scores.max(axis=1, keepdims=True))
    p = e / e.sum(axis=1, keepdims=True)
    return p @ v, (q, k, v, p)


def attention_backward(dout, cache):
    q, k, v, p = cache
    dv = p.T @ dout
    dp = dout @ v.T
    ds = p * (dp - (dp * p).sum(axis=1, keepdims=True))
    ds = ds / np.sqrt(q.shape[1])
    return ds @ k, ds.T @ q, dv


def words(rng):
    return np.array([[0, 3, 3], [5, 1, 3]])


EMBEDDING = Code(embedding_forward, embedding_backward, normal((7, 4), words))
STEP = Code(rnn_step_forward, rnn_step_backward, normal((4, 3), (4, 5), (3, 5), (5, 5), (5,)))
STEP_SQUARE = STEP.on("D = H", (4, 4), (4, 4), (4, 4), (4, 4), (4,))
RNN = Code(rnn_forward, rnn_backward, normal((2, 4, 3), (3, 5), (5, 5)))
LSTM = Code(lstm_forward, lstm_backward, normal((3, 4), (3, 5), (4, 20)))
ATTENTION = Code(attention_forward, attention_backward, normal((3, 6), (4, 6), (4, 5)))

FAULTS = [
    Fault(
        EMBEDDING,
        "np.add.at(dw, words, dout)",
        "dw[words] = dout",
        w="right where words has an index once, wrong where more often",
    ),
    Fault(
        EMBEDDING,
        "np.add.at(dw, words, dout)",
        "dw[words] += dout",
        w="right where words has an index once, wrong where more often",
    ),
    Fault(
        STEP,
        " * (1 - out**2)",
        "",
        x="slope of tanh at the output left out",
        h="slope of tanh at the output left out",
        wx="slope of tanh at the output left out",
        wh="slope of tanh at the output left out",
        b="slope of tanh at the output left out",
    ),
    Fault(
        STEP,
        "(1 - out**2)",
        "(1 - out)",
        x="has 1 − y",
        h="has 1 − y",
        wx="has 1 − y",
        wh="has 1 − y",
        b="has 1 − y",
    ),
    Fault(STEP, "da @ wh.T", "da @ wh", h="w"),
    Fault(
        STEP_SQUARE, "da @ wx.T, da @ wh.T", "da @ wh.T, da @ wx.T", x="exchanged", h="exchanged"
    ),
    Fault(STEP_SQUARE, "da.sum(axis=0)", "da.sum(axis=1)", b="summed over axis 1"),
    Fault(STEP, "h.T @ da", "out.T @ da", wh=""),
    Fault(RNN, "(dout[:, t] + dh)", "dout[:, t]", x="one step alone", wx="", wh=""),
    Fault(RNN, "dwx +=", "dwx =", wx=""),
    Fault(RNN, "dwh += h[t]", "dwh += h[t + 1]", wh=""),
    Fault(RNN, "reversed(range(x.shape[1]))", "range(x.shape[1])", x="", wx="", wh=""),
    Fault(LSTM, " * (1 - tanh_c**2)", "", x="", c="", w=""),
    Fault(
        LSTM,
        "di * i * (1 - i), df * f * (1 - f)",
        "df * f * (1 - f), di * i * (1 - i)",
        x="",
        w="4 blocks along axis 1",
    ),
    Fault(LSTM, "dc_next * f, x", "dc_next, x", c=""),
    Fault(ATTENTION, "    ds = ds / np.sqrt(q.shape[1])\n", "", q="√6", k="√6"),
    Fault(ATTENTION, "(dp - (dp * p).sum(axis=1, keepdims=True))", "(1 - p) * dp", q="", k=""),
    Fault(ATTENTION, "ds @ k, ds.T @ q, dv", "ds @ k, ds.T @ k[:3], dv", k=""),
    Fault(ATTENTION, "ds @ k, ds.T @ q", "ds.T @ q, ds @ k", q="that of k", k="that of q"),
]
