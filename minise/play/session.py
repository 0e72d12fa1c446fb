"""One page's dealings with a net: a copy of it, which steps may change."""

from __future__ import annotations

import copy
import io
import threading
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from minise import backend, data
from minise.arrays import Array, asnumpy
from minise.errors import InputError
from minise.nn import Layer
from minise.nn.se import SQUEEZES
from minise.play import checking, reading
from minise.play.changes import Change
from minise.play.collection import Collection
from minise.play.drawing import drawn_digit
from minise.play.messages import Answer, Numbers, Question, shown
from minise.play.showing import MOST_NUMBERS, about, layers_shown, row
from minise.play.steps import Steps
from minise.play.watch import NONE, Watcher
from minise.play.watched import Block, Watched

KINDS = ("hello", "look", "picture", "step", "undo", "reset", "check", "read")
MOST_BYTES = 2**25  # of a picture's file
FASTEST = 1000.0  # the largest rate of a step


class _View(NamedTuple):
    """What a question wants to see."""

    image: Array  # (C, H, W)
    changes: dict[str, Change]
    label: int | None
    opened: set[str] | None


class Session:
    """Answers the page's questions. The net it is given is copied, and stays as it is.

    The backend is that in use when the session is made.
    """

    def __init__(self, net: Layer, collection: Collection, title: str = "") -> None:
        self.collection, self.title = collection, title
        self.net = copy.deepcopy(net)
        self._watcher, self._steps = Watcher(self.net), Steps(self.net)
        self._closed = threading.Event()
        self._backend, self._one_at_a_time = backend.current().name, threading.Lock()

    def answer(self, message: object, content: bytes | None = None) -> Answer:
        """What to send back for one message, and the bytes that came with it."""
        number = message.get("id") if isinstance(message, dict) else None
        numbers = Numbers()
        try:
            question = Question.of(message, KINDS)
            with (
                self._one_at_a_time,
                backend.using(self._backend),
                np.errstate(all="ignore"),  # what is not finite is refused, not warned of
            ):
                header = self._answer(question, content, numbers)
        except InputError as error:
            header, numbers = {"kind": "refused", "message": str(error)}, Numbers()
        return Answer(header | {"id": number if type(number) is int else None}, numbers.tobytes())

    def close(self) -> None:
        """End soon what another thread is computing, since nobody waits for it any more."""
        self._closed.set()

    def _answer(self, q: Question, content: bytes | None, numbers: Numbers) -> dict[str, Any]:
        match q.kind:
            case "hello":
                return self._about(numbers)
            case "picture":
                return self._read_picture(content, numbers)
            case "read":
                if q.fields.get("panel") is not None:
                    return reading.of_panel(q.panel())
                return reading.of_layer(self._watcher, q.text("name"))
            case "check":
                return self._check(q)
            case "look":
                return self._look(self._view(q), numbers)
        view = self._view(q)
        with self._steps.or_none():
            match q.kind:
                case "step":
                    self._step(view, q.number("lr", 0, FASTEST))
                case "undo":
                    self._steps.undo()
                case "reset":
                    self._steps.reset()
            return self._look(view, numbers)

    def _about(self, numbers: Numbers) -> dict[str, Any]:
        """What is known before any image: the net, its classes, and images to pick."""
        c = self.collection
        known = c.answers if c.labels is None else c.labels
        return {
            "kind": "net",
            "title": self.title,
            "parameters": sum(p.value.size for p in self.net.parameters()),
            "classes": [c.class_name(k) for k in range(c.classes)],
            "image_shape": list(c.images.shape[1:]),
            "draws": c.takes_drawings,
            "labels": known.tolist(),
            "wrong": [] if c.labels is None else np.flatnonzero(c.answers != c.labels).tolist(),
            "layers": self._layers,
            "squeezes": list(SQUEEZES),
            "means": {
                name: numbers.put(mean)
                for name, mean in c.means.items()
                if numbers.count + mean.size <= MOST_NUMBERS
            },
        }

    @cached_property
    def _layers(self) -> list[dict[str, Any]]:
        image = self.collection.images[0]
        return [
            about(layer) | ({"scales": layer.scales} if isinstance(layer, Block) else {})
            for layer in self._watched(image, {}).shown()
        ]

    def _look(self, view: _View, numbers: Numbers) -> dict[str, Any]:
        """Both passes of an image."""
        image, changes, label, opened = view
        watched = self._passed(view)
        unchanged = watched.scores
        if any(change != NONE for change in changes.values()):
            unchanged = asnumpy(self.net(self.collection.input(image)))
        return {
            "kind": "seen",
            "image": numbers.put(image),
            "scores": row(watched.scores),
            "probabilities": _probabilities(watched.scores),
            "unchanged": _probabilities(unchanged),
            "label": label,
            "loss": watched.loss,
            "steps": self._steps.count,
            "undoable": self._steps.undoable,
            "layers": layers_shown(watched, opened, numbers),
        }

    def _step(self, view: _View, lr: float) -> None:
        if view.label is None:
            raise InputError("step: choose the class that the image is to be of")
        self._passed(view)
        self._steps.step(lr)

    def _check(self, q: Question) -> dict[str, Any]:
        view = self._view(q)
        if view.label is None:
            raise InputError("check: choose the class whose loss is meant")
        point = checking.Point(q.text("of"), q.text("name"), q.entry())
        x, means = self.collection.input(view.image), self.collection.means
        seen = self._passed(view)
        found = checking.check(
            self.net, seen, x, view.label, view.changes, means, point, self._closed.is_set
        )
        return {"kind": "checked", "label": view.label} | found

    def _read_picture(self, content: bytes | None, numbers: Numbers) -> dict[str, Any]:
        """The digit in a picture file, as `minise predict` would see it."""
        c = self.collection
        if not c.takes_drawings:
            shape = "×".join(map(str, c.images.shape[1:]))
            raise InputError(f"picture: the net takes images {shape}, not grey ones of 28×28")
        if content is None:
            raise InputError("picture: the bytes of a file are missing")
        if len(content) > MOST_BYTES:
            raise InputError(f"picture: the file has more than {MOST_BYTES // 2**20} MB")
        image = c.as_learned(data.fit_digit(data.read_picture(io.BytesIO(content))))[None]
        return {"kind": "picture", "image": numbers.put(image)}

    def _view(self, q: Question) -> _View:
        label = q.label(self.collection.classes)
        return _View(self._image(q), q.changes(), label, q.names("open"))

    def _passed(self, view: _View) -> Watched:
        """Both passes, or without a label the first. Raises `InputError` for infinite scores."""
        watched = self._watched(view.image, view.changes)
        if not np.isfinite(watched.scores).all():
            raise InputError(
                "the scores are not finite: move the gates back, take smaller steps, or undo some"
            )
        if view.label is not None:
            self.net.zero_grad()
            watched.backward(view.label)
        return watched

    def _watched(self, image: Array, changes: dict[str, Change]) -> Watched:
        return self._watcher.watch(self.collection.input(image), changes, self.collection.means)

    def _image(self, q: Question) -> Array:
        """The image (C, H, W) that a question is about."""
        given, c = q.fields.get("image"), self.collection
        if not isinstance(given, dict):
            raise InputError(f"{q.kind}: image is {shown(given)}, expected where it is from")
        match given.get("from"):
            case "test":
                image: Array = c.images[q.test_image(given, len(c.images))]
                return image
            case "drawing" if c.takes_drawings:
                return c.as_learned(drawn_digit(q.strokes(given)))[None]
            case "picture" if c.takes_drawings:
                return q.pixels(given, c.images.shape[1:])
        raise InputError(f"{q.kind}: there is no image from {shown(given.get('from'))}")


def _probabilities(scores: Array) -> list[float]:
    p = np.exp(scores[0].astype(np.float64) - float(scores.max()))
    return list((p / p.sum()).tolist())
