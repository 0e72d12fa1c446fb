"""What each kind of layer computes, forward and backward, and where the tutorials explain it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from minise import nn
from minise.nn import Layer

Equations = tuple[tuple[str, str], ...]  # as text, and in LaTeX


class Page(NamedTuple):
    """What there is to read of a layer or a panel."""

    step: int  # of the tutorials
    section: str  # its heading
    equations: Equations


def page_of(layer: Layer) -> Page | None:
    """That of the layer's class, or of the nearest it is made from."""
    return next((LAYERS[kind] for kind in type(layer).__mro__ if kind in LAYERS), None)


SCALE = ("y = s · x", r"y = s \cdot x")
SCALE_BACK = ("ds = Σ x · dy over a map", r"ds = \sum_{h,w} x \cdot dy")
TWO_PATHS = (
    "dx = s · dy + the squeeze's gradient of dz",
    r"dx = s \cdot dy + \text{squeeze}^{\prime}(dz)",
)
MEAN = ("z = Σ x / (H·W)", r"z = \frac{1}{HW} \sum_{h,w} x")
MEAN_BACK = ("dx = dz / (H·W)", r"dx = \frac{dz}{HW}")
RELU = ("y = max(x, 0)", r"y = \max(x, 0)")
RELU_BACK = ("dx = dy where x > 0, else 0", r"dx = dy \cdot [x > 0]")
NORM: Equations = (
    (
        "y = w · (x − μ) / √(σ² + ε) + b",
        r"y = w \cdot \frac{x - \mu}{\sqrt{\sigma^2 + \epsilon}} + b",
    ),
    (
        "dx = dy · w / √(σ² + ε), as μ and σ are the running ones",
        r"dx = dy \cdot \frac{w}{\sqrt{\sigma^2 + \epsilon}}",
    ),
)
PER_PIXEL = (
    "dx = s · dy + what came through the gates",
    r"dx = s \cdot dy + \text{gates}^{\prime}(ds)",
)
SE, HOSTS, RELU_SECTION = "Forward", "Other hosts", "Relu and sigmoid"

LAYERS: Mapping[type[Layer], Page] = {
    nn.Conv2d: Page(
        3,
        "The whole of it: channels and filters",
        (
            (
                "y[f] = Σ w[f, c, i, j] · x[c, shifted by i, j] + b[f]",
                r"y_{f,h,v} = \sum_{c,i,j} w_{f,c,i,j} \cdot x_{c,h+i,v+j} + b_f",
            ),
            ("dw = Σ dy · x, shifted", r"dw_{f,c,i,j} = \sum_{h,v} dy_{f,h,v} \cdot x_{c,h+i,v+j}"),
            (
                "dx = Σ w · dy, shifted back",
                r"dx_{c,h,v} = \sum_{f,i,j} w_{f,c,i,j} \cdot dy_{f,h-i,v-j}",
            ),
        ),
    ),
    nn.Linear: Page(
        2,
        "A linear map",
        (
            ("y = x·wᵀ + b", r"y = x w^T + b"),
            (
                "dx = dy·w,  dw = dyᵀ·x,  db = Σ dy",
                r"dx = dy\,w,\quad dw = dy^T x,\quad db = \sum dy",
            ),
        ),
    ),
    nn.BatchNorm2d: Page(4, "In use: running averages", NORM),
    nn.BatchNormReLU2d: Page(
        4,
        "In use: running averages",
        (
            (
                "y = max(w · (x − μ) / √(σ² + ε) + b, 0)",
                r"y = \max\left(w \cdot \frac{x - \mu}{\sqrt{\sigma^2 + \epsilon}} + b, 0\right)",
            ),
            (
                "dx = dy · w / √(σ² + ε) where y > 0, else 0",
                r"dx = dy \cdot [y > 0] \cdot \frac{w}{\sqrt{\sigma^2 + \epsilon}}",
            ),
        ),
    ),
    nn.ReLU: Page(2, RELU_SECTION, (RELU, RELU_BACK)),
    nn.Sigmoid: Page(
        2,
        RELU_SECTION,
        (
            ("y = 1 / (1 + e^−x)", r"y = \frac{1}{1 + e^{-x}}"),
            ("dx = dy · y · (1 − y)", r"dx = dy \cdot y \cdot (1 - y)"),
        ),
    ),
    nn.Tanh: Page(
        2,
        RELU_SECTION,
        (("y = tanh(x)", r"y = \tanh(x)"), ("dx = dy · (1 − y²)", r"dx = dy \cdot (1 - y^2)")),
    ),
    nn.SiLU: Page(
        2,
        RELU_SECTION,
        (
            ("y = x · σ(x)", r"y = x \cdot \sigma(x)"),
            (
                "dx = dy · σ · (1 + x · (1 − σ))",
                r"dx = dy \cdot \sigma \cdot (1 + x \cdot (1 - \sigma))",
            ),
        ),
    ),
    nn.HardSwish: Page(
        2,
        RELU_SECTION,
        (
            (
                "y = x · clip(x/6 + 1/2, 0, 1)",
                r"y = x \cdot \min(\max(\frac{x}{6} + \frac{1}{2}, 0), 1)",
            ),
            (
                "dx = dy · (x/3 + 1/2) between −3 and 3",
                r"dx = dy \cdot \left(\frac{x}{3} + \frac{1}{2}\right)",
            ),
        ),
    ),
    nn.HardSigmoid: Page(
        2,
        RELU_SECTION,
        (
            ("y = clip(x/6 + 1/2, 0, 1)", r"y = \min(\max(\frac{x}{6} + \frac{1}{2}, 0), 1)"),
            ("dx = dy/6 between −3 and 3, else 0", r"dx = \frac{dy}{6} \cdot [-3 < x < 3]"),
        ),
    ),
    nn.LeakyReLU: Page(
        2,
        RELU_SECTION,
        (
            ("y = x where x > 0, else a · x", r"y = \max(x, 0) + a \cdot \min(x, 0)"),
            ("dx = dy where x > 0, else a · dy", r"dx = dy \cdot ([x > 0] + a \cdot [x \le 0])"),
        ),
    ),
    nn.Clip: Page(
        2,
        RELU_SECTION,
        (
            ("y = min(max(x, low), high)", r"y = \min(\max(x, l), h)"),
            ("dx = dy between low and high, else 0", r"dx = dy \cdot [l < x < h]"),
        ),
    ),
    nn.MaxPool2d: Page(
        4,
        "Max pooling: all for the winner",
        (
            ("y = the largest x of each window", r"y = \max_{i,j} x_{i,j}"),
            ("dx = dy at the largest, else 0", r"dx_{i,j} = dy \cdot [x_{i,j} = y]"),
        ),
    ),
    nn.AvgPool2d: Page(
        4,
        "Average pooling: an equal share for each",
        (
            ("y = the mean of each window", r"y = \frac{1}{n} \sum_{i,j} x_{i,j}"),
            ("dx = dy / n", r"dx_{i,j} = \frac{dy}{n}"),
        ),
    ),
    nn.GlobalAvgPool: Page(5, SE, (MEAN, MEAN_BACK)),
    nn.GlobalMaxPool: Page(
        5,
        SE,
        (
            ("z = the largest x of each map", r"z = \max_{h,w} x"),
            ("dx = dz at the largest, else 0", r"dx = dz \cdot [x = z]"),
        ),
    ),
    nn.GlobalAvgMaxPool: Page(
        5, SE, (("z = (mean + largest) / 2", r"z = \frac{\text{mean}(x) + \max(x)}{2}"),)
    ),
    nn.Flatten: Page(
        2,
        "Training: digits",
        (("y = x as one row; dx = dy as maps", r"y_{cHW + hW + v} = x_{c,h,v}"),),
    ),
    nn.SEBlock: Page(
        5,
        "Backward, from the end to the beginning",
        (
            ("z = squeeze(x)", r"z = \text{squeeze}(x)"),
            (
                "s = gate(W₂ · relu(W₁ · z))",
                r"s = \text{gate}(W_2 \cdot \text{relu}(W_1 \cdot z))",
            ),
            SCALE,
            SCALE_BACK,
            TWO_PATHS,
        ),
    ),
    nn.EffectiveSE: Page(
        6, HOSTS, (MEAN, ("s = gate(W · z)", r"s = \text{gate}(W z)"), SCALE, SCALE_BACK, TWO_PATHS)
    ),
    nn.ECA: Page(
        6, HOSTS, (MEAN, ("s = σ(w ⋆ z)", r"s = \sigma(w \star z)"), SCALE, SCALE_BACK, TWO_PATHS)
    ),
    nn.GatherExcite: Page(
        6, HOSTS, (MEAN, ("s = σ(z)", r"s = \sigma(z)"), SCALE, SCALE_BACK, TWO_PATHS)
    ),
    nn.NoSqueeze: Page(
        6,
        HOSTS,
        (
            (
                "s = gate(W₂ · relu(W₁ · x)) at every pixel",
                r"s = \text{gate}(W_2 \cdot \text{relu}(W_1 \cdot x))",
            ),
            SCALE,
            ("ds = x · dy", r"ds = x \cdot dy"),
            PER_PIXEL,
        ),
    ),
    nn.SpatialSE: Page(
        6,
        HOSTS,
        (
            ("s = σ(w · x) at every pixel", r"s = \sigma(w \cdot x)"),
            SCALE,
            ("ds = Σ x · dy over the channels", r"ds = \sum_c x \cdot dy"),
            PER_PIXEL,
        ),
    ),
    nn.ConcurrentSE: Page(
        6,
        HOSTS,
        (
            (
                "y = max(channel(x), spatial(x)), or their sum",
                r"y = \max(\text{cSE}(x), \text{sSE}(x))",
            ),
        ),
    ),
    nn.Residual: Page(
        6,
        "A residual block, and the gradient's short way",
        (
            ("y = relu(u + r), or relu(s · u + r) with SE", r"y = \text{relu}(s \cdot u + r)"),
            ("dr = dy where y > 0, du = s · dr", r"dr = dy \cdot [y > 0],\quad du = s \cdot dr"),
        ),
    ),
    nn.InvertedResidual: Page(
        6,
        "A residual block, and the gradient's short way",
        (
            ("y = project(se(depthwise(expand(x)))) + x", r"y = \text{project}(v) + x"),
            ("dx = the branch's gradient + dy", r"dx = \text{branch}^{\prime}(dy) + dy"),
        ),
    ),
    nn.Inception: Page(
        6,
        HOSTS,
        (
            (
                "y = se([b₁(x), b₂(x), b₃(x), b₄(x)])",
                r"y = \text{se}([b_1(x), b_2(x), b_3(x), b_4(x)])",
            ),
        ),
    ),
    nn.Sequential: Page(
        2,
        "A chain, and how it runs backwards",
        (("y = f₂(f₁(x)); of no layers, y = x", r"y = f_2(f_1(x))"),),
    ),
}

PANELS: Mapping[str, Page] = {
    "input": Page(
        7,
        "Normalised, shuffled, in batches",
        (("x = (pixel / 255 − mean) / std", r"x = \frac{p / 255 - \text{mean}}{\text{std}}"),),
    ),
    "scores": Page(
        2, "The loss", (("p = e^score / Σ e^score", r"p_k = \frac{e^{y_k}}{\sum_j e^{y_j}}"),)
    ),
    "loss": Page(
        2,
        "The loss",
        (
            ("L = −log p of the label", r"L = -\log p_{\text{label}}"),
            ("dscore = p, less 1 for the label", r"dy_k = p_k - [k = \text{label}]"),
        ),
    ),
    "step": Page(
        7, "One step, written out", (("w ← w − lr · dw", r"w \leftarrow w - \text{lr} \cdot dw"),)
    ),
    "check": Page(
        1,
        "Differences",
        (("dL/dt ≈ (L(t) − L(−t)) / 2t", r"\frac{dL}{dt} \approx \frac{L(t) - L(-t)}{2t}"),),
    ),
}
