"""A translation has the cells of its original: its code, its formulas and its numbers.

It has one cell more, tagged `labels`, which looks for a font that has the language's characters.
There `label(translated, english)` is made, the words in a picture: English where no font is found.
"""

import ast
import re
from collections import Counter

import nbformat
import notebooks
import pytest

PATHS = sorted(notebooks.FOLDER.glob("*.*.ipynb"))
CODE = re.compile(r"^```.*?^```$|`[^`\n]+`|\]\([^)]*\)", re.DOTALL | re.MULTILINE)  # or an address
FORMULA = re.compile(r"\$\$.*?\$\$|\$[^$]+\$", re.DOTALL)
FILLING = re.compile(r"\\text\{[^{}]*\}|[^\x21-\x7e]|\\[;,!]")  # words, spaces
NUMBER = re.compile(r"\d+(?:,\d{3})*(?:\.\d+)?")
ITS_OWN_FONTS = """
import warnings
import matplotlib
from matplotlib import font_manager
warnings.simplefilter("error", UserWarning)  # as of a character that no font has
fonts, own = font_manager.fontManager, matplotlib.get_data_path()
fonts.ttflist = [font for font in fonts.ttflist if font.fname.startswith(own)]
"""


@pytest.fixture(params=PATHS, ids=lambda path: path.stem, scope="module")
def path(request):
    return request.param


@pytest.fixture
def pairs(path):
    """Each cell of a translation with the one that it was made from."""
    name = path.stem.partition(".")[0]
    ours, theirs = (notebooks.read(p).cells for p in (path, path.with_name(f"{name}.ipynb")))
    return list(zip([c for c in ours if not notebooks.tagged(c, "labels")], theirs, strict=True))


class Unworded(ast.NodeTransformer):
    """Code without its texts, and without the width that a number has in them."""

    def __init__(self):
        self.english = []

    def visit_Constant(self, node):
        return ast.Constant("") if isinstance(node.value, str) else node

    def visit_JoinedStr(self, node):
        values = [self.visit(value) for value in node.values if not isinstance(value, ast.Constant)]
        return ast.JoinedStr(sorted(values, key=ast.dump))

    def visit_FormattedValue(self, node):
        spec = "" if node.format_spec is None else ast.unparse(node.format_spec)
        kind = ast.Constant(re.sub(r"^f'\d*|'$", "", spec))
        return ast.FormattedValue(self.visit(node.value), node.conversion, kind)

    def visit_Call(self, node):
        if isinstance(node.func, ast.Name) and node.func.id == "label":
            _, english = node.args
            self.english.append(ast.unparse(english))
            return self.visit(english)
        return self.generic_visit(node)


def code_alone(source):
    """What it computes, and the English words that its pictures have."""
    unworded = Unworded()
    return ast.dump(unworded.visit(ast.parse(source))), unworded.english


def parts(source):
    """The formulas of a text, without words, spaces and a last point or comma; its numbers."""
    text = CODE.sub(" ", source)
    formulas = {FILLING.sub("", f.strip("$")).rstrip(",.;") for f in FORMULA.findall(text)}
    return formulas, set(NUMBER.findall(FORMULA.sub(" ", text)))


def test_a_translation_has_the_cells_of_its_original(pairs):
    for ours, theirs in pairs:
        assert ours.cell_type == theirs.cell_type
        assert ours.metadata.get("tags") == theirs.metadata.get("tags")


def test_its_code_is_that_of_its_original(pairs):
    for ours, theirs in pairs:
        if theirs.cell_type == "code":
            code, english = code_alone(ours.source)
            assert code == code_alone(theirs.source)[0], ours.source
            original = {ast.unparse(node) for node in ast.walk(ast.parse(theirs.source))}
            assert set(english) <= original


def test_its_formulas_and_numbers_are_those_of_its_original(pairs):
    """It may say one once more, as a sentence of the language needs it."""
    texts = [(parts(a.source), parts(b.source)) for a, b in pairs if b.cell_type == "markdown"]
    of_original = set().union(*(formulas for _, (formulas, _) in texts))
    for (formulas, numbers), (their_formulas, their_numbers) in texts:
        assert their_formulas - formulas == set()
        assert formulas - of_original == set()
        assert their_numbers - numbers == set()


def test_it_prints_the_numbers_of_its_original(pairs):
    for ours, theirs in pairs:
        if theirs.cell_type == "code":
            printed, their = (
                Counter(NUMBER.findall("".join(o.get("text", "") for o in cell.outputs)))
                for cell in (ours, theirs)
            )
            assert printed == their, ours.source


def labels_of(path):
    (cell,) = (c for c in notebooks.read(path).cells if notebooks.tagged(c, "labels"))
    return cell


def test_all_of_a_language_look_for_the_same_fonts(path):
    language = path.stem.partition(".")[2]
    alike = {labels_of(p).source for p in PATHS if p.stem.endswith(f".{language}")}
    assert len(alike) == 1


@pytest.mark.notebook
def test_without_a_font_of_the_language_its_pictures_are_in_english(path, tmp_path):
    notebook = notebooks.read(path)
    notebook.cells.insert(0, nbformat.v4.new_code_cell(ITS_OWN_FONTS))
    notebooks.execute(notebook, tmp_path)
    (labels,) = (cell for cell in notebook.cells if notebooks.tagged(cell, "labels"))
    assert "中文字体" in labels.outputs[0].text
    drawn = [o.data for cell in notebook.cells for o in cell.get("outputs", []) if "data" in o]
    assert drawn
    assert all("image/png" in data for data in drawn)  # left out where drawing it warns
