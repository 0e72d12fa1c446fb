"""One page's dealings with a net: a copy of it, which steps may change, and the picture it sees."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import numpy as np

from minise.arrays import Array, asnumpy
from minise.errors import InputError
from minise.nn import Layer
from minise.play.collection import Collection
from minise.play.drawing import drawn_digit
from minise.play.messages import Answer, Numbers, Question, shown
from minise.play.watch import Block, Part, Watched, watch

KINDS = ("hello", "look", "picture", "step", "undo", "reset", "check", "read")
MOST_MAPS = 64  # of one layer
MOST_NUMBERS = 2**20  # in one answer, unless layers are asked for by name


class Session:
    """Answers the page's questions. The net it is given is copied, and stays as it is."""

    def __init__(self, net: Layer, collection: Collection, title: str = "") -> None:
        self.collection, self.title = collection, title
        self.net = copy.deepcopy(net)
        self._picture: Array | None = None  # (C, H, W), the last that was dropped

    def answer(self, message: object, content: bytes | None = None) -> Answer:
        """What to send back for one message, and the bytes that came with it."""
        number = message.get("id") if isinstance(message, dict) else None
        try:
            question = Question.of(message, KINDS)
            header, numbers = self._answer(question, content)
        except InputError as error:
            header, numbers = {"kind": "refused", "message": str(error)}, Numbers()
        return Answer(header | {"id": number if type(number) is int else None}, numbers.tobytes())

    def _answer(self, q: Question, content: bytes | None) -> tuple[dict[str, Any], Numbers]:
        match q.kind:
            case "hello":
                return self.about()
            case "look":
                return self.look(q)
            case _:
                raise InputError(f"{q.kind}: not built yet")

    def about(self) -> tuple[dict[str, Any], Numbers]:
        """What is known before any image: the net, its classes, and images to pick."""
        numbers, c = Numbers(), self.collection
        known = c.labels if c.labels is not None else c.answers
        image = c.images[0]
        header = {
            "kind": "net",
            "title": self.title,
            "parameters": sum(p.value.size for p in self.net.parameters()),
            "classes": [c.class_name(k) for k in range(self._classes())],
            "image_shape": list(image.shape),
            "draws": c.takes_drawings,
            "labels": known.tolist(),
            "wrong": [] if c.labels is None else np.flatnonzero(c.answers != c.labels).tolist(),
            "layers": [
                {"name": layer.name, "type": type(layer.layer).__name__}
                for layer in self._watched(image, {}).shown()
            ],
            "means": {name: numbers.put(mean) for name, mean in c.means.items()},
        }
        return header, numbers

    def look(self, q: Question) -> tuple[dict[str, Any], Numbers]:
        """Both passes of the question's image."""
        numbers = Numbers()
        image = self._image(q)
        label, changes = q.label(self._classes()), q.changes()
        for name in changes:
            if name not in self.collection.means:
                raise InputError(f"{q.kind}: there is no block {shown(name)}")
        before = self._watched(image, {}) if changes else None
        watched = self._watched(image, changes)
        if label is not None:
            watched.backward(label)
            self.net.zero_grad()
        opened = q.names("open")
        layers = watched.shown()
        if opened is None:
            few = sum(layer.y.size for layer in layers) * (2 if label is None else 5) < MOST_NUMBERS
            opened = {layer.name for layer in layers if few or isinstance(layer, Block)}
        p, unchanged = (_probabilities(w.scores[0]) for w in (watched, before or watched))
        header = {
            "kind": "seen",
            "image": numbers.put(image),
            "scores": watched.scores[0].tolist(),
            "probabilities": p.tolist(),
            "unchanged": unchanged.tolist(),  # the probabilities without `changes`
            "label": label,
            "loss": watched.loss,
            "steps": 0,
            "layers": [
                self._block(layer, numbers, layer.name in opened)
                if isinstance(layer, Block)
                else self._part(layer, numbers, layer.name in opened)
                for layer in layers
            ],
        }
        return header, numbers

    def _part(self, part: Part, numbers: Numbers, opened: bool) -> dict[str, Any]:
        return {
            "name": part.name,
            "kind": "maps" if part.y.ndim == 4 else "numbers",
            "shape": list(part.y.shape[1:]),
            "y": _some(part.y, numbers) if opened else None,
            "dy": _some(part.dy, numbers) if opened else None,
        }

    def _block(self, block: Block, numbers: Numbers, opened: bool) -> dict[str, Any]:
        maps = ("x", "y", "scaled", "squeezed", "dx")
        rows = ("z", "hidden", "s", "own", "dz", "ds")
        found: dict[str, Any] = {
            "name": block.name,
            "kind": "block",
            "shape": list(block.x.shape[1:]),
        }
        for name in maps:
            found[name] = _some(getattr(block, name), numbers) if opened else None
        for name in rows:
            row = getattr(block, name)
            found[name] = None if row is None else row[0].astype(float).tolist()
        return found

    def _watched(self, image: Array, changes: Mapping[str, Any]) -> Watched:
        return watch(self.net, self.collection.input(image), changes, self.collection.means)

    def _image(self, q: Question) -> Array:
        """The image (C, H, W) that a question is about."""
        given, c = q.fields.get("image"), self.collection
        if not isinstance(given, dict):
            raise InputError(f"{q.kind}: image is {shown(given)}, expected where it is from")
        match given.get("from"):
            case "test":
                number = given.get("number")
                if type(number) is not int or not 0 <= number < len(c.images):
                    raise InputError(
                        f"{q.kind}: image {shown(number)}, expected 0 to {len(c.images) - 1}"
                    )
                test: Array = c.images[number]
                return test
            case "drawing" if c.takes_drawings:
                digit = drawn_digit(q.strokes(given))
                return (digit if c.mean <= 0.5 else 255 - digit)[None]
            case "picture" if self._picture is not None:
                return self._picture
        raise InputError(f"{q.kind}: there is no image from {shown(given.get('from'))}")

    def _classes(self) -> int:
        return int(asnumpy(self.net(self.collection.input(self.collection.images[0]))).shape[1])


def _some(array: Array | None, numbers: Numbers) -> dict[str, Any] | None:
    """Where the first maps of an array (1, C, …) are; none where it is not there."""
    return None if array is None else numbers.put(array[0, :MOST_MAPS])


def _probabilities(scores: Array) -> Array:
    p = np.exp(scores.astype(np.float64) - float(scores.max()))
    probabilities: Array = p / p.sum()
    return probabilities
