"""Every link leads somewhere: equations, lines of source, sections of the tutorials."""

import builtins
import inspect
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import playing
import pytest
from playing import session_of

import minise
from minise import models, nn
from minise.lessons import find_notebooks
from minise.play import equations, reading, sections, source
from minise.play.messages import PANELS
from minise.play.watch import Watcher

PACKAGE = Path(minise.__file__).parent
SMALL = [n for n in models.names() if max(models.image_shape(n)[1:]) <= 32 and "1" not in n]


class Checked(HTMLParser):
    """Notes all tags, and that each is closed in its turn."""

    def __init__(self):
        super().__init__()
        self.open, self.links, self.pictures, self.tags = [], [], [], set()

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        if tag == "img":
            self.pictures.append(dict(attrs))
        elif tag not in ("br", "hr", "mspace"):
            self.open.append(tag)
        if tag == "a":
            self.links.append(dict(attrs))

    def handle_endtag(self, tag):
        if tag != "mspace":
            assert self.open.pop() == tag

    @classmethod
    def of(cls, html):
        parser = cls()
        parser.feed(html)
        parser.close()
        assert not parser.open
        return parser


def layers():
    """Every type of layer that is shown of any net, with one of them."""
    found = {}
    watchers = [Watcher(net) for net in playing.nets().values() if net.parameters()]
    x = np.zeros((1, 1, playing.SIDE, playing.SIDE), np.float32)
    for watcher in watchers:
        for layer in watcher.watch(x).shown():
            found[type(layer.layer)] = watcher, layer.name
    for name in SMALL:
        watcher = Watcher(models.create(name))
        C, H, W = models.image_shape(name)
        for layer in watcher.watch(np.zeros((1, C, H, W), np.float32)).shown():
            found[type(layer.layer)] = watcher, layer.name
    return found


LAYERS = layers()


def test_what_is_looked_at_is_all_that_there_is():
    assert len(SMALL) > 15
    blocks = {nn.SEBlock, nn.ECA, nn.EffectiveSE, nn.GatherExcite, nn.NoSqueeze, nn.SpatialSE}
    hosts = {nn.Residual, nn.Bottleneck, nn.InvertedResidual, nn.ConcurrentSE}
    assert blocks | hosts | {nn.Conv2d, nn.Linear, nn.SiLU, nn.HardSwish} <= set(LAYERS)


def check_equations(read):
    assert read["equations"]
    for equation in read["equations"]:
        assert equation["text"]
        assert equation["mathml"].startswith("<math")
        Checked.of(equation["mathml"])
        assert "\\" not in equation["mathml"]  # a command that was not understood


def check_sources(read):
    assert read["sources"]
    for piece in read["sources"]:
        path = PACKAGE.parent / piece["file"]
        lines = path.read_text(encoding="utf-8").splitlines()
        first = piece["code"].splitlines()[0]
        assert lines[piece["line"] - 1].strip() == first
        name = piece["name"].rpartition(".")[2]
        assert f"def {name}(" in piece["code"]


def check_tutorial(read):
    section = read["tutorial"]
    assert section is not None
    assert section["html"]
    parsed = Checked.of(section["html"])
    for link in parsed.links:
        assert link == {} or link["href"].startswith("https://")
    for picture in parsed.pictures:
        assert picture["src"].startswith("data:image/png;base64,")
        assert picture["alt"]
    assert not parsed.tags & {"script", "iframe", "style", "link", "form"}
    name = next(p for p in find_notebooks(PACKAGE) if p.name.startswith(f"{section['number']:02}-"))
    cells = json.loads(name.read_text(encoding="utf-8"))["cells"]
    markdown = "\n".join("".join(c["source"]) for c in cells if c["cell_type"] == "markdown")
    assert f"\n## {section['section']}\n" in f"\n{markdown}\n"
    assert f"# {section['number']}. {section['title']}\n" in markdown


@pytest.mark.parametrize("kind", LAYERS, ids=lambda kind: kind.__name__)
def test_every_layer_that_is_shown_can_be_read(kind):
    read = reading.of_layer(*LAYERS[kind])
    assert read["title"] == kind.__name__
    assert read["says"]
    check_equations(read)
    check_sources(read)
    check_tutorial(read)
    written = [piece["name"] for piece in read["sources"]]
    assert any(name.endswith((".forward", "Residual.join")) for name in written)


@pytest.mark.parametrize("panel", PANELS)
def test_every_panel_can_be_read(panel):
    read = reading.of_panel(panel)
    assert (read["title"], read["says"]) == reading.SAYS[panel]
    assert read["says"]
    check_equations(read)
    check_sources(read)
    check_tutorial(read)


@pytest.mark.parametrize("page", [*equations.LAYERS.values(), *equations.PANELS.values()])
def test_every_section_exists_and_every_formula_is_known(page):
    assert sections.find(page.step, page.section) is not None
    assert all(sections.mathml(latex) for _, latex in page.equations)


def formulas():
    for path in find_notebooks(PACKAGE):
        if path.name.count(".") == 1:
            for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
                if cell["cell_type"] == "markdown":
                    for code, block, line in sections.MATH.findall("".join(cell["source"])):
                        if not code:
                            yield block or line


def test_every_formula_of_the_tutorials_is_understood():
    some = list(formulas())
    assert len(some) > 500
    for latex in some:
        made = sections.mathml(latex)
        assert made is not None
        text = re.sub("<[^>]*>", " ", made)
        assert "\\" not in text  # a command
        assert not {"&", "&amp;", "&#x00026;"} & set(text.split())  # where columns meet


def test_lines_of_a_formula_stand_below_each_other():
    made = sections.mathml(r"\begin{aligned} y &= x \\ z &= y \end{aligned}", display=True)
    assert made.count("<mtr>") == 2


def test_the_source_of_a_block_is_all_that_computed_it():
    names = [piece["name"] for piece in source.of_layer(nn.SEBlock(4, 2))]
    assert names[:2] == ["SEBlock.forward", "SEBlock.gates"]
    for op in ("channel_scale", "gates_gradient", "global_avg_pool", "linear", "relu", "sigmoid"):
        assert op in names
    assert {"_channel_scale", "_gates_gradient", "_sigmoid_backward"} <= set(names)
    assert not any("masked" in name for name in names)
    joined = [piece["name"] for piece in source.of_layer(nn.SEBlock(4, 2), joined=True)]
    assert joined[:3] == ["Residual.join", "_join_with_gates", "SEBlock.gates"]
    assert "SEBlock.forward" not in joined
    assert "scale_add_relu_backward" in joined
    text = source.of_layer(nn.ReLU())[0]["code"]
    assert text == inspect.cleandoc("\n" + inspect.getsource(nn.ReLU.forward))


def test_a_layer_of_ones_own_shows_its_source_and_nothing_that_is_not_there():
    class Own(nn.Layer):
        """Does nothing."""

        def forward(self, x, training=True):
            return x, lambda dy: dy

    class Typed(nn.Layer):
        exec("def forward(self, x, training=True): return x + 0, lambda dy: dy")

    net = playing.net_with(lambda *_, **__: Own())
    read = reading.of_layer(Watcher(net), "se")
    assert (read["title"], read["says"]) == ("Own", "Does nothing.")
    assert read["equations"] == []
    assert read["tutorial"] is None
    (piece,) = read["sources"]
    assert piece["file"] == "test_reading.py" or piece["file"].endswith("play/test_reading.py")
    net = playing.net_with(lambda *_, **__: Typed())
    assert reading.of_layer(Watcher(net), "se")["sources"] == []

    class OwnBlock(nn.SEBlock):
        """An SE block with a name of one's own."""

    net = playing.net_with(lambda channels, **rest: OwnBlock(channels, 2, **rest))
    assert reading.of_layer(Watcher(net), "se")["equations"]


def test_a_second_use_of_a_layer_reads_as_the_first():
    session = session_of(playing.nets()["twice"])
    first, second = (
        session.answer({"kind": "read", "name": name}).header for name in ("se.se", "se.se#2")
    )
    assert first == second
    refused = session.answer({"kind": "read", "name": "nowhere"}).header
    assert refused["message"] == "read: there is no layer 'nowhere'"
    refused = session.answer({"kind": "read", "panel": "lost"}).header
    assert "unknown panel 'lost': did you mean 'loss'?" in refused["message"]


@pytest.fixture
def folder(monkeypatch, tmp_path):
    """A folder of tutorials in place of the true ones."""
    monkeypatch.setattr(sections, "find_notebooks", lambda _: sorted(tmp_path.glob("*.ipynb")))
    caches = (sections.find, sections._pieces)
    for cached in caches:
        cached.cache_clear()
    yield tmp_path
    for cached in caches:
        cached.cache_clear()


def write(folder, *cells, name="01-a.ipynb"):
    cells = [{"cell_type": "markdown", "source": c} if isinstance(c, str) else c for c in cells]
    (folder / name).write_text(json.dumps({"cells": cells}), encoding="utf-8")


def code(text, *outputs):
    return {"cell_type": "code", "source": [text], "outputs": list(outputs)}


def test_a_section_goes_to_the_next_heading_of_its_level(folder):
    write(
        folder,
        "# 1. First",
        "## One\nsome *words*\n## Two\nothers\n### Inner\n```\n$x$ # no heading\n```\n",
        code("a < b", {"output_type": "stream", "text": ["\x1b[31m1 < 2\x1b[0m\n"]}),
        "## Three",
    )
    write(folder, "# 1. Otherwise", "## One\nzh", name="01-a.zh.ipynb")
    assert sections.find(1, "One") == (1, "First", "One", "<p>some <em>words</em></p>\n")
    two = sections.find(1, "Two").html
    assert "<h3>Inner</h3>" in two
    assert "$x$ # no heading" in two
    assert "<pre><code>a &lt; b</code></pre><pre>1 &lt; 2\n</pre>" in two
    assert "Three" not in two
    assert sections.find(1, "Four") is None
    assert sections.find(2, "One") is None


def test_formulas_links_and_pictures(folder):
    write(
        folder,
        "# 1. First\n## One\n$x_1$ costs 5 $ and `$y$` stays; $$\\sum_i x_i$$\n\n"
        "[there](https://example.org/a?b=1&c=2) [here](02-b.ipynb) [no](javascript:alert(1)) "
        "![a picture](a.png) <script>alert(1)</script>\n\n| a | b |\n|---|---|\n| 1 | $z$ |",
        code("", {"output_type": "display_data", "data": {"image/png": "QUJD\n"}}),
        code("", {"output_type": "execute_result", "data": {"text/plain": ["<7>"]}}),
        code("", {"output_type": "error"}),
    )
    html = sections.find(1, "One").html
    parsed = Checked.of(html)
    assert html.count("<math") == 3
    assert "costs 5 $ and <code>$y$</code> stays" in html
    assert "<munder>" in html or "<msub><mo>" in html
    assert [link.get("href") for link in parsed.links] == ["https://example.org/a?b=1&c=2", None]
    assert "[no](javascript" in html
    assert "a picture" in html
    assert "script" not in parsed.tags
    assert "<table>" in html
    assert [picture["src"] for picture in parsed.pictures] == ["data:image/png;base64,QUJD"]
    assert "<pre>&lt;7&gt;</pre>" in html


def test_without_the_packages_a_section_is_its_text(folder, monkeypatch):
    write(folder, "# 1. First\n## One\n*a* < $x$")
    imported = builtins.__import__

    def without(name, *rest, **named):
        if name.partition(".")[0] in ("markdown_it", "latex2mathml"):
            raise ModuleNotFoundError(name)
        return imported(name, *rest, **named)

    monkeypatch.setattr(builtins, "__import__", without)
    assert sections.find(1, "One").html == "<pre>*a* &lt; <code>x</code></pre>"
    read = reading.of_panel("loss")
    assert read["tutorial"] is None
    assert all(e["text"] and e["mathml"] is None for e in read["equations"])


def test_where_there_are_no_tutorials_the_rest_can_be_read(folder):
    read = reading.of_panel("step")
    assert read["tutorial"] is None
    check_equations(read)
    check_sources(read)
