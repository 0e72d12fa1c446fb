"""See a net think: a page, or a notebook's widget, that shows both passes of one image."""

from minise.play.widget import play

__all__ = ["play"]
