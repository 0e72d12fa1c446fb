"""Whoever follows the list on the page "How minise is built" has added an operation, completely."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "tutorials/how-minise-is-built.md").read_text(encoding="utf-8")
LISTED = re.findall(r"^\d+\. `(\S+)`", PAGE.partition("## An operation of your own")[2], re.M)


def at_end(new):
    return lambda text: text + new


def before(*pairs, at_end=""):
    """New text before a line that is there, (line, new), …, and at the end."""

    def edit(text):
        for line, new in pairs:
            assert f"\n{line}\n" in text
            text = text.replace(f"\n{line}\n", f"\n{new}\n{line}\n", 1)
        return text + at_end

    return edit


EDITS = {
    "minise/ops/activation.py": before(
        ('    "hard_sigmoid",', '    "damp",\n    "damp_backward",'),
        at_end='''

class DampSaved(NamedTuple):
    """The input."""

    x: Array


def damp(x: Array) -> tuple[Array, DampSaved]:
    """y = x where x is positive, else x/4."""
    door.check_arrays("damp", x=x)
    return _damp(x), DampSaved(x)


@accelerated
def _damp(x: Array) -> Array:
    return array_module(x).where(x > 0, x, x / 4)


def damp_backward(dy: Array, saved: DampSaved) -> Array:
    """dx = dy where x was positive, else dy/4."""
    door.check_cotangent("damp_backward", dy, saved.x)
    return _damp_backward(dy, *saved)


@accelerated
def _damp_backward(dy: Array, x: Array) -> Array:
    return array_module(x).where(x > 0, dy, dy / 4)
''',
    ),
    "minise/nn/layers.py": before(
        ('    "Dropout",', '    "Damp",'),
        at_end='''

class Damp(Layer):
    """x, or x/4 below 0."""

    def forward(self, x: Array, training: bool = True) -> tuple[Array, Backward]:
        """Any shape."""
        y, saved = ops.damp(x)
        return y, lambda dy: ops.damp_backward(dy, saved)
''',
    ),
    "minise/export/layers.py": before(
        ("    Dropout,", "    Damp,"),
        (
            "    Flatten: _flatten,",
            '    Damp: _one_node("LeakyRelu", alpha=0.25),',
        ),
    ),
    "minise/gradcheck/examples.py": before(
        (
            '    "linear": _operation("linear", (3, 4), (5, 4), (5,)),',
            '    "damp": _operation("damp", (3, 4)),\n'
            '    "Damp": _layer(lambda rng: nn.Damp(), 3, 4),',
        ),
    ),
    "tests/rows/activation.py": at_end("""
ROWS.append(
    row(
        "damp",
        lambda v: v if v > 0 else v / 4,
        lambda torch, x: torch.nn.functional.leaky_relu(x, 0.25),
        {"lets everything through": one("x!", lambda dx, dy, s: dy)},
    )
)
"""),
    "tutorials/reference/ops.md": before(
        (
            ".. autofunction:: minise.ops.hard_sigmoid",
            ".. autofunction:: minise.ops.damp\n.. autofunction:: minise.ops.damp_backward",
        ),
        (
            ">>> y, saved = ops.hard_sigmoid(points)",
            ">>> y, saved = ops.damp(np.array([-2.0]))\n"
            ">>> y, ops.damp_backward(np.ones(1), saved)\n"
            "(array([-0.5]), array([0.25]))",
        ),
    ),
    "tutorials/reference/nn.md": before(
        (".. autoclass:: minise.nn.HardSigmoid", ".. autoclass:: minise.nn.Damp"),
        (
            ">>> gates = (nn.Sigmoid, nn.Tanh, nn.HardSigmoid)",
            ">>> nn.Damp()(np.array([-2.0]))\narray([-0.5])",
        ),
    ),
    "minise/kernels/numba/activation.py": at_end('''

def damp(x: Array) -> Array:
    """x, or x/4 below 0."""
    return _each(_damp, x)


def damp_backward(dy: Array, x: Array) -> Array:
    """dy, or dy/4 where x <= 0."""
    return _each(_damp_backward, dy, x)


@compiled_parallel
def _damp(team: int, x: Array, y: Array) -> None:
    for task in tasks(invite(team), -(-x.size // STRETCH)):
        source, target = _stretch(x, task), _stretch(y, task)
        for k in range(target.size):
            target[k] = source[k] if source[k] > 0 else source[k] / 4


@compiled_parallel
def _damp_backward(team: int, dy: Array, x: Array, dx: Array) -> None:
    for task in tasks(invite(team), -(-x.size // STRETCH)):
        above, source, target = _stretch(dy, task), _stretch(x, task), _stretch(dx, task)
        for k in range(target.size):
            target[k] = above[k] if source[k] > 0 else above[k] / 4
'''),
    "minise/kernels/cupy/activation.py": at_end('''

def damp(x: Array) -> Array:
    """x, or x/4 below 0."""
    return _elementwise("damp", x)


def damp_backward(dy: Array, x: Array) -> Array:
    """dy, or dy/4 where x <= 0."""
    return _elementwise("damp_backward", dy, x)
'''),
    "minise/kernels/cupy/activation.cu": at_end("""
extern "C" __global__ void damp(const T* x, T* y, int count) {
    int i = element();
    if (i < count) y[i] = x[i] > 0 ? x[i] : x[i] / 4;
}

extern "C" __global__ void damp_backward(const T* dy, const T* x, T* dx, int count) {
    int i = element();
    if (i < count) dx[i] = x[i] > 0 ? dy[i] : dy[i] / 4;
}
"""),
}

HAS_ROW = "tests/ops/test_rows.py::test_every_operation_has_a_row_in_the_file_of_its_name"
HAS_EXAMPLE = (
    "tests/gradcheck/test_examples.py::test_every_operation_and_every_layer_has_an_example"
)
IS_EXPORTED = "tests/export/test_layers.py::test_every_class_of_layers_is_known"
IS_DESCRIBED = (
    "tests/tutorials/test_reference.py::"
    "test_a_page_describes_all_that_is_public_in_its_package_and_nothing_else[minise.{}]"
)
TOLD_BY = {
    "minise/ops/activation.py": HAS_ROW,
    "minise/nn/layers.py": HAS_EXAMPLE,
    "minise/export/layers.py": IS_EXPORTED,
    "minise/gradcheck/examples.py": HAS_EXAMPLE,
    "tests/rows/activation.py": HAS_ROW,
    "tutorials/reference/ops.md": IS_DESCRIBED.format("ops"),
    "tutorials/reference/nn.md": IS_DESCRIBED.format("nn"),
}
NOT_FORCED = [path for path in EDITS if path.startswith("minise/kernels/")]
HAS_EXAMPLE_ON_PAGE = (
    "tests/tutorials/test_reference.py::"
    "test_every_public_name_has_an_example_on_the_page_of_its_package[minise.{}]"
)
QUICK = [
    "tests/ops/test_rows.py::test_an_operation_is_its_definition[numpy-damp]",
    "tests/ops/test_rows.py::test_an_operation_is_its_definition[numba-damp]",
    "tests/kernels/test_agreement.py::test_every_kernel_is_compared_here",
    "tests/contract/test_kernels.py::test_a_kernel_has_the_signature_of_its_specification",
    "tests/gradcheck/test_examples.py::test_the_gradients_are_right[Damp]",
]
# all that holds an operation or a layer to anything
HELD_TO = [f"tests/{folder}" for folder in ("ops", "kernels", "contract", "gradcheck", "oracle")]


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    """A copy of minise, its tests and its pages, with the operation added."""
    tree = tmp_path_factory.mktemp("minise")
    ignored = shutil.ignore_patterns("__pycache__", "*.ipynb", "gpu", "data", "play")
    for folder in ("tests", "tutorials"):
        shutil.copytree(ROOT / folder, tree / folder, ignore=ignored)
    shutil.copytree(ROOT / "minise", tree / "minise", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tree)
    for path in EDITS:
        edit(tree, path)
    return tree


def edit(tree, path):
    text = EDITS[path]((ROOT / path).read_text(encoding="utf-8"))
    (tree / path).write_text(text, encoding="utf-8", newline="\n")


def run_tests(tree, *chosen):
    """What is said by pytest there, and its exit status."""
    command = [sys.executable, "-B", "-m", "pytest", "-p", "no:cacheprovider", "--tb=short", "-x"]
    command += ["-o", "addopts=-q --import-mode=importlib"]  # one process, slow tests too
    environment = os.environ | {"PYTHONPATH": str(tree), "NUMBA_CACHE_DIR": str(tree / "compiled")}
    run = subprocess.run(
        [*command, *chosen],
        cwd=tree,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
    )
    return run.stdout, run.returncode


def test_the_page_lists_the_files_that_are_changed_here():
    assert LISTED == list(EDITS)
    assert set(TOLD_BY) | set(NOT_FORCED) == set(EDITS)
    assert len(TOLD_BY) + 1 <= 9  # with Numba's kernel
    assert len(EDITS) <= 11


def test_whoever_follows_the_page_has_forgotten_nothing(tree):
    described = [
        test.format(package)
        for test in (IS_DESCRIBED, HAS_EXAMPLE_ON_PAGE)
        for package in ("ops", "nn")
    ]
    said, status = run_tests(tree, HAS_ROW, HAS_EXAMPLE, IS_EXPORTED, *described, *QUICK)
    assert status == 0, said


@pytest.mark.slow
def test_what_was_added_is_held_to_all_that_operations_and_layers_are(tree):
    said, status = run_tests(tree, *HELD_TO, "tests/export/test_layers.py", "-k", "damp")
    assert status == 0, said
    assert int(re.search(r"(\d+) passed", said)[1]) > 200


@pytest.mark.slow
@pytest.mark.parametrize("path", TOLD_BY)
def test_a_file_that_is_left_out_is_told(tree, path):
    shutil.copy(ROOT / path, tree / path)
    said, status = run_tests(tree, TOLD_BY[path])
    edit(tree, path)
    assert status not in (0, 5)
    assert "damp" in said.lower(), said


@pytest.mark.slow
def test_without_kernels_nothing_is_missing(tree):
    for path in NOT_FORCED:
        shutil.copy(ROOT / path, tree / path)
    said, status = run_tests(tree, *HELD_TO[:2], "-k", "damp")
    for path in NOT_FORCED:
        edit(tree, path)
    assert status == 0, said
