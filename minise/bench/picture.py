"""The run as a picture: a bar for each case, and the curve of the scaling."""

from __future__ import annotations

from typing import Any

from minise.bench.cases import SCALING
from minise.bench.report import COLUMNS, images_of
from minise.bench.runner import Report, Result
from minise.figures import new_figure, png

OURS, THEIRS = "tab:blue", "tab:orange"


def draw_report(report: Report) -> bytes:
    """A PNG: ratios to the best of PyTorch, or without it the shares of the ceiling."""
    bars = _bars(report)
    curves = [r for r in report.results if r.case.name in SCALING and r.minise is not None]
    heights = [0.9 + 0.27 * max(1, len(bars))] * (bool(bars) or not curves) + [3.4] * bool(curves)
    figure = new_figure(9.0, 0.7 + sum(heights))
    facts = report.machine
    torch = f" and PyTorch {facts['torch']}" if report.with_pytorch else ""
    where = facts["gpu"] or f"{facts['processor']}, {facts['threads']} threads"
    figure.suptitle(
        f"minise {facts['minise']}{torch}\n{where}",
        fontsize=10,
    )
    axes = list(figure.subplots(len(heights), 1, squeeze=False, height_ratios=heights).flat)
    if bars:
        _draw_bars(axes.pop(0), bars, report.with_pytorch)
    elif not curves:
        axes[0].axis("off")
        axes[0].text(0.5, 0.5, "nothing was measured that has a ratio or a share", ha="center")
    if curves:
        _draw_scaling(axes.pop(0), curves)
    return png(figure)


def _bars(report: Report) -> list[tuple[str, float]]:
    """Name and length of each bar."""
    values = {
        result.case.name: result.ratio() if report.with_pytorch else report.share(result)
        for result in report.results
        if result.case.name not in SCALING
    }
    return [(name, value) for name, value in values.items() if value]


def _draw_bars(axes: Any, bars: list[tuple[str, float]], with_pytorch: bool) -> None:
    names, values = zip(*bars, strict=True)
    places = range(len(bars))
    start = 1.0 if with_pytorch else 0.0
    colours = [THEIRS if with_pytorch and value > 1 else OURS for value in values]
    axes.barh(places, [value - start for value in values], left=start, color=colours, height=0.7)
    axes.set_yticks(places, names, fontsize=9)
    axes.set_ylim(len(bars) - 0.4, -0.6)  # the first on top, and no empty rows
    axes.grid(axis="x", alpha=0.3)
    axes.set_axisbelow(True)
    axes.axvline(1, color="black", linewidth=1)
    if not with_pytorch:
        _label(axes, values, ".0%", start)
        axes.set_xlim(0, 1.15 * max(1, *values))
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
        axes.set_xlabel("share of this machine's matrix product (convolution, linear) or copy")
        return
    _label(axes, values, ".2f", start)
    axes.set_xscale("log")
    low, high = min(0.5, 0.65 * min(values)), max(2.0, 1.5 * max(values))
    axes.set_xlim(low, high)
    digits = (1.0, 1.5, 2.0, 3.0, 5.0, 7.0) if high / low < 30 else (1.0, 3.0)
    ticks = [digit * 10.0**power for power in range(-4, 4) for digit in digits]
    axes.set_xticks([t for t in ticks if low <= t <= high], minor=False)
    axes.set_xticks([], minor=True)
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.set_xlabel("minise ÷ the best of PyTorch, time or memory: left of 1, minise needs less")


def _label(axes: Any, values: tuple[float, ...], form: str, start: float) -> None:
    """Write each value at the far end of its bar."""
    for place, value in enumerate(values):
        side = "right" if value < start else "left"
        axes.text(value, place, f" {value:{form}} ", ha=side, va="center", fontsize=8)


def _draw_scaling(axes: Any, curves: list[Result]) -> None:
    batches = [images_of(result) for result in curves]

    def draw(label: str, colour: str, style: str, measured: list[Any]) -> None:
        microseconds = [1e6 * m.median / n for m, n in zip(measured, batches, strict=True)]
        axes.plot(batches, microseconds, style, color=colour, label=label)

    draw("minise", OURS, "o-", [result.minise for result in curves])
    for (title, variants), style in zip(COLUMNS.items(), ("s-", "^--", "v:", "D-."), strict=True):
        theirs = [result.best(variants) for result in curves]
        if all(theirs):
            draw(title, THEIRS, style, theirs)
    axes.set_xscale("log", base=2)
    axes.set_xticks(batches, [f"{n}" for n in batches])
    axes.set_ylim(bottom=0)
    axes.set_xlabel("images in a batch")
    axes.set_ylabel("µs for each image")
    axes.set_title("a training step of se-resnet8", fontsize=10)
    axes.grid(alpha=0.3)
    axes.legend(frameon=False)
