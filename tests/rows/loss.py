import math

import numpy as np
from hypothesis import strategies as st
from strategies import arrays

from rows.row import Call, Mutant, Row, one


@st.composite
def draw(draw, dtype, N):
    """Few images, but one at least."""
    N, K = draw(st.integers(1, 6)), draw(st.integers(1, 6))
    labels = np.array(draw(st.lists(st.integers(0, K - 1), min_size=N, max_size=N)))
    smoothing = draw(st.sampled_from([0.0, 0.1, 1.0]))
    return Call(draw(arrays((N, K), dtype)), labels, label_smoothing=smoothing)


def naive(scores, labels, label_smoothing=0.0):
    N, K = scores.shape
    losses = []
    for n in range(N):
        row = [float(v) for v in scores[n]]
        log_sum = max(row) + math.log(math.fsum(math.exp(v - max(row)) for v in row))
        wanted = [label_smoothing / K + (1 - label_smoothing) * (k == labels[n]) for k in range(K)]
        losses.append(math.fsum(q * (log_sum - v) for q, v in zip(wanted, row, strict=True)))
    return math.fsum(losses) / N


SCORES = np.zeros((2, 3))
ROWS = [
    Row(
        "softmax_cross_entropy",
        draw=draw,
        naive=naive,
        pytorch=lambda torch, *arrays, **options: torch.nn.functional.cross_entropy(
            *arrays, **options
        ),
        mutants={
            "1/N missing": one("scores!", lambda d, dy, s: d * len(d)),
            "dloss ignored": Mutant("scores", lambda right, dy, s: right(1.0, s)),
            "labels not subtracted": one("scores!", lambda d, dy, s: s.p * dy / len(s.p)),
            "smoothing forgotten": Mutant(
                "scores", lambda right, dy, s: right(dy, s._replace(q=np.round(s.q))), "smoothed"
            ),
        },
        refused={
            r"label 3 at index 1 is outside the 3 classes \(0 to 2\)": (
                ValueError,
                Call(SCORES, np.array([0, 3])),
            ),
            "label -1 at index 0": (ValueError, Call(SCORES, np.array([-1, 0]))),
            "labels are float64, expected integers": (
                TypeError,
                Call(SCORES, np.array([0.0, 1.0])),
            ),
            r"labels have shape \(1,\), expected \(2,\)": (ValueError, Call(SCORES, np.array([0]))),
            "no mean over an empty batch": (ValueError, Call(np.zeros((0, 3)), np.zeros(0, int))),
            r"label_smoothing 1\.5": (
                ValueError,
                Call(SCORES, np.zeros(2, int), label_smoothing=1.5),
            ),
        },
        batched=2,
        needs_images=True,
    )
]
