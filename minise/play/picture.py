"""One image on its way through a net, as a picture: what a notebook shows where nothing runs."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from minise.arrays import Array
from minise.figures import new_figure
from minise.nn import Layer
from minise.play.collection import Collection
from minise.play.watch import Watcher
from minise.play.watched import Block, Watched

if TYPE_CHECKING:
    from matplotlib.figure import Figure

WIDTH = 640  # pixels, as it is shown; drawn a bit finer
MOST_BLOCKS, MOST_MAPS, MOST_CLASSES = 4, 16, 10
ACCENT, GAP = "#0b4f8a", "#d3e1ee"  # told from grey also in black and white


def draw(net: Layer, collection: Collection, number: int = 0) -> tuple[Figure, str]:
    """The image of this number: of each SE block z, the gates s and y = s·x; then the scores.

    With it comes a sentence that says what it shows.
    """
    watched = Watcher(net).watch(collection.input(collection.images[number]))
    names = _spread(list(watched.blocks), MOST_BLOCKS)
    figure = new_figure(5.0, 1.7 + 1.55 * len(names))
    figure.set_layout_engine("constrained", h_pad=0.06, hspace=0.06)
    rows = figure.add_gridspec(1 + len(names), 6)
    _show(figure.add_subplot(rows[0, :2]), collection.images[number], f"image {number}")
    _scores(figure.add_subplot(rows[0, 2:]), watched, collection)
    label = _label(collection, number)
    for row, name in enumerate(names, start=1):
        panels = [figure.add_subplot(rows[row, 2 * k : 2 * k + 2]) for k in range(3)]
        _block(panels, watched.blocks[name])
        if name in collection.means:
            _mean(panels[1], collection.means[name][label], collection.class_name(label))
    return figure, told(watched, collection, number)


def told(watched: Watched, collection: Collection, number: int = 0) -> str:
    """What the net says of this image, in a sentence."""
    answer = int(watched.scores[0].argmax())
    said = collection.class_name(answer)
    if collection.labels is None:
        return f"image {number}, which the net takes for {said}"
    label = collection.class_name(_label(collection, number))
    return f"image {number}, of class {label}, which the net takes for {said}"


def _label(collection: Collection, number: int) -> int:
    known = collection.answers if collection.labels is None else collection.labels
    return int(known[number])


def _block(panels: list[Any], block: Block) -> None:
    squeezed, gates, scaled = panels
    if block.z is None:
        squeezed.axis("off")
        squeezed.set_title(f"{block.name}: pixels", fontsize=9)
        _maps(gates, block.s[0], "gates s")
    else:
        _bars(squeezed, block.z[0], f"{block.name}: squeeze z")
        _bars(gates, block.s[0], "gates s")
        gates.set_ylim(min(0.0, float(block.s.min())), max(1.0, float(block.s.max())))
    _maps(scaled, block.y[0], "y = s · x")


def _bars(axes: Any, numbers: Array, title: str) -> None:
    axes.bar(np.arange(len(numbers)), numbers, color="0.6")
    axes.set_title(title, fontsize=9)
    axes.set_xlabel("channel", fontsize=8)
    axes.tick_params(labelsize=8)
    axes.xaxis.get_major_locator().set_params(integer=True, nbins=4)
    axes.yaxis.get_major_locator().set_params(nbins=3)
    axes.margins(x=0.02)


def _mean(axes: Any, mean: Array, class_name: str) -> None:
    """A line across each bar, so that it can be seen above and below the gate."""
    channels = np.arange(len(mean))
    axes.hlines(mean, channels - 0.45, channels + 0.45, color=ACCENT, lw=2)
    axes.set_xlabel(f"line: mean of {class_name}", fontsize=8, color=ACCENT)


def _maps(axes: Any, maps: Array, title: str) -> None:
    some = maps[:MOST_MAPS]
    more = "" if len(some) == len(maps) else f", first {len(some)}"
    _show(axes, _sheet(some), f"{title}{more}")


def _show(axes: Any, image: Array, title: str) -> None:
    """An image (C, H, W) or (H, W): dark is much; where there are signs, grey is 0."""
    pixels = image
    if image.ndim == 3:
        pixels = np.moveaxis(image[:3], 0, -1) if len(image) >= 3 else image[0]
    if pixels.ndim == 3 and pixels.dtype != np.uint8:
        low, high = float(pixels.min()), float(pixels.max())
        pixels = (pixels - low) / max(high - low, 1e-12)
    most = max(float(np.nanmax(np.abs(pixels))), 1e-12)
    least = -most if float(np.nanmin(pixels)) < 0 else 0.0
    axes.imshow(pixels, cmap="gray_r", vmin=least, vmax=most, interpolation="nearest")
    axes.set_facecolor(GAP)
    axes.set_title(title, fontsize=9)
    axes.set_xticks([])
    axes.set_yticks([])


def _scores(axes: Any, watched: Watched, collection: Collection) -> None:
    scores = watched.scores[0]
    order = np.sort(np.argsort(-scores, kind="stable")[:MOST_CLASSES])
    highest = int(scores.argmax())
    axes.bar(
        np.arange(len(order)),
        scores[order],
        color=[ACCENT if k == highest else "0.65" for k in order],
    )
    axes.axhline(0, color="black", lw=0.8)
    names = [collection.class_name(int(k)) for k in order]
    axes.set_xticks(
        np.arange(len(order)), names, fontsize=8, rotation=90 * (max(map(len, names)) > 3)
    )
    axes.tick_params(labelsize=8)
    axes.yaxis.get_major_locator().set_params(nbins=4)
    p = 1 / np.exp(scores.astype(np.float64) - float(scores[highest])).sum()
    sure = f"{p:.1%}" if p < 0.9995 else "over 99.9%"
    axes.set_title(f"scores: {collection.class_name(highest)}, by softmax {sure}", fontsize=9)


def _sheet(maps: Array) -> Array:
    """Maps (C, H, W) beside and below each other, with gaps of NaN."""
    C, H, W = maps.shape
    columns = math.ceil(math.sqrt(C))
    rows = math.ceil(C / columns)
    gap = max(1, round(H / 14))
    sheet = np.full((rows * (H + gap) - gap, columns * (W + gap) - gap), np.nan)
    for c, pixels in enumerate(maps):
        top, left = c // columns * (H + gap), c % columns * (W + gap)
        sheet[top : top + H, left : left + W] = pixels
    return sheet


def _spread(names: list[str], most: int) -> list[str]:
    places = np.linspace(0, len(names) - 1, min(len(names), most))
    return [names[round(k)] for k in places]
