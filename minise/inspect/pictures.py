"""Pictures of gates and maps, as in figures 6 and 7 of the paper."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from minise.arrays import Array
from minise.figures import new_figure
from minise.inspect.excitations import ByClass, Excitation

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST_BLOCKS, MOST_CHANNELS = 9, 50  # in one picture; the paper samples 50 channels
MAPS = 4  # of the channels with the widest open gates, and of those with the most closed


def draw_by_class(blocks: Mapping[str, ByClass]) -> Figure:
    """The mean gate of each channel and class as a shade; figure 6 draws them as curves.

    A row is a class, a column a channel. Channels are sorted by their mean gate, the most closed
    first, so what differs from row to row differs by class. A class without images stays white.
    """
    figure, panels = _panels(blocks)
    means = [found.mean for found in blocks.values()]
    lowest, highest = (float(f(list(map(f, means)))) for f in (np.nanmin, np.nanmax))
    for (name, found), axes in panels:
        order = np.argsort(np.nanmean(found.mean, axis=0), kind="stable")
        shades = axes.imshow(
            found.mean[:, order], cmap="cividis", vmin=min(0.0, lowest), vmax=max(1.0, highest),
            aspect="auto", interpolation="nearest",
        )  # fmt: skip
        axes.set_title(name, fontsize=10)
        axes.set_xlabel(f"{found.mean.shape[1]} channels, sorted by their mean gate")
        axes.set_xticks([])
        axes.yaxis.get_major_locator().set_params(integer=True, nbins=12)
    panels[0][1].set_ylabel("class")
    figure.colorbar(shades, ax=[axes for _, axes in panels], label="mean gate")
    figure.suptitle("mean gate of each channel, by class")
    return figure


def draw_two_classes(blocks: Mapping[str, ByClass], first: int, second: int) -> Figure:
    """For two classes the mean gate of each channel, and a band of one deviation: figure 7."""
    figure, panels = _panels(blocks)
    for (name, found), axes in panels:
        channels = _spread(found.mean.shape[1], MOST_CHANNELS)
        for k, colour in ((first, "tab:blue"), (second, "tab:orange")):
            mean, deviation = found.mean[k, channels], found.deviation[k, channels]
            axes.fill_between(
                channels, mean - deviation, mean + deviation, color=colour, alpha=0.25, lw=0
            )
            axes.plot(channels, mean, ".-", lw=1, color=colour, label=f"class {k}")
        _finish(axes, name, found.mean.shape[1])
    figure.legend(*panels[0][1].get_legend_handles_labels(), loc="outside right upper")
    figure.suptitle("mean gate ± its deviation within the class")
    return figure


def draw_maps(image: Array, blocks: Mapping[str, Excitation], title: str) -> Figure:
    """For one image (C, H, W): what each block squeezed, its gates, and maps before and after.

    The maps are those of the channels with the most open and the most closed gates. Before and
    after share their colours: red above 0, blue below.
    """
    names = _some(list(blocks), 4)
    figure = new_figure(14.0, 0.5 + 2.7 * len(names))
    figure.suptitle(f"{title}. Maps before and after their gate: red above 0, blue below")
    grid = figure.add_gridspec(2 * len(names), 2 + 2 * MAPS, width_ratios=[2, 4] + [1.6] * 2 * MAPS)
    picture = figure.add_subplot(grid[:2, 0])
    picture.imshow(image[0] if len(image) < 3 else np.moveaxis(image[:3], 0, -1), cmap="gray_r")
    picture.set_title("image", fontsize=9)
    picture.axis("off")
    for row, name in enumerate(names):
        block = blocks[name]
        before, after, z, s = block.before[0], block.after[0], block.squeezed[0], block.gates[0]
        _squeeze_and_gates(figure.add_subplot(grid[2 * row : 2 * row + 2, 1]), name, z, s)
        order = np.argsort(-s, kind="stable")
        shown = order if len(s) <= 2 * MAPS else np.concatenate([order[:MAPS], order[-MAPS:]])
        for column, c in enumerate(shown, start=2):
            most = max(float(np.abs(before[c]).max()), 1e-12)
            rows = ((before[c], f"channel {c}"), (after[c], f"× {s[c]:.2f}"))
            for below, (pixels, what) in enumerate(rows):
                axes = figure.add_subplot(grid[2 * row + below, column])
                axes.imshow(pixels, cmap="RdBu_r", vmin=-most, vmax=most)
                axes.set_title(what, fontsize=8)
                axes.set_xticks([])
                axes.set_yticks([])
    return figure


def _squeeze_and_gates(axes: Any, name: str, z: Array, s: Array) -> None:
    channels = np.arange(len(z))
    axes.bar(channels, z, color="tab:gray", alpha=0.6)
    axes.set_title(f"{name}: squeeze z (grey), gates s", fontsize=9)
    axes.set_xlabel("channel", fontsize=8)
    axes.tick_params(labelsize=7)
    opened = axes.twinx()
    opened.plot(channels, s, ".", color="tab:red")
    opened.set_ylim(*_limits(s))
    opened.tick_params(labelsize=7, labelcolor="tab:red")


def _panels(blocks: Mapping[str, ByClass]) -> tuple[Figure, list[tuple[tuple[str, ByClass], Any]]]:
    """A figure, and for each block that is shown its axes."""
    names = _some(list(blocks), MOST_BLOCKS)
    columns = min(3, len(names))
    rows = math.ceil(len(names) / columns)
    figure = new_figure(1.2 + 4.2 * columns, 0.6 + 2.8 * rows)
    axes = figure.subplots(rows, columns, squeeze=False, sharey=True)
    for unused in axes.flat[len(names) :]:
        unused.axis("off")
    return figure, [((name, blocks[name]), a) for name, a in zip(names, axes.flat, strict=False)]


def _finish(axes: Any, name: str, channels: int) -> None:
    axes.set_title(name, fontsize=10)
    axes.set_xlabel(f"channel, of {channels}")
    axes.set_ylabel("gate")
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.grid(alpha=0.3)


def _limits(s: Array) -> tuple[float, float]:
    """Those of a sigmoid, or wider for a gate that goes beyond."""
    return min(-0.03, float(s.min())), max(1.03, float(s.max()))


def _some(names: list[str], most: int) -> list[str]:
    return [names[k] for k in _spread(len(names), most)]


def _spread(count: int, most: int) -> list[int]:
    """At most so many of 0 … count − 1, evenly, with both ends."""
    return [round(k) for k in np.linspace(0, count - 1, min(count, most))]
