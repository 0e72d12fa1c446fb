"""No letter of the tutorials means two things: all of them are held against the one table.

The table is in `tutorials/glossary.md`. A letter that it lacks is found, in code and in
mathematics; so is one that stands for something of another kind: an array that counts a loop or
holds a size, an index that is an array, an object that is no array at all, and what went through
an activation under the name of what goes in. Two arrays of one kind under one letter, such as a
variance and a velocity, nothing here can tell apart: for those there is the table to read.
"""

import ast
import re
from pathlib import Path

import notebooks
import numpy as np
import pytest

import minise.nn.se

SITE = notebooks.FOLDER
WRONG = Path(__file__).parent / "wrong"
GREEK = {
    **{"delta": "δ", "varepsilon": "ε", "eta": "η", "mu": "μ", "kappa": "κ", "alpha": "α"},
    **{
        "rho": "ρ",
        "sigma": "σ",
        "gamma": "γ",
        "beta": "β",
        "Delta": "Δ",
        "phi": "φ",
        "varphi": "φ",
    },
    **{"psi": "ψ", "pi": "π"},
}
ACTIVATIONS = {"relu", "maximum", "activation"}  # what calls of them are called
COUNTING = {"range", "prange", "ndindex", "enumerate"}
FENCE = re.compile(r"^```python\n(.*?)\n```$", re.DOTALL | re.MULTILINE)


def table(text):
    """Of each letter of the glossary's table its kind: size, counter, number, or array."""
    kinds = {}
    rows = text.split("## Letters", 1)[1].split("|---|---|---|\n", 1)[1].split("\n\n", 1)[0]
    for row in rows.splitlines():
        letters, _, shape = (column.strip() for column in row.strip("|").split("|"))
        kind = {"a size": "size", "a counter": "counter"}.get(shape, "array")
        kind = "number" if "number" in shape else kind
        for letter in letters.split(", "):
            assert letter not in kinds, f"{letter} stands twice in the table"
            kinds[letter] = kind
    return kinds


KINDS = table((SITE / "glossary.md").read_text())


def letter_of(name):
    """The letter of `dw2` is w, of `_H` H; of a longer name there is none."""
    found = re.fullmatch(r"_?d?([A-Za-z])\d?", name) or re.fullmatch(r"_?([A-Za-z])\d?", name)
    return found and found[1]


def is_size(value):
    """Whether an expression is a whole number: of a shape, a length, or written out."""
    if isinstance(value, ast.Constant):
        return type(value.value) is int and value.value > 1
    if isinstance(value, ast.Subscript):
        return is_size(value.value)
    if isinstance(value, ast.Call):
        return isinstance(value.func, ast.Name) and value.func.id == "len"
    return isinstance(value, ast.Attribute) and value.attr == "shape"


def is_number(value):
    """Whether an expression is a number that is written out, or several; 0 may begin a sum."""
    if isinstance(value, ast.Tuple | ast.List):
        return bool(value.elts) and all(map(is_number, value.elts))
    return isinstance(value, ast.Constant) and type(value.value) in (int, float) and value.value


def called(value):
    """The names in all that an expression calls."""
    calls = [node.func for node in ast.walk(value) if isinstance(node, ast.Call)]
    return {
        word
        for call in calls
        for word in re.split(r"\W+|_", ast.unparse(call))
        if not isinstance(call, ast.Lambda)
    }


def bindings(target, value, how):
    """(name, expression, how it was bound), of each name in a target."""
    if isinstance(target, ast.Starred):
        target = target.value
    if isinstance(target, ast.Name):
        yield target.id, value, how
    elif isinstance(target, ast.Tuple | ast.List):
        same = isinstance(value, ast.Tuple | ast.List) and len(value.elts) == len(target.elts)
        if isinstance(value, ast.Call) and ast.unparse(value.func) in {"zip", "enumerate"}:
            parts = [None] * len(target.elts)  # of each row, unknown
            if ast.unparse(value.func) == "enumerate":
                yield from bindings(target.elts[0], value, how)
                yield from bindings(target.elts[1], None, how)
                return
        elif same:
            parts = value.elts
        else:  # of what is unpacked, the first is what was made; the rest is saved, or sizes
            others = value if value is not None and is_size(value) else None
            others = value if how == "loop" else others
            parts = [value] + [others] * (len(target.elts) - 1)
        for element, part in zip(target.elts, parts, strict=True):
            yield from bindings(element, part, how)


def bound(tree):
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign):
            for target in node.targets:
                yield from bindings(target, node.value, "assigned")
        elif isinstance(node, ast.NamedExpr):
            yield from bindings(node.target, node.value, "assigned")
        elif isinstance(node, ast.For | ast.comprehension):
            yield from bindings(node.target, node.iter, "loop")
        elif isinstance(node, ast.arguments):
            for argument in [*node.posonlyargs, *node.args, *node.kwonlyargs]:
                yield argument.arg, None, "argument"
            with_default = node.args[len(node.args) - len(node.defaults) :]
            for argument, default in zip(with_default, node.defaults, strict=True):
                yield argument.arg, default, "default"


def faults_of_code(code):
    """What is wrong with the letters of some lines of Python."""
    tree = ast.parse(code)
    faults = []
    for name, value, how in bound(tree):
        if name == "_" or not (letter := letter_of(name)):
            continue
        if letter not in KINDS:
            faults.append(f"{name}: not in the table")
            continue
        kind, shown = KINDS[letter], "" if value is None else ast.unparse(value)
        counts = how == "loop" and value is not None and bool(called(value) & COUNTING)
        if kind == "counter" and how == "assigned" and "divmod" not in shown:
            faults.append(f"{name} counts, and is not {shown or 'unpacked'}")
        if kind in ("array", "number") and counts:
            faults.append(f"{name} is no counter: in {shown}")
        if kind in ("array", "number") and how == "assigned" and is_size(value):
            faults.append(f"{name} is no size: {shown}")
        if kind == "array" and is_number(value):
            faults.append(f"{name} is an array, and not {shown}")
        if name == "a" and how == "loop":
            faults.append("a comes out of an activation, and not of a loop")
        if value is None or isinstance(value, ast.Name) or how in ("argument", "default"):
            continue  # unpacked from what was saved
        made_by_activation = bool(called(value) & ACTIVATIONS)
        backwards = "backward" in called(value)
        if name == "a" and not made_by_activation:
            faults.append(f"a comes out of an activation, and not of {shown}")
        if letter in ("h", "g", "z") and made_by_activation and not backwards:
            faults.append(f"{name} does not come out of an activation: {shown}")
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            name = node.value.id
            if letter_of(name) and not hasattr(np.ndarray, node.attr):
                faults.append(f"{name} is no array: it has a {node.attr!r}")
    return faults


def mathematics(text):
    """The formulas of a text, with words taken out and Greek letters written as such."""
    text = re.sub(r"```.*?```|`[^`]*`", "", text, flags=re.DOTALL)
    found = re.findall(r"\$\$(.*?)\$\$|\$([^$]+)\$", text, flags=re.DOTALL)
    for formula in (display or inline for display, inline in found):
        formula = re.sub(r"(?<![A-Za-z])d(?=\\(?:hat|mathrm))", "", formula)  # of x̂, of var
        words = r"\\(?:text|mathrm|operatorname|begin|end|textstyle)\s*\{[^{}]*\}"
        formula = re.sub(words, " ", formula)
        formula = re.sub(r"\\([A-Za-z]+)", lambda word: GREEK.get(word[1], " "), formula)
        yield formula


def known(word):
    """Whether a run of letters is one of the table, or some side by side: HW, dy, nci."""
    if word in KINDS or not word:
        return True
    sizes = sorted(KINDS, key=len, reverse=True)
    if word != "d" and word.startswith("d") and known(word[1:]):
        return True
    return any(word.startswith(size) and known(word[len(size) :]) for size in sizes)


def faults_of_text(text):
    """What is wrong with the letters in a text's formulas."""
    faults = []
    for formula in mathematics(text):
        words = re.findall(r"[^\W\d_]+", formula)
        faults += [f"{word} in {formula!r}: not in the table" for word in words if not known(word)]
        for letter in re.findall(r"(?<![^\W\d])([^\W\d_])'*\(", formula):
            if KINDS.get(letter) in ("size", "counter"):
                faults.append(f"{letter} in {formula!r}: no function")
        one = r"[^\W\d_]'*_(?:\{([^{}]*)\}|([^\W_]))"  # x_{nci}, y_k; a sum's has no letter before
        for braced, single in re.findall(one, formula):
            for word in re.findall(r"[^\W\d_]+", braced or single):
                if not counting(word):
                    faults.append(f"{word} in {formula!r}: an index, and does not count")
        for braced in re.findall(r" _\{([^{}:>]*)", formula):  # under a sum
            for word in re.findall(r"[^\W\d_]+", braced):
                if not counting(word):
                    faults.append(f"{word} in {formula!r}: a sum over what does not count")
    return faults


def counting(word):
    letters = [letter for letter, kind in KINDS.items() if kind in ("size", "counter")]
    return not word or any(word.startswith(s) and counting(word[len(s) :]) for s in letters)


def steps():
    return sorted(path for path in SITE.glob("*.ipynb"))


@pytest.mark.parametrize("path", steps(), ids=lambda path: path.stem)
def test_each_letter_of_a_step_is_that_of_the_table(path):
    faults = []
    for number, cell in enumerate(notebooks.read(path).cells, start=1):
        if cell.cell_type == "code":
            codes, texts = [cell.source], []
        else:
            codes, texts = FENCE.findall(cell.source), [cell.source]
        for code in codes:
            faults += [f"cell {number}: {fault}" for fault in faults_of_code(code)]
        for text in texts:
            faults += [f"cell {number}: {fault}" for fault in faults_of_text(text)]
    assert not faults, "\n" + "\n".join(faults)


@pytest.mark.parametrize("path", sorted(WRONG.glob("*.md")), ids=lambda path: path.stem)
def test_wrong_answers_use_the_letters_of_the_table(path):
    faults = [fault for code in FENCE.findall(path.read_text()) for fault in faults_of_code(code)]
    assert not faults, "\n" + "\n".join(faults)


def test_the_block_itself_uses_the_letters_of_the_table():
    assert not faults_of_code(Path(minise.nn.se.__file__).read_text())


@pytest.mark.parametrize(
    "code",
    [
        "a, saved = linear(x, w, b)",  # step 2 had it so, and step 5 the other way round
        "h, saved = relu(h)",
        "for h, w in np.ndindex(H, W): pass",  # rows and columns
        "s = 2",  # a stride
        "s = x.shape[0]",
        "n = len(points)",
        "for p in net.parameters(): p.grad[...] = 0",
        "for a, b in zip(ours, theirs): pass",
        "o = 1.0",
        "def numeric(f, x, h=1e-5): pass",  # the step of a difference
        "for h in (1e-1, 1e-3): pass",
    ],
)
def test_a_letter_with_two_meanings_is_found_in_code(code):
    assert faults_of_code(code)


@pytest.mark.parametrize(
    "text",
    [
        r"$z_{nc} = \sum_{h,w} x_{nchw}$",
        r"$x_{nchw}$",
        r"$o = 1$",
        r"$\sum_s B_s$",
        r"$f(x + \delta)$",
        r"$\theta$ and $\tfrac12 E$",
    ],
)
def test_a_letter_with_two_meanings_is_found_in_mathematics(text):
    assert faults_of_text(text)


def test_what_is_right_is_let_pass():
    code = "for n, c in np.ndindex(N, C):\n    h = x @ w.T + b\n    a, saved = relu(h)"
    assert not faults_of_code(code)
    assert not faults_of_text(r"$dx_{nci} = s_{nc}\, dy_{nci} + \frac{dz_{nc}}{HW}$, $w_{2,cj}$")
