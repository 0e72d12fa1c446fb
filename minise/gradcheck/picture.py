"""A gradient check as a picture: a row for each gradient."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from minise.arrays import Array
from minise.figures import new_figure
from minise.gradcheck.checked import Checked
from minise.gradcheck.differences import LADDER, Verdict

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


COLOURS = {
    Verdict.RIGHT: "tab:green",
    Verdict.WRONG: "tab:red",
    Verdict.KINK: "tab:orange",
    Verdict.TOO_SMALL: "tab:gray",
    Verdict.TOO_COARSE: "tab:blue",
    Verdict.TOO_FINE: "tab:blue",
}
LEAST = 1e-17  # errors of 0 are drawn here


def draw(gradients: Sequence[Checked], *, title: str, tolerance: float) -> Figure:
    """The figure; nothing is shown or saved."""
    rows = max(1, len(gradients))
    figure = new_figure(11.0, 0.5 + 3.1 * rows)
    figure.suptitle(title, fontsize=12)
    axes = figure.subplots(rows, 3, squeeze=False)
    for gradient, (scatter, errors, curve) in zip(gradients, axes, strict=False):
        _scatter(scatter, gradient)
        _errors(figure, errors, gradient)
        _curve(curve, gradient, tolerance)
    return figure


def _scatter(axes: Axes, gradient: Checked) -> None:
    said = gradient.analytic.reshape(-1)[gradient.entries]
    both = np.concatenate([said, gradient.numeric])
    both = both[np.isfinite(both)]
    ends = [both.min(initial=0), both.max(initial=0)]
    axes.plot(ends, ends, color="0.8", zorder=0)
    for verdict, colour in COLOURS.items():
        of = np.array([v is verdict for v in gradient.verdicts])
        if of.any():
            label = f"{of.sum():,} {verdict.value}"
            axes.plot(gradient.numeric[of], said[of], ".", color=colour, label=label)
    axes.set_title(f"gradient of {gradient.name} {gradient.analytic.shape}", fontsize=10)
    axes.set_xlabel("differences say")
    axes.set_ylabel("backward says")
    axes.legend(frameon=False, fontsize=8)


def _errors(figure: Figure, axes: Axes, gradient: Checked) -> None:
    flat = np.full(gradient.analytic.size, np.nan)
    flat[gradient.entries] = np.log10(np.maximum(gradient.errors, LEAST))
    picture = axes.imshow(
        _laid_out(flat.reshape(gradient.analytic.shape)),
        cmap="RdYlGn_r", vmin=-16, vmax=0, aspect="auto", interpolation="nearest",
    )  # fmt: skip
    axes.set_facecolor("0.9")  # what was not compared
    axes.set_title("relative error, log10", fontsize=10)
    axes.set_xticks([])
    axes.set_yticks([])
    axes.set_xlabel(_layout_label(gradient.analytic.shape)[1])
    axes.set_ylabel(_layout_label(gradient.analytic.shape)[0])
    figure.colorbar(picture, ax=axes)


def _laid_out(array: Array) -> Array:
    """Two axes of any array: (N, C, H, W) -> (N·H, C·W), an image for each sample and channel."""
    if array.ndim == 4:
        N, C, H, W = array.shape
        return array.transpose(0, 2, 1, 3).reshape(N * H, C * W)
    return array.reshape(array.shape[0] if array.ndim > 1 else 1, -1)


def _layout_label(shape: tuple[int, ...]) -> tuple[str, str]:
    if len(shape) == 4:
        return f"{shape[0]} × {shape[2]} rows", f"{shape[1]} × {shape[3]} columns"
    if len(shape) > 1:
        return f"{shape[0]} rows", f"{math.prod(shape[1:])} columns"
    return "", "1 entry" if math.prod(shape) == 1 else f"{shape[0]} entries"


def _curve(axes: Axes, gradient: Checked, tolerance: float) -> None:
    wrong = Verdict.WRONG in gradient.verdicts
    axes.loglog(LADDER, np.maximum(gradient.curve, LEAST), "o-", color="tab:purple")
    axes.axhline(tolerance, color="0.6", linestyle=":")
    axes.axvline(gradient.step, color="0.8", zorder=0)
    axes.set_title(
        f"error against step, {'the worst entry' if wrong else 'along a direction'}", fontsize=10
    )
    axes.set_xlabel("step")
    axes.set_ylim(LEAST / 2, 10)
