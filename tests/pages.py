"""Photos of handwritten digits, drawn: on shaded, lined, speckled and empty paper.

`python tests/pages.py RUN --seed 1` draws 300 and says how many a net reads right; with `--sheet
pages.png` they are put side by side with what the net was given.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw
from scipy import ndimage

from minise import InputError, data, runs

SIDE = 400
KINDS = (
    "clean", "fall-off", "corner", "hard edge", "lined", "squared", "grain", "specks", "box",
    "table", "blackboard", "all at once",
)  # fmt: skip
# How much of red, green and blue the ink lets through.
PENS = {
    "black": (0.12, 0.12, 0.14),
    "blue": (0.15, 0.22, 0.6),
    "red": (0.75, 0.15, 0.18),
    "green": (0.2, 0.5, 0.25),
    "pencil": (0.5, 0.5, 0.52),
    "faint": (0.68, 0.68, 0.7),
}
NONE, MANY = -1, -2  # what a page without a digit, or with several, is labelled with


class Page(NamedTuple):
    kind: str
    label: int  # 0 to 9, NONE or MANY
    source: int  # which test image was drawn
    picture: np.ndarray  # (400, 400, 3), uint8


def pages(seed, count=300, start=0):
    """Pages `start` to `count`, kinds in turn; of each kind one in eight is empty and one in eight
    has more than one digit.
    """
    digits = data.load("sample").test
    for i in range(start, count):
        rng = np.random.default_rng((seed, i))
        kind, turn = KINDS[i % len(KINDS)], i // len(KINDS) % 8
        many = int(rng.integers(2, 4)) if turn == 5 else int(turn != 2)
        sources = rng.choice(len(digits.images), many, replace=False)
        label = {0: NONE, 1: int(digits.labels[sources[:1]].sum())}.get(many, MANY)
        picture = draw(kind, [digits.images[s, 0] for s in sources], rng)
        yield Page(kind, label, int(sources[0]) if many else -1, picture)


def draw(kind, digits, rng):
    """One photo (400, 400, 3), uint8."""
    mixed = kind == "all at once"
    on_table = kind == "table" or (mixed and rng.random() < 0.3)
    paper = np.ones((SIDE, SIDE, 3)) * rng.uniform((0.85, 0.85, 0.75), 1.0)
    if kind in ("lined", "squared") or (mixed and rng.random() < 0.5):
        _rule(paper, kind == "squared" or (mixed and rng.random() < 0.5), rng)
    _write(paper, digits, kind, rng)
    if kind == "specks" or (mixed and rng.random() < 0.3):
        _specks(paper, rng)
    if kind not in ("clean", "blackboard"):
        paper = _from_aside(paper, on_table, rng)
    if kind == "blackboard":
        paper = 0.06 + 0.25 * rng.random() + (1 - paper) * rng.uniform(0.45, 0.7)
    light = _light(kind, mixed, rng)
    photo = paper * light[..., None] * rng.uniform(0.8, 1)
    photo = ndimage.gaussian_filter(photo, (*[rng.uniform(0.3, 1.2)] * 2, 0))
    strength = {"clean": 0.0, "grain": rng.uniform(0.04, 0.1)}.get(kind, rng.uniform(0.005, 0.025))
    grain = rng.normal(size=photo.shape)
    if kind == "grain" and rng.random() < 0.5:  # of coarse paper, or of a JPEG
        grain = ndimage.gaussian_filter(grain, (1, 1, 0)) * 3
    return (np.clip(photo + strength * grain, 0, 1) * 255).round().astype(np.uint8)


def _stroke(digit, height, thin):
    """How much ink there is, 0 to 1, of a digit drawn with so many pixels for MNIST's 20."""
    scale = height / 20
    large = ndimage.zoom(digit / 255.0, scale, order=1)
    large = ndimage.gaussian_filter(large, 0.25 * scale) > 0.36
    if thin < 1:
        depth = ndimage.distance_transform_edt(large)
        large = depth > (1 - thin) * ndimage.maximum_filter(depth, int(4 * scale))
    rows, columns = (np.flatnonzero(large.any(axis=axis)) for axis in (1, 0))
    large = large[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    return ndimage.gaussian_filter(np.pad(large.astype(float), 4), 0.7)


def _write(paper, digits, kind, rng):
    """Write the digits, in a box of their own where that is the kind."""
    pen = np.array(PENS[str(rng.choice(list(PENS)))])
    if kind == "blackboard":
        pen = np.full(3, 0.12)
    room = 0.55 if kind in ("table", "all at once") else 0.75  # of the page, in its middle
    thin = float(rng.choice([1, 1, 0.6]))
    large = rng.uniform(0.2, 0.45 if len(digits) > 1 or room < 0.8 else 0.6) * SIDE
    if len(digits) > 1:
        large = min(large, room * SIDE / len(digits) / 1.25)
    strokes = [_stroke(digit, large, thin) for digit in digits]
    gap = 0.25 * large
    width = sum(s.shape[1] for s in strokes) + gap * (len(strokes) - 1)
    height = max((s.shape[0] for s in strokes), default=large)
    low, high = (1 - room) / 2 * SIDE, (1 + room) / 2 * SIDE
    left = rng.uniform(low, max(low, high - width))
    top = rng.uniform(low, max(low, high - height))
    if kind == "box":
        space = rng.uniform(0.12, 0.5) * large
        corners = (
            left - space,
            top - space,
            left + max(width, large / 2) + space,
            top + height + space,
        )
        _box(paper, corners, rng)
    for stroke in strokes:
        y, x = int(top + (height - stroke.shape[0]) / 2), int(left)
        ink = paper[y : y + stroke.shape[0], x : x + stroke.shape[1]]
        stroke = stroke[: ink.shape[0], : ink.shape[1], None]
        if kind == "blackboard" or pen[0] > 0.45:  # chalk and pencil leave out some of the paper
            stroke = stroke * np.clip(rng.normal(0.9, 0.12, stroke.shape), 0, 1)
        ink *= 1 - stroke * (1 - pen)
        left += stroke.shape[1] + gap


def _drawn(shape, lines, width):
    """Lines ((x0, y0), (x1, y1)) with soft edges, 0 to 1."""
    large = Image.new("L", (shape[1] * 4, shape[0] * 4))
    for line in lines:
        ImageDraw.Draw(large).line([(4 * x, 4 * y) for x, y in line], 255, max(1, round(4 * width)))
    return np.asarray(large.resize((shape[1], shape[0]), Image.Resampling.BOX)) / 255


def _rule(paper, squared, rng):
    spacing = rng.uniform(0.04, 0.07) * SIDE if squared else rng.uniform(0.06, 0.14) * SIDE
    places = np.arange(rng.uniform(0, spacing), SIDE, spacing)
    lines = [((0, at), (SIDE, at)) for at in places]
    if squared:
        lines += [((at, 0), (at, SIDE)) for at in places]
    through = rng.uniform((0.4, 0.5, 0.7), (0.75, 0.85, 0.95))
    paper *= 1 - _drawn(paper.shape[:2], lines, rng.uniform(1, 2.5))[..., None] * (1 - through)


def _box(paper, corners, rng):
    x0, y0, x1, y1 = (min(max(c, 6), SIDE - 6) for c in corners)
    at = [(x0, y0), (x1, y0), (x1, y1), (x0, y1), (x0, y0)]
    drawn = _drawn(paper.shape[:2], [tuple(at)], rng.uniform(1.2, 5))
    paper *= 1 - drawn[..., None] * rng.uniform(0.4, 0.9)


def _specks(paper, rng):
    y, x = np.indices(paper.shape[:2])
    for _ in range(rng.integers(5, 40)):
        at, radius = rng.uniform(0, SIDE, 2), rng.uniform(0.8, 3.5)
        dust = (y - at[0]) ** 2 + ((x - at[1]) * rng.uniform(0.5, 1)) ** 2 < radius**2
        paper[dust] *= rng.uniform(0.2, 0.7)


def _from_aside(paper, on_table, rng):
    """The sheet seen a little turned and from the side, on what lies under it."""
    angle, away = np.radians(rng.normal(0, 3)), 0.18 if on_table else -0.12
    corners = np.array([(0, 0), (1, 0), (1, 1), (0, 1)]) - 0.5
    turn = np.array([(np.cos(angle), -np.sin(angle)), (np.sin(angle), np.cos(angle))])
    seen = (corners * (1 - away) + rng.normal(0, 0.012, (4, 2))) @ turn.T + 0.5
    seen += rng.normal(0, 0.02, 2)
    rows = []  # of the projective map from the photo to the sheet
    for (x, y), (u, v) in zip(seen * SIDE, (corners + 0.5) * SIDE, strict=True):
        rows += [(x, y, 1, 0, 0, 0, -u * x, -u * y), (0, 0, 0, x, y, 1, -v * x, -v * y)]
    target = ((corners + 0.5) * SIDE).reshape(-1)
    map_ = np.linalg.solve(np.array(rows), target)
    small = Image.fromarray((paper * 255).round().astype(np.uint8))
    turned, covered = (
        picture.transform((SIDE, SIDE), Image.Transform.PERSPECTIVE, map_, Image.Resampling.BICUBIC)
        for picture in (small, Image.new("L", small.size, 255))
    )
    sheet, covered = np.asarray(turned) / 255, np.asarray(covered)[..., None] / 255
    table = np.ones((SIDE, SIDE, 3)) * rng.uniform((0.1, 0.06, 0.03), (0.45, 0.35, 0.3))
    grain = ndimage.gaussian_filter(rng.normal(size=(SIDE, SIDE)), (2, 40)) * rng.uniform(0, 6)
    table *= np.clip(1 + 0.25 * grain, 0.3, 2)[..., None]
    if on_table:  # the sheet throws a shadow
        table *= 1 - 0.5 * ndimage.shift(
            ndimage.gaussian_filter(covered[..., :1], (3, 3, 0)), (3, 3, 0)
        )
    return sheet * covered + table * (1 - covered)


def _light(kind, mixed, rng):
    """How bright it is, at most 1, (400, 400)."""
    y, x = np.indices((SIDE, SIDE)) / SIDE - 0.5
    light = np.ones((SIDE, SIDE))
    if kind in ("fall-off", "blackboard", "table") or mixed:
        angle, loss = rng.uniform(0, 2 * np.pi), rng.uniform(0.2, 0.65)
        along = np.clip(x * np.cos(angle) + y * np.sin(angle) + 0.5, 0, 1)
        light *= 1 - loss * along ** rng.uniform(0.8, 2)
    elif kind != "clean":
        light *= 1 - 0.15 * rng.random() * (x + 0.5)
    if kind == "corner" or (mixed and rng.random() < 0.3):
        from_corner = np.hypot(x - 0.5 * rng.choice([-1, 1]), y - 0.5 * rng.choice([-1, 1]))
        reach, soft = rng.uniform(0.4, 0.8), rng.uniform(0.08, 0.2)
        light *= 1 - rng.uniform(0.5, 0.8) / (1 + np.exp((from_corner - reach) / soft * 2))
    if kind == "hard edge" or (mixed and rng.random() < 0.4):
        for _ in range(rng.integers(1, 3)):
            angle, at = rng.uniform(0, 2 * np.pi), rng.uniform(-0.3, 0.3)
            side = (x * np.cos(angle) + y * np.sin(angle) - at) * SIDE / rng.uniform(0.5, 5)
            light *= 1 - rng.uniform(0.25, 0.6) / (1 + np.exp(-np.clip(side, -30, 30)))
    return light


def read(page, judge):
    """What is said of a page: NONE, MANY, or what `judge` makes of the digit (28, 28) found; and
    that digit.
    """
    try:
        digit = data.fit_digit(np.asarray(Image.fromarray(page.picture).convert("L")))
    except InputError as error:
        return (MANY if "more than one" in str(error) else NONE), np.zeros((28, 28), np.uint8)
    return judge(digit), digit


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--count", type=int, default=300)
    parser.add_argument("--sheet")
    parser.add_argument("--wrong", action="store_true", help="only those on the sheet")
    options = parser.parse_args()

    net, about = runs.load_run(Path(options.run))
    test = data.load("sample").test
    drawn = list(pages(options.seed, options.count))

    def judge(digit):
        return int(np.argmax(net(data.to_input(digit[None, None], about.mean, about.std))))

    said = [read(page, judge) for page in drawn]
    # what the net makes of the images as MNIST has them
    itself = np.argmax(net(data.to_input(test.images, about.mean, about.std)), axis=1)
    print(f"{'':12} {'digits':>9} {'empty':>7} {'several':>8} {'MNIST itself':>13}")
    for kind in (*KINDS, ""):
        cells = []
        for wanted in ("digit", NONE, MANY):
            right = [
                s == page.label
                for page, (s, _) in zip(drawn, said, strict=True)
                if kind in ("", page.kind) and (page.label if page.label < 0 else "digit") == wanted
            ]
            cells.append(f"{sum(right)}/{len(right)}")
        alone = [
            itself[p.source] == p.label for p in drawn if kind in ("", p.kind) and p.label >= 0
        ]
        cells.append(f"{sum(alone)}/{len(alone)}")
        print("{:12} {:>9} {:>7} {:>8} {:>13}".format(kind or "all", *cells))
    right = sum(s == page.label for page, (s, _) in zip(drawn, said, strict=True))
    print(f"{right} of {len(drawn)} right: {right / len(drawn):.1%}")
    if options.sheet:
        shown = [
            (i, page, s, digit)
            for i, (page, (s, digit)) in enumerate(zip(drawn, said, strict=True))
            if not options.wrong or s != page.label
        ]
        _sheet(shown).save(options.sheet)


def _sheet(shown, across=10, size=160):
    down = -(-len(shown) // across)
    sheet = Image.new("RGB", (across * size, down * (size + 70)), "white")
    for i, (number, page, said, digit) in enumerate(shown):
        x, y = i % across * size, i // across * (size + 70)
        sheet.paste(Image.fromarray(page.picture).resize((size - 4, size - 4)), (x, y))
        sheet.paste(Image.fromarray(digit).resize((56, 56)), (x, y + size - 2))
        text = f"{number} {page.kind}\nis {page.label} said {said}"
        ImageDraw.Draw(sheet).text(
            (x + 60, y + size), text, "black" if page.label == said else "red"
        )
    return sheet


if __name__ == "__main__":
    main()
