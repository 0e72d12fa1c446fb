"""Pictures of a run, as PNG files in memory."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from minise.arrays import Array
from minise.data import Split
from minise.errors import InputError
from minise.figures import new_figure, png
from minise.train.history import Epoch

MOST_LINES = 1000  # in a picture
TRAINING, TEST = "tab:blue", "tab:orange"


def curves(history: Sequence[Epoch]) -> bytes:
    """Loss and error rate over the epochs, for training and test images."""
    figure = new_figure(9.0, 3.6)
    loss, error = figure.subplots(1, 2)
    epochs = [epoch.epoch for epoch in history]
    tested = [epoch for epoch in history if epoch.test_loss is not None]
    at = [epoch.epoch for epoch in tested]
    loss.plot(epochs, [e.loss for e in history], "o-", color=TRAINING, label="training")
    loss.plot(at, [e.test_loss for e in tested], "o-", color=TEST, label="test")
    loss.set_ylabel("loss (cross-entropy)")
    train_errors = [100 * (1 - e.accuracy) for e in history]
    test_errors = [100 * (1 - e.test_accuracy) for e in tested if e.test_accuracy is not None]
    error.plot(epochs, train_errors, "o-", color=TRAINING, label="training")
    error.plot(
        at,
        test_errors,
        "o-",
        color=TEST,
        label=f"test, {test_errors[-1]:.2f} % at last" if test_errors else "test",
    )
    error.set_ylabel("wrong, % of images")
    for axes in (loss, error):
        axes.set_xlabel("epoch")
        axes.set_xlim(0.5, len(epochs) + 0.5)
        axes.set_ylim(bottom=0)
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.grid(alpha=0.3)
        axes.legend(frameon=False)
    return png(figure)


def overlay(histories: Mapping[str, Sequence[Epoch]]) -> bytes:
    """Training loss and test error of several runs, by their names, over their epochs."""
    figure = new_figure(9.0, 3.9)
    loss, error = figure.subplots(1, 2)
    lines = []
    for number, history in enumerate(histories.values()):
        colour = f"C{number % 10}"
        epochs = [epoch.epoch for epoch in history]
        lines += loss.plot(epochs, [e.loss for e in history], ".-", color=colour)
        tested = [(e.epoch, 1 - e.test_accuracy) for e in history if e.test_accuracy is not None]
        error.plot([n for n, _ in tested], [100 * wrong for _, wrong in tested], ".-", color=colour)
    loss.set_ylabel("training loss (cross-entropy)")
    error.set_ylabel("wrong, % of test images")
    for axes in (loss, error):
        axes.set_xlabel("epoch")
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter("{x:g}")
        axes.yaxis.set_minor_formatter("{x:g}")
        axes.tick_params(which="minor", labelsize=7)
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.grid(alpha=0.3, which="both")
    legend = figure.legend(lines, list(histories), loc="outside right upper", frameon=False)
    for text in legend.get_texts():
        text.set_parse_math(False)  # the name of a run is not a formula
    return png(figure)


class Dots(NamedTuple):
    """A group of runs in `dots`: the figure of each, their mean, and its interval."""

    figures: Sequence[float]
    mean: float
    interval: tuple[float, float] | None


def dots(panels: Mapping[str, Mapping[str, Dots]], figure_is: str, *, zero: bool) -> bytes:
    """Groups by name, line by line: each run, the mean, and its interval as a bar.

    The panels, by their titles, share the lines: a group stands at one height in all of them.
    Figures are shares, drawn as percent. `zero` marks 0. Raises `InputError` for too many lines.
    """
    names = list(dict.fromkeys(name for groups in panels.values() for name in groups))
    columns = min(len(panels), 3)
    rows = -(-len(panels) // columns)
    if len(names) * rows > MOST_LINES:
        raise InputError(f"a picture of {len(names) * rows} lines, expected at most {MOST_LINES}")
    width = 0.07 * max(map(len, names)) + columns * (4.5 if columns == 1 else 3.2)
    drawn = new_figure(width, rows * (1.1 + 0.22 * max(4, len(names))))
    grid = drawn.subplots(rows, columns, squeeze=False, sharey=True)
    for axes, (title, groups) in zip(grid.flat, panels.items(), strict=False):
        for name, group in groups.items():
            at = names.index(name)
            if group.interval is not None:
                low, high = (100 * end for end in group.interval)
                axes.plot([low, high], [at, at], "-", color=TRAINING, lw=2.5, alpha=0.6)
            runs = [100 * figure for figure in group.figures]
            axes.plot(runs, [at] * len(runs), "o", color="black", ms=3, alpha=0.45, mew=0)
            axes.plot([100 * group.mean], [at], "D", color=TEST, ms=5)
        if zero:
            axes.axvline(0, color="black", lw=0.8)
        axes.set_title(title, fontsize=10).set_parse_math(False)
        axes.grid(alpha=0.3)
    for axes in grid.flat[len(panels) :]:
        axes.axis("off")
    grid[0, 0].set_ylim(len(names) - 0.4, -0.6)
    for axes in grid[:, 0]:
        axes.set_yticks(range(len(names)), names, fontsize=8)
        for label in axes.get_yticklabels():
            label.set_parse_math(False)  # the name of a setting is not a formula
    drawn.supxlabel(figure_is, fontsize=9)
    return png(drawn)


def mistakes(
    test: Split, probabilities: Array, called: Callable[[int], str] = str, *, at_most: int = 40
) -> bytes:
    """The misclassified images, the surest mistakes first, each with answer and truth.

    `called` gives the name of the class of a label.
    """
    said = probabilities.argmax(axis=1)
    wrong = np.flatnonzero(said != test.labels)
    wrong = wrong[np.argsort(-probabilities[wrong, said[wrong]], kind="stable")]
    shown = wrong[:at_most]
    columns, rows = 8, max(1, -(-len(shown) // 8))
    figure = new_figure(columns * 1.15, rows * 1.45 + 0.6)
    rest = "" if len(shown) == len(wrong) else f", the {len(shown)} surest shown"
    figure.suptitle(f"{len(wrong)} of {len(said)} test images came out wrong{rest}", fontsize=11)
    for k, axes in enumerate(figure.subplots(rows, columns, squeeze=False).flat):
        axes.axis("off")
        if k < len(shown):
            n = shown[k]
            axes.imshow(_picture(test.images[n]), cmap="gray_r", vmin=0, vmax=255)
            sure = 100 * probabilities[n, said[n]]
            answer, truth = called(int(said[n])), called(int(test.labels[n]))
            title = axes.set_title(f"{answer} ({sure:.0f} %), is {truth}", fontsize=8)
            title.set_parse_math(False)  # a class may have a folder's name
    return png(figure)


def _picture(image: Array) -> Array:
    """(C, H, W) as matplotlib takes it: grey for one channel, else the first three as colours."""
    return image[0] if len(image) < 3 else np.moveaxis(image[:3], 0, -1)
