"""The page as a widget, which asks over the notebook's own connection. It imports anywidget."""

from __future__ import annotations

import base64
import contextvars
import threading
from pathlib import Path
from typing import Any

import anywidget

from minise.figures import png
from minise.nn import Layer
from minise.play import picture
from minise.play.collection import Collection
from minise.play.messages import Answer
from minise.play.session import Session

PAGE = Path(__file__).parent / "page"


class Widget(anywidget.AnyWidget):
    """The page of one session, for as long as `close` was not called."""

    _esm = (PAGE / "play.js").read_text("utf-8")
    _css = (PAGE / "play.css").read_text("utf-8")

    def __init__(self, net: Layer, collection: Collection) -> None:
        self._session: Session | None = Session(net, collection)
        # Jupyter may ask from a thread of its own, which else would have another backend
        self._context = contextvars.copy_context()
        self._one_at_a_time = threading.Lock()
        super().__init__()
        self.on_msg(self._answer)

    def _answer(self, _: Widget, question: object, buffers: list[Any]) -> None:
        with self._one_at_a_time:
            session = self._session
            if session is None:
                return
            content = bytes(buffers[0]) if buffers else None
            try:
                answer = self._context.run(session.answer, question, content)
            except Exception as error:  # else a traceback in whichever cell runs
                number = question.get("id") if isinstance(question, dict) else None
                message = f"this went wrong in minise: {type(error).__name__}: {error}"
                answer = Answer({"kind": "refused", "message": message, "id": number}, b"")
        self.send(answer.header, buffers=[answer.numbers])

    def close(self) -> None:
        """End the session; what is shown no longer answers."""
        super().close()
        self._session = None

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        """The widget, and a picture for where no kernel runs."""
        bundle = super()._repr_mimebundle_(**kwargs)
        if bundle is None or self._session is None:
            return bundle
        data, metadata = bundle
        figure, told = self._context.run(
            picture.draw, self._session.net, self._session.collection
        )
        data["image/png"] = base64.b64encode(png(figure)).decode()
        data["text/plain"] = f"minise.play: {told}"
        return data, metadata | {"image/png": {"width": picture.WIDTH}}
