"""The reference has every public name, each with an example, and all examples do what they say."""

import doctest
import importlib
import inspect
import re
from pathlib import Path

import docstrings
import pytest

from minise import backend, nn, ops

SITE = Path(docstrings.__file__).parent
FENCE = re.compile(r"^```pycon\n(.*?)^```$", re.DOTALL | re.MULTILINE)
AUTOMATIC = re.compile(r"^\.\. auto(?:function|class|exception):: (\S+)", re.MULTILINE)
BY_HAND = re.compile(r"^\.\. py:(?:data|type):: (\w+)\n +:module: (\S+)", re.MULTILINE)
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


def page_of(package):
    return SITE / "reference" / f"{package.rpartition('.')[2]}.md"


def examples_of(page):
    """With the numbers of their lines on the page."""
    text = page.read_text()
    code = ""
    for fence in FENCE.finditer(text):
        code += "\n" * (text.count("\n", 0, fence.start(1)) - code.count("\n")) + fence[1]
    return doctest.DocTestParser().get_examples(code)


def described_on(page):
    """The full names that a page describes."""
    text = page.read_text()
    by_hand = [f"{module}.{name}" for name, module in BY_HAND.findall(text)]
    return [*AUTOMATIC.findall(text), *by_hand]


@pytest.fixture(params=docstrings.PACKAGES)
def package(request):
    return request.param


@pytest.fixture
def as_before():
    """The backend stays what it was."""
    name = backend.current().name
    yield
    backend.use(name)


@pytest.mark.usefixtures("as_before")
@pytest.mark.parametrize(
    "page", sorted(SITE.rglob("*.md")), ids=lambda page: str(page.relative_to(SITE))
)
def test_the_examples_of_a_page_do_what_they_say(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    told = []
    examples = doctest.DocTest(
        examples_of(page), {"__name__": page.stem}, page.stem, str(page), 0, None
    )
    doctest.DocTestRunner(optionflags=FLAGS, verbose=False).run(examples, out=told.append)
    assert not told, "".join(told)
    assert list(tmp_path.iterdir()) == []


def test_a_page_describes_all_that_is_public_in_its_package_and_nothing_else(package):
    homes = {docstrings.home(package, name) for name in docstrings.public_names(package)}
    here = [home for home in homes if home is not None and home.rpartition(".")[0] == package]
    assert sorted(described_on(page_of(package))) == sorted(here)


def test_every_public_name_has_an_example_on_the_page_of_its_package(package):
    code = "\n".join(example.source for example in examples_of(page_of(package)))
    short = package.rpartition(".")[2]
    missing = [
        name
        for name in docstrings.public_names(package)
        if not re.search(rf"(?<![.\w]){short}\.{name}\b", code)
    ]
    assert missing == []


def test_types_are_written_as_they_are_defined(package):
    source = Path(inspect.getfile(importlib.import_module(package)))
    files = source.parent.glob("*.py") if source.name == "__init__.py" else [source]
    defined = "\n".join(path.read_text() for path in files)
    types = re.findall(r"py:type:: (\w+)\n.*\n +:canonical: (.*)", page_of(package).read_text())
    for name, written in types:
        found = re.search(rf"^{name}: TypeAlias = (.*?)(  #.*)?$", defined, re.MULTILINE)
        assert found[1] in (written, written.replace("numpy.typing", "npt"))


def test_a_docstring_keeps_its_words_its_equations_and_its_columns():
    docstring = """Weigh x (N, C) by `s`; see `ops.relu` and all `lr`s, or |x| and *args.

    y = s · x                    (the paper, eq. 4)

        z = x
          + 1

    `ones`      1×1
    `threes`    3×3
    """
    lead = {"ops.relu": "minise.ops.relu"}
    assert docstrings.as_rst(docstring, lead.get) == [
        r"Weigh x (N, C) by ``s``; see :py:obj:`ops.relu <minise.ops.relu>` and all ``lr``\ s, "
        r"or \|x\| and \*args.",
        "",
        *("::", "", "    y = s · x                    (the paper, eq. 4)", ""),
        *("::", "", "    z = x", "      + 1", ""),
        *("::", "", "    ones      1×1", "    threes    3×3", ""),
    ]


@pytest.mark.parametrize(
    ("name", "package", "parameters", "full"),
    [
        ("Layer", "minise.ops", (), "minise.nn.Layer"),
        ("nn.Layer", "minise.train", (), "minise.nn.Layer"),
        ("Report", "minise.bench", (), "minise.bench.Report"),
        ("Report", "minise.nn", (), None),  # there are two
        ("relu", "minise.ops", (), "minise.ops.relu"),
        ("relu", "minise.nn", (), None),  # any word
        ("names", "minise.models", (), "minise.models.names"),
        ("names", "minise.models", ("names",), None),
        ("InputError", "minise.backend", (), "minise.InputError"),
        ("SEBlock", "minise", (), "minise.nn.SEBlock"),
    ],
)
def test_names_in_docstrings_lead_to_their_place(name, package, parameters, full):
    assert docstrings.link(name, package, frozenset(parameters)) == full


def test_signatures_are_written_as_in_the_source():
    assert docstrings.signature(ops.conv2d) == (
        "(x: Array, w: Array, b: Array | None = None, *, stride: int | Pair = 1, "
        "padding: int | Pair = 0, dilation: int | Pair = 1, groups: int = 1)",
        "tuple[Array, Conv2dSaved]",
    )
    assert docstrings.signature(nn.Linear)[0].endswith(
        "init: Initialiser = lecun_normal, rng: np.random.Generator | None = None, "
        "dtype: npt.DTypeLike = np.float32)"
    )
    assert list(docstrings.fields(ops.BatchNormSaved))[:2] == [
        "x: Array  # (N, C, H, W)",
        "w: Array  # (C,)",
    ]
