"""A photo of one digit, made to look like those of MNIST.

MNIST's digits are light ink on black, scaled without distortion to fit a square of 20 pixels, and
placed in 28×28 so that their centre of mass is at pixel (14, 14) (LeCun, Cortes and Burges).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from minise.data.batches import Images
from minise.data.paper import Floats, Sheet, is_light, look_at, running
from minise.data.pieces import Mask, Piece, pieces_of
from minise.errors import InputError

if TYPE_CHECKING:
    from PIL.Image import Image

SIZE, BOX = 28, 20
WORKING = 400  # pixels of the longer side in which ink is looked for
WINDOWS = 0.12, 0.18, 0.25  # of the longer side: strokes are narrower; from small digits to large
# The share of a piece's rim that is sharp if it is ink, not a remnant of shadow; for each window.
SHARP = dict(zip(WINDOWS, (0.75, 0.8, 0.85), strict=True))
GRAINY = 0.02  # of the paper's brightness: such a picture is blurred more
LEAST = 0.07  # of the longer side: what is smaller is a speck
FAINT = 0.25  # of the strongest ink; what is fainter is paper, and does not count for the frame


def fit_digit(grey: Images) -> Images:
    """Grey values (H, W) of any size -> a digit in the style of MNIST, (28, 28), uint8.

    Ink may be darker than the paper or lighter. Shadows, ruled lines, a box around it, specks,
    grain, and the table beside the sheet are left out. Raises `InputError` where there is no digit,
    or more than one.
    """
    return place_digit(_ink_of_digit(grey))


def place_digit(ink: Floats) -> Images:
    """The ink of a digit (H, W), 0 for none to 1 -> (28, 28), uint8, placed as MNIST's are.

    `fit_digit` ends with this. Raises `InputError` where there is no ink.
    """
    rows, columns = (np.flatnonzero((ink > FAINT).any(axis=axis)) for axis in (1, 0))
    if not rows.size:
        raise InputError("there is no ink to place")
    return _placed(ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1])


def _ink_of_digit(grey: Images) -> Floats:
    """0 for paper to 1 for the digit's ink, in a picture of at most 400 pixels a side."""
    from PIL import Image

    picture = Image.fromarray(grey)
    picture.thumbnail((WORKING, WORKING), Image.Resampling.BOX)
    longer = max(picture.size)
    windows = WINDOWS if longer >= 100 else WINDOWS[-1:]
    least = 0.0
    for window in windows:
        sheet = _sheet_of(picture, window * longer)
        digit, several = _digit_of(sheet, longer, SHARP[window])
        size = max(digit[0].height, digit[0].width) / longer if digit else 0
        if least < size < 3 * window:  # no stroke is wider than a third of its digit
            break
        if window != windows[-1]:
            least = 2.7 * window  # what is smaller would have been found
    if size <= least:
        raise InputError("there is no digit in the picture")
    if several:
        raise InputError("there is more than one digit in the picture")

    written = np.zeros(sheet.ink.shape, bool)
    for p in digit:
        written[p.rows, p.columns] = True
    near = running(np.pad(written, 1), 3, np.maximum)  # with the soft rim of the strokes
    strong = np.quantile(sheet.ink[written], 0.75)
    return np.clip(sheet.ink * near / strong, 0, 1)


def _sheet_of(picture: Image, window: float) -> Sheet:
    """A picture as dark ink on light paper, blurred as much as its grain requires."""
    from PIL import ImageFilter

    longer = max(picture.size)
    for blur in (longer / 500, longer / 200):
        values = np.asarray(picture.filter(ImageFilter.GaussianBlur(blur))).astype(float)
        if is_light(values, max(5, int(0.16 * longer) | 1)):
            values = 255 - values
        sheet = look_at(values, int(window) | 1)
        if np.median(sheet.grain) < GRAINY:
            break
    return sheet


def _digit_of(sheet: Sheet, longer: int, sharp: float) -> tuple[list[Piece], bool]:
    """The pieces of ink that are the digit, the main one first; and whether there is another."""
    mask = sheet.ink > np.maximum(5 * sheet.grain, 0.08)
    whole = [p for p in pieces_of(mask, LEAST / 2 * longer) if _may_be_digit(p, mask)]
    unboxed = [p for p in whole if not _is_frame(p, whole)]
    strength = {p: float(np.quantile(sheet.ink[p.rows, p.columns], 0.75)) for p in unboxed}
    pieces = [p for p in unboxed if _edge(p, sheet, strength[p]) > sharp]
    large = [p for p in pieces if max(p.height, p.width) >= LEAST * longer]
    # no dash, and no side of a box, which is thinner than a pen's 1
    large = [p for p in large if p.height > 0.3 * p.width and p.width > 0.07 * p.height]
    large = [p for p in large if _thickness(p) > 0.03 * p.height]
    if not large:
        return [], False
    main = max(large, key=lambda p: p.height * strength[p])
    digit, several = [main], False
    for p in pieces:
        size = max(p.height, p.width) / main.height
        if p is main or strength[p] < 0.4 * strength[main] or not 0.1 < size < 1.5:
            continue
        another = p in large and size > 0.55
        beside = p.right <= main.left or main.right <= p.left
        if main.gap(p) < 0.1 * main.height and not (another and beside):
            digit.append(p)
        elif another:
            several = True
    return digit, several


def _thickness(p: Piece) -> float:
    """Of its strokes, in pixels: their rims are two of their length."""
    inside = np.zeros((p.height + 2, p.width + 2), bool)
    inside[p.rows - p.top + 1, p.columns - p.left + 1] = True
    core = np.count_nonzero(running(inside, 3, np.minimum))
    return 2 * len(p.rows) / (len(p.rows) - core)


def _edge(p: Piece, sheet: Sheet, strength: float) -> float:
    """How much of its rim is sharp, 0 to 1: nearly all for ink, little for remnants of shadow."""
    reach = 2 + max(p.height, p.width) // 16  # an enlarged picture of MNIST is that soft
    near = np.pad(sheet.grey, reach + 1, mode="edge")
    near = near[p.top : p.bottom + 2 * reach + 2, p.left : p.right + 2 * reach + 2]
    inside = np.zeros((p.height + 4, p.width + 4), bool)
    inside[p.rows - p.top + 2, p.columns - p.left + 2] = True
    around = running(inside, 3, np.maximum) & ~inside[1:-1, 1:-1]  # a pixel wide
    darkest = running(near, 2 * reach + 1, np.minimum)
    paper = near[reach:-reach, reach:-reach]
    return float((darkest < paper * (1 - 0.5 * strength))[around].mean())


def _may_be_digit(p: Piece, mask: Mask) -> bool:
    """Whether it is whole: inside the picture, touching the edge in one place, or filling it."""
    height, width = mask.shape
    at_edge = (p.rows == 0) | (p.rows == height - 1) | (p.columns == 0) | (p.columns == width - 1)
    contact = int(at_edge.sum())
    if p.height > 0.9 * height and p.width > 0.9 * width:
        return bool(contact < 0.6 * (height + width))
    rows, columns = p.rows[at_edge], p.columns[at_edge]
    along = max(np.ptp(rows), np.ptp(columns)) if contact else 0
    return bool(along < 0.35 * max(p.height, p.width))


def _is_frame(p: Piece, others: list[Piece]) -> bool:
    """Whether it is a box around another, or a box alone: thin, and with four corners."""
    for o in others:
        if (
            p.top < o.top and o.bottom < p.bottom and p.left < o.left and o.right < p.right
            and o.height > 0.25 * p.height
        ):  # fmt: skip
            return True
    down, right = (p.rows - p.top) / p.height, (p.columns - p.left) / p.width
    corners = all(
        ((abs(down - y) < 0.12) & (abs(right - x) < 0.12)).any() for y in (0, 1) for x in (0, 1)
    )
    middle = (abs(down - 0.5) < 0.25) & (abs(right - 0.5) < 0.25)
    return corners and not bool(middle.any())


def _placed(ink: Floats) -> Images:
    """A digit's ink, cut out, in a box of 20 in 28×28."""
    from PIL import Image

    scale = BOX / max(ink.shape)
    height, width = (max(1, round(side * scale)) for side in ink.shape)
    small = np.asarray(
        Image.fromarray((ink * 255).astype(np.uint8)).resize(
            (width, height), Image.Resampling.BOX if scale < 1 else Image.Resampling.BILINEAR
        )
    ).astype(float)
    small *= 255 / small.max()

    top, left = (_start(small.sum(axis=axis)) for axis in (1, 0))
    digit = np.zeros((SIZE, SIZE), np.uint8)
    digit[top : top + height, left : left + width] = small.round()
    return digit


def _start(mass: Floats) -> int:
    """Where a stretch with this mass begins, for its centre of mass to be pixel 14 of 28."""
    centre = (mass * np.arange(mass.size)).sum() / mass.sum()
    return int(np.clip(round(SIZE / 2 - centre), 0, SIZE - mass.size))
