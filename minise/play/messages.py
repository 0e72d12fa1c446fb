"""What the page asks, and what it is answered: JSON, and beside it one run of float32 numbers.

An array in an answer, A below, is {"at": k, "shape": [...]}: its numbers are those from the k-th
on; some may be NaN. A row, R below, is a list of numbers, null where one is not finite.

The page asks                                   and is answered
{"kind": "hello"}                               "net"
{"kind": "look", "image": …, "changes": …,      "seen"
 "label": 7 or null, "open": [names] or null}
{"kind": "picture"} and the bytes of a file     "picture": the digit in it, as pixels
{"kind": "step", … as of look, "lr": 0.1}       "seen", after a step against the gradient
{"kind": "undo", … as of look} or "reset"       "seen", with the weights before it, or as trained
{"kind": "check", … as of look, "of": …,        "checked": one entry of a gradient beside its
 "name": …, "index": [c, h, w] or [c]}          finite difference
{"kind": "read", "name": a layer's} or          "reading": equation, source, section of a tutorial
{"kind": "read", "panel": one of `PANELS`}

The image: {"from": "drawing", "strokes": [[[x, y], …], …]} with x and y from 0 to 1, from the
left and from the top; {"from": "test", "number": 12}; or {"from": "picture", "pixels": [0, …]},
whole numbers to 255, of a "picture" in their order.
The changes: {block: {"off": true, "like": 3, "gates": {"5": 0.2}, "squeeze": "max"}}, of which
each is optional. A block whose gates are those of pixels can only be off.

"net"      title, parameters, classes: names, image_shape: [C, H, W],
           draws: whether a drawing or a picture can be the image,
           labels: [class of each test image], wrong: [numbers of those taken for another class],
           layers: [{name, type, kind: "maps", "numbers" or "block", shape: [C, H, W] or [C];
           of a block also gates: "channels" or "pixels", squeeze: its own, or null,
           scales: whether y = s · x}],
           squeezes: names to exchange it for, means: {block: A (K, C)}, NaN for an unseen class,
           of the first blocks if all are too much for an answer
"seen"     image: A (C, H, W), scores, probabilities: R (K,), unchanged: R, the probabilities
           without the changes, label, loss (null without a label), steps: how many were taken,
           undoable: how many of them undo can take back, layers: [layer]
a layer    name, type, kind, shape as above; y: A, dy: A, null where not open (or without a
           label). At most `MOST_MAPS` maps are there, y.shape[0], of shape[0].
a block    name, type, kind: "block", shape, gates; x, y, dy, scaled, squeezed, dx: A or null, where
           dx = scaled + squeezed, the paths of the scale and of the gates, both null where those
           that were seen do not sum to it, as in a block of one's own they may not;
           z, hidden, s, own: R or null: own are the gates before any was changed;
           dz, dhidden, ds: R or null. Where gates is "pixels", z and dz are null, and hidden, s,
           own, dhidden, ds are maps: A (C, H, W) or (1, H, W), or null where not open
"picture"  image: A (C, H, W)
"checked"  of, name, index, label, backward: what the passes above show, in float32;
           exact: backward in float64; numeric: the difference (loss[1] − loss[0]) / 2 step of
           losses: [at −step, at +step], in float64; step; relative_error: of exact and numeric;
           verdict: a value of `gradcheck.Verdict`; words: a sentence
"reading"  title, says: a sentence, equations: [{text, mathml: or null}],
           sources: [{file, line, name, code}], tutorial: null or {number, title, section, html}

With "open" null all layers are, unless their maps are too many for one answer: then none is, and
a page asks for some by name, of which the first always is. Bars and scores are always there.

What is checked, `of`: "dy" of a layer or a block; "dx", "scaled", "squeezed", "dz", "dhidden",
"ds" of a block; "parameter" of a parameter's full name.

Each question has an "id", which its answer repeats. What is wrong with a question is answered by
{"kind": "refused", "message": …}.
"""

from __future__ import annotations

import json
import math
import reprlib
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from minise.arrays import Array
from minise.errors import InputError
from minise.nearest import nearest
from minise.nn.se import SQUEEZES
from minise.play.changes import Change

Points = list[tuple[float, float]]
IMAGES = ("drawing", "test", "picture")
PANELS = ("input", "scores", "loss", "step", "check")
MOST_MAPS = 64  # of one layer
MOST_POINTS = 20_000  # of a drawing
MOST_CHANGES = 100_000  # gates


class Answer(NamedTuple):
    """JSON, and the numbers that it speaks of."""

    header: dict[str, Any]
    numbers: bytes

    def as_frame(self) -> bytes:
        """In one piece: the length of the JSON in 4 bytes, little-endian; the JSON; the numbers.

        The JSON ends in spaces, so that the numbers begin at a multiple of 4.
        """
        text = json.dumps(self.header, allow_nan=False).encode()
        text += b" " * (-len(text) % 4)
        return len(text).to_bytes(4, "little") + text + self.numbers


def refused(message: str, question: object) -> Answer:
    """Why a question has no other answer; it repeats the question's id, if it has one."""
    number = question.get("id") if isinstance(question, dict) else None
    header = {"kind": "refused", "message": message, "id": number if type(number) is int else None}
    return Answer(header, b"")


class Numbers:
    """Arrays, gathered into one run of float32."""

    def __init__(self) -> None:
        self._pieces: list[npt.NDArray[np.float32]] = []
        self.count = 0

    def put(self, array: Array) -> dict[str, Any]:
        """Add an array; returns where it is, for the JSON."""
        piece = np.ascontiguousarray(array, dtype="<f4")
        place = {"at": self.count, "shape": list(piece.shape)}
        self._pieces.append(piece)
        self.count += piece.size
        return place

    def tobytes(self) -> bytes:
        """All of them."""
        return b"".join(piece.data for piece in self._pieces)


class Question(NamedTuple):
    """A message of the page, each field of which was looked at."""

    kind: str
    fields: Mapping[str, Any]

    @classmethod
    def of(cls, message: object, kinds: tuple[str, ...]) -> Question:
        """Raises `InputError` for what is no question of these kinds."""
        if not isinstance(message, dict) or not isinstance(message.get("kind"), str):
            raise InputError("a message has to be an object with a kind")
        if message["kind"] not in kinds:
            raise InputError(nearest("kind of message", message["kind"][:40], list(kinds)))
        return cls(message["kind"], message)

    def text(self, name: str) -> str:
        """The text of this field."""
        value = self.fields.get(name)
        if not isinstance(value, str):
            raise InputError(f"{self.kind}: {name} is {shown(value)}, expected a text")
        return value

    def whole(self, name: str, below: int) -> int:
        """The number of this field, from 0."""
        return _whole(f"{self.kind}: {name}", self.fields.get(name), below)

    def number(self, name: str, low: float, high: float) -> float:
        """The number of this field, from low to high."""
        return _number(f"{self.kind}: {name}", self.fields.get(name), low, high)

    def label(self, classes: int) -> int | None:
        """The class whose loss is asked for, if any."""
        if self.fields.get("label") is None:
            return None
        return self.whole("label", classes)

    def names(self, name: str) -> set[str] | None:
        """The names in this field, if it is there."""
        value = self.fields.get(name)
        if value is None:
            return None
        if not isinstance(value, list) or not all(isinstance(v, str) for v in value):
            raise InputError(f"{self.kind}: {name} is {shown(value)}, expected a list of names")
        return set(value)

    def entry(self) -> tuple[int, ...]:
        """The place in an array."""
        value = self.fields.get("index")
        if not isinstance(value, list) or len(value) > 8:
            raise InputError(f"{self.kind}: index is {shown(value)}, expected numbers as [c, h, w]")
        return tuple(_whole(f"{self.kind}: index", i, 10**9) for i in value)

    def panel(self) -> str:
        """The panel that is read of."""
        panel = self.text("panel")
        if panel not in PANELS:
            raise InputError(f"{self.kind}: {nearest('panel', panel[:40], PANELS)}")
        return panel

    def test_image(self, image: Mapping[str, Any], count: int) -> int:
        """The number of a test image."""
        return _whole(f"{self.kind}: the image's number", image.get("number"), count)

    def strokes(self, image: Mapping[str, Any]) -> list[Points]:
        """The strokes of a drawing."""
        strokes = image.get("strokes")
        if not isinstance(strokes, list) or not all(isinstance(s, list) for s in strokes):
            raise InputError(f"{self.kind}: strokes is {shown(strokes)}, expected lists of points")
        if sum(map(len, strokes)) > MOST_POINTS:
            raise InputError(f"{self.kind}: a drawing has at most {MOST_POINTS:,} points")
        for point in (point for stroke in strokes for point in stroke):
            if not isinstance(point, list) or len(point) != 2:
                raise InputError(f"{self.kind}: {shown(point)} is no point, expected [x, y]")
            for value in point:
                _number(f"{self.kind}: a point's place", value, 0, 1)
        return [[(x, y) for x, y in stroke] for stroke in strokes]

    def pixels(self, image: Mapping[str, Any], shape: tuple[int, ...]) -> Array:
        """The pixels of a picture, of this shape (C, H, W), uint8."""
        pixels, size = image.get("pixels"), math.prod(shape)
        if not isinstance(pixels, list) or len(pixels) != size:
            raise InputError(f"{self.kind}: pixels is {shown(pixels)}, expected {size} of them")
        values = [_whole(f"{self.kind}: a pixel", value, 256) for value in pixels]
        return np.array(values, np.uint8).reshape(shape)

    def changes(self) -> dict[str, Change]:
        """What was changed in which blocks."""
        given = self.fields.get("changes")
        given = {} if given is None else given
        if not isinstance(given, dict) or not all(isinstance(v, dict) for v in given.values()):
            raise InputError(f"{self.kind}: changes is {shown(given)}, expected them by block")
        return {name: self._change(name, value) for name, value in given.items()}

    def _change(self, name: str, value: Mapping[str, Any]) -> Change:
        who = f"{self.kind}: {shown(name)}"
        if unknown := set(value) - {"off", "like", "gates", "squeeze"}:
            raise InputError(f"{who} has a change called {shown(min(unknown))}")
        off, like, squeeze = value.get("off", False), value.get("like"), value.get("squeeze")
        gates = value.get("gates", {})
        if not isinstance(off, bool):
            raise InputError(f"{who}: off is {shown(off)}, expected true or false")
        if like is not None:
            like = _whole(f"{who}: like", like, 10**6)
        if squeeze is not None and squeeze not in list(SQUEEZES):  # it may be no text
            raise InputError(f"{who}: squeeze is {shown(squeeze)}, expected {', '.join(SQUEEZES)}")
        if not isinstance(gates, dict) or len(gates) > MOST_CHANGES:
            raise InputError(f"{who}: gates is {shown(gates)}, expected them by channel")
        by_channel = {}
        for channel, gate in gates.items():
            if not (channel.isascii() and channel.isdecimal() and len(channel) < 8):
                raise InputError(f"{who}: {shown(channel)} is no channel")
            by_channel[int(channel)] = _number(f"{who}: a gate", gate, -100, 100)
        return Change(off, like, by_channel, squeeze)


def _whole(what: str, value: object, below: int) -> int:
    if type(value) is not int or not 0 <= value < below:
        raise InputError(f"{what} is {shown(value)}, expected 0 to {below - 1}")
    return value


def _number(what: str, value: object, low: float, high: float) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool) or not low <= value <= high:
        raise InputError(f"{what} is {shown(value)}, expected {low:g} to {high:g}")
    return float(value)


def shown(value: object) -> str:
    """What came, short enough for an error."""
    text = reprlib.repr(value)
    return text if len(text) <= 40 else f"{text[:39]}…"
