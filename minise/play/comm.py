"""The page as a widget, which asks over the notebook's own connection. It imports anywidget."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import anywidget

from minise.figures import png
from minise.nn import Layer
from minise.play import picture
from minise.play.collection import Collection
from minise.play.messages import refused
from minise.play.session import Session

PAGE = Path(__file__).parent / "page"


class Widget(anywidget.AnyWidget):
    """The page, with a session of its own until `close` is called."""

    _esm = (PAGE / "play.js").read_text("utf-8")
    _css = (PAGE / "play.css").read_text("utf-8")
    _ipython_display_ = None  # ipywidgets 7, as Colab has it, would show itself without the picture

    def __init__(self, net: Layer, collection: Collection) -> None:
        figure, told = picture.draw(net, collection)
        self._picture, self._told = png(figure), told
        self._session: Session | None = Session(net, collection)
        super().__init__()
        self.on_msg(self._answer)

    def _answer(self, _: Widget, question: object, buffers: list[Any]) -> None:
        """Jupyter may call it from a thread of its own, while a cell runs."""
        session = self._session
        if session is None:
            return
        try:
            content = bytes(buffers[0]) if buffers else None
            answer = session.answer(question, content)
        except Exception as error:  # else its traceback would be in whichever cell runs
            message = f"this cannot be computed: {type(error).__name__}: {error}"
            answer = refused(message, question)
        self.send(answer.header, buffers=[answer.numbers])

    def close(self) -> None:
        """End the session: what is shown no longer answers."""
        super().close()
        if self._session is not None:
            self._session.close()
        self._session = None

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        """The widget, and beside it a picture for where no kernel runs."""
        bundle = super()._repr_mimebundle_(**kwargs)
        if bundle is None:
            return None
        data, metadata = bundle
        data["image/png"] = base64.b64encode(self._picture).decode()
        data["text/plain"] = f"minise.play: {self._told}"
        return data, metadata | {"image/png": {"width": picture.WIDTH}}
