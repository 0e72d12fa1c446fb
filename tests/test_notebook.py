"""Parts of what Jupyter shows."""

import base64
from html.parser import HTMLParser

import pytest

from minise import notebook


def contrast(one, two):
    """Of two colours such as #1a7f37 (WCAG 2.1)."""

    def luminance(colour):
        values = [int(colour[k : k + 2], 16) / 255 for k in (1, 3, 5)]
        linear = [v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in values]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    light, dark = sorted([luminance(one), luminance(two)], reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("colour", notebook.COLOURS.values())
def test_verdicts_can_be_read_in_any_theme(colour):
    assert contrast("#ffffff", colour) >= 4.5


class Balanced(HTMLParser):
    def __init__(self, page):
        super().__init__()
        self.open, self.text = [], []
        self.feed(page)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        if tag != "img":
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, text):
        self.text.append(text)


def test_all_text_is_escaped_and_all_that_is_opened_is_closed():
    evil = '<img src=x onerror="a()">&'
    page = notebook.page(
        notebook.title(evil, evil),
        notebook.verdict(evil, True),
        notebook.table([evil], [[evil], [evil]], left=(0,), indents=[0, 1]),
        notebook.notes([evil]),
        notebook.code(evil),
        notebook.picture(b"\x89PNG", evil),
    )
    assert page.count("<img ") == 1
    assert "".join(Balanced(page).text).count(evil) == 8


def test_nothing_is_wider_than_the_page():
    table = notebook.table(["a"], [["b"]], left=())
    assert table.startswith('<div style="overflow-x:auto;max-width:100%"><table')
    assert "overflow-x:auto" in notebook.code("x")
    picture = notebook.picture(b"\x89PNG", "what it shows")
    assert "max-width:100%;height:auto" in picture
    assert f"data:image/png;base64,{base64.b64encode(bytes([0x89]) + b'PNG').decode()}" in picture


def test_no_notes_are_no_list():
    assert notebook.notes([]) == ""
