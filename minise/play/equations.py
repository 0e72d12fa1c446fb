"""What each kind of layer computes, forward and backward, and where the tutorials explain it.

The letters are those of the glossary; of one image, so that no letter counts images.
"""

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
SCALE_BACK = ("ds = Σ dy · x over a map", r"ds_c = \sum_i dy_{c,i} \, x_{c,i}")
TWO_PATHS = (
    "dx = s · dy + what comes back through the squeeze",
    r"dx = s \cdot dy + \text{what comes back through the squeeze}",
)
MEAN = ("z = Σ x / (H·W) over a map", r"z_c = \frac{1}{HW} \sum_i x_{c,i}")
MEAN_BACK = ("dx = dz / (H·W)", r"dx = \frac{dz}{HW}")
RELU = ("y = max(x, 0)", r"y = \max(x, 0)")
RELU_BACK = ("dx = dy where x > 0, else 0", r"dx = dy \cdot [x > 0]")
NORM: Equations = (
    (
        "y = w · (x − m) / σ + b, σ = √(var + ε), of the running averages",
        r"y = w \cdot \frac{x - m}{\sigma} + b, \quad \sigma = \sqrt{\text{var} + \varepsilon}",
    ),
    ("dx = w · dy / σ, as m and σ do not depend on x", r"dx = \frac{w \cdot dy}{\sigma}"),
)
PER_PIXEL = (
    "dx = s · dy + what comes back through the gates",
    r"dx = s \cdot dy + \text{what comes back through the gates}",
)
SHIFTED = r"x_{c,\,oh \cdot S+i-P,\,ow \cdot S+j-P}"
SE, HOSTS, RELU_SECTION = "Forward", "Other hosts", "Relu and sigmoid"

LAYERS: Mapping[type[Layer], Page] = {
    nn.Conv2d: Page(
        3,
        "The whole of it: channels and filters",
        (
            (
                "y[f] = b[f] + Σ w[f, c, i, j] · x[c], shifted by i, j",
                r"y_{f,oh,ow} = b_f + \sum_{c,i,j} w_{f,c,i,j} \, " + SHIFTED,
            ),
            (
                "dw[f, c, i, j] = Σ dy[f] · x[c], shifted by i, j",
                r"dw_{f,c,i,j} = \sum_{oh,ow} dy_{f,oh,ow} \, " + SHIFTED,
            ),
            (
                "dx[c] = Σ w[f, c, i, j] · dy[f], shifted back; here for stride 1",
                r"dx_{c,ih,iw} = \sum_{f,i,j} w_{f,c,i,j} \, dy_{f,\,ih+P-i,\,iw+P-j}"
                r" \quad \text{(for stride 1)}",
            ),
        ),
    ),
    nn.Linear: Page(
        2,
        "A linear map",
        (
            ("y = x·wᵀ + b", r"y = x\,w^T + b"),
            (
                "dx = dy·w,  dw = dyᵀ·x,  db = dy",
                r"dx = dy\,w, \quad dw = dy^T x, \quad db = dy",
            ),
        ),
    ),
    nn.BatchNorm2d: Page(4, "In use: running averages", NORM),
    nn.BatchNormReLU2d: Page(
        4,
        "In use: running averages",
        (
            (
                "y = max(w · (x − m) / σ + b, 0), σ = √(var + ε), of the running averages",
                r"y = \max\left(w \cdot \frac{x - m}{\sigma} + b, 0\right),"
                r" \quad \sigma = \sqrt{\text{var} + \varepsilon}",
            ),
            (
                "dx = w · dy / σ where y > 0, else 0",
                r"dx = \frac{w \cdot dy}{\sigma} \cdot [y > 0]",
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
            ("y = s · x, with s = sigmoid(x)", r"y = s \cdot x, \quad s = \text{sigmoid}(x)"),
            (
                "dx = dy · s · (1 + x · (1 − s))",
                r"dx = dy \cdot s \cdot (1 + x \cdot (1 - s))",
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
                "dx = dy · (x/3 + 1/2) between −3 and 3; 0 below, dy above",
                r"dx = dy \cdot \left(\frac{x}{3} + \frac{1}{2}\right)"
                r" \quad \text{for } -3 < x < 3",
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
            (
                "y = x where x > 0, else slope · x",
                r"y = \max(x, 0) + \text{slope} \cdot \min(x, 0)",
            ),
            (
                "dx = dy where x > 0, else slope · dy",
                r"dx = dy \cdot ([x > 0] + \text{slope} \cdot [x \le 0])",
            ),
        ),
    ),
    nn.Clip: Page(
        2,
        RELU_SECTION,
        (
            ("y = min(max(x, low), high)", r"y = \min(\max(x, \text{low}), \text{high})"),
            (
                "dx = dy between low and high, else 0",
                r"dx = dy \cdot [\text{low} < x < \text{high}]",
            ),
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
            ("z = the largest x of each map", r"z_c = \max_i x_{c,i}"),
            ("dx = dz at the largest, else 0", r"dx_{c,i} = dz_c \cdot [x_{c,i} = z_c]"),
        ),
    ),
    nn.GlobalAvgMaxPool: Page(
        5, SE, (("z = (mean + largest) / 2", r"z = \frac{\text{mean}(x) + \max(x)}{2}"),)
    ),
    nn.Flatten: Page(
        2,
        "Training: digits",
        (
            (
                "y = x as one row; dx = dy as maps",
                r"y_{c \cdot H \cdot W + ih \cdot W + iw} = x_{c,ih,iw}",
            ),
        ),
    ),
    nn.SEBlock: Page(
        5,
        "Backward, from the end to the beginning",
        (
            ("z = squeeze(x), a number for each map", r"z_c = \text{squeeze}(x_c)"),
            (
                "s = gate(a·w₂ᵀ + b₂), with a = relu(z·w₁ᵀ + b₁)",
                r"s = \text{gate}(a\,w_2^T + b_2), \quad a = \text{relu}(z\,w_1^T + b_1)",
            ),
            SCALE,
            SCALE_BACK,
            TWO_PATHS,
        ),
    ),
    nn.EffectiveSE: Page(
        6,
        HOSTS,
        (
            MEAN,
            ("s = gate(z·wᵀ + b)", r"s = \text{gate}(z\,w^T + b)"),
            SCALE,
            SCALE_BACK,
            TWO_PATHS,
        ),
    ),
    nn.ECA: Page(
        6,
        HOSTS,
        (
            MEAN,
            (
                "s = sigmoid(w ⋆ z), a convolution over neighbouring channels",
                r"s_c = \text{sigmoid}\left(\sum_i w_i \, z_{c+i}\right)",
            ),
            SCALE,
            SCALE_BACK,
            TWO_PATHS,
        ),
    ),
    nn.GatherExcite: Page(
        6, HOSTS, (MEAN, ("s = sigmoid(z)", r"s = \text{sigmoid}(z)"), SCALE, SCALE_BACK, TWO_PATHS)
    ),
    nn.NoSqueeze: Page(
        6,
        HOSTS,
        (
            (
                "s = gate(a·w₂ᵀ + b₂) at every pixel, with a = relu(x·w₁ᵀ + b₁)",
                r"s = \text{gate}(a\,w_2^T + b_2), \quad a = \text{relu}(x\,w_1^T + b_1)",
            ),
            SCALE,
            ("ds = dy · x", r"ds = dy \cdot x"),
            PER_PIXEL,
        ),
    ),
    nn.SpatialSE: Page(
        6,
        HOSTS,
        (
            (
                "s = sigmoid(Σ w · x over the channels) at every pixel",
                r"s_i = \text{sigmoid}\left(\sum_c w_c \, x_{c,i}\right)",
            ),
            SCALE,
            ("ds = Σ dy · x over the channels", r"ds_i = \sum_c dy_{c,i} \, x_{c,i}"),
            PER_PIXEL,
        ),
    ),
    nn.ConcurrentSE: Page(
        6,
        HOSTS,
        (
            (
                "y = max(channel(x), spatial(x)), or their sum",
                r"y = \max(\text{channel}(x), \text{spatial}(x))",
            ),
        ),
    ),
    nn.Residual: Page(
        6,
        "A residual block, and the gradient's short way",
        (
            (
                "y = relu(h), h = u + shortcut(x); u is what the branch gives, with SE times s",
                r"y = \text{relu}(h), \quad h = u + \text{shortcut}(x)",
            ),
            (
                "du = dh, which is dy where h > 0, else 0; dx is the sum of both ways",
                r"du = dh = dy \cdot [h > 0]",
            ),
        ),
    ),
    nn.InvertedResidual: Page(
        6,
        "A residual block, and the gradient's short way",
        (
            (
                "y = u + x, u = project(se(depthwise(expand(x)))); y = u where shapes change",
                r"y = u + x, \quad u = \text{project(se(depthwise(expand(}x\text{))))}",
            ),
            (
                "dx = what comes back through the branch + dy",
                r"dx = \text{what comes back through the branch} + dy",
            ),
        ),
    ),
    nn.Inception: Page(
        6,
        HOSTS,
        (
            (
                "y = se(u₁, u₂, u₃, u₄): the channels of four branches, side by side",
                r"y = \text{se}([u_1, u_2, u_3, u_4])",
            ),
        ),
    ),
    nn.Sequential: Page(
        2,
        "A chain, and how it runs backwards",
        (
            (
                "y = last(… second(first(x))); of no layers, y = x",
                r"y = \text{last}(\dots\,\text{second}(\text{first}(x)))",
            ),
        ),
    ),
}

PANELS: Mapping[str, Page] = {
    "input": Page(
        7,
        "Normalised, shuffled, in batches",
        (
            (
                "x = (pixel / 255 − mean) / std",
                r"x = \frac{\text{pixel} / 255 - \text{mean}}{\text{std}}",
            ),
        ),
    ),
    "scores": Page(
        2,
        "The loss",
        (("p = e^y / Σ e^y, of the scores y", r"p_k = \frac{e^{y_k}}{\sum_j e^{y_j}}"),),
    ),
    "loss": Page(
        2,
        "The loss",
        (
            ("L = −log p of the label", r"L = -\log p_{\text{label}}"),
            ("dy = p, less 1 for the label", r"dy_k = p_k - [k = \text{label}]"),
        ),
    ),
    "step": Page(
        7,
        "One step, written out",
        (("w ← w − η · dw, with the learning rate η", r"w \leftarrow w - \eta \cdot dw"),),
    ),
    "check": Page(
        1,
        "Differences",
        (
            (
                "dx ≈ (L(x + δ) − L(x − δ)) / 2δ",
                r"dx \approx \frac{L(x + \delta) - L(x - \delta)}{2\delta}",
            ),
        ),
    ),
}
