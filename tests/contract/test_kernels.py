"""Kernels are found by file and name: each has an operation, and takes and gives what that does."""

import ast
import importlib
import inspect
from pathlib import Path

import backends
import pytest

import minise
from minise import backend, ops

HERE = Path(minise.__file__).parent
FILES = sorted(path.stem for path in (HERE / "ops").glob("[a-z]*.py"))
MODULES = [importlib.import_module(f"minise.ops.{file}") for file in FILES]
SPECIFICATIONS = {
    f"{module.__name__.rpartition('.')[2]}.{name.removeprefix('_')}": function
    for module in MODULES
    for name, function in vars(module).items()
    if hasattr(function, "__wrapped__") and function.__module__ == module.__name__
}
PACKAGES = ("numba", "cupy")


def functions_of(package):
    """By file and name, the public functions in files that are called as one of operations is.

    Their sources are read, not imported: CuPy may not be there.
    """
    found = {}
    for path in (HERE / "kernels" / package).glob("*.py"):
        if path.stem in FILES:
            for node in ast.parse(path.read_text(encoding="utf-8")).body:
                if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
                    found[f"{path.stem}.{node.name}"] = node
    return found


@pytest.mark.parametrize("package", PACKAGES)
def test_a_kernel_has_the_signature_of_its_specification(package):
    kernels = functions_of(package)
    assert kernels.keys() <= SPECIFICATIONS.keys()
    assert len(kernels) > 20
    for name, kernel in kernels.items():
        specification = inspect.signature(SPECIFICATIONS[name])
        taken = {argument.arg: ast.unparse(argument.annotation) for argument in kernel.args.args}
        expected = {p.name: p.annotation for p in specification.parameters.values()}
        assert (taken, ast.unparse(kernel.returns)) == (expected, specification.return_annotation)
        assert list(taken) == list(expected), name
        assert not kernel.args.defaults, name


def changes_an_array(node):
    """Whether a function of Python's, not compiled, writes to an array where no tape sees it."""
    compiled = any("compiled" in ast.unparse(mark) for mark in node.decorator_list)
    for inner in [] if compiled else ast.walk(node):
        targets = inner.targets if isinstance(inner, ast.Assign) else []
        if isinstance(inner, ast.AugAssign):
            targets = [] if isinstance(inner.target, ast.Name) else [inner.target]
        if any(isinstance(part, ast.Subscript) for target in targets for part in ast.walk(target)):
            return True
    return False


def test_what_numpy_writes_between_loops_is_seen_by_a_tape():
    """A tape would leave it out: `by_numpy` lets it know."""
    assert changes_an_array(ast.parse("def f(x):\n    x[0], y = 1, 2").body[0])
    assert not changes_an_array(ast.parse("def f(x):\n    by_numpy(np.copyto, x[0], 1)").body[0])
    apart = {"ahead", "atomic", "cache", "lanes", "memory", "tape", "tasks", "team", "tiles"}
    apart.add("taps")  # tables of whole numbers
    paths = [p for p in (HERE / "kernels" / "numba").glob("[a-z]*.py") if p.stem not in apart]
    found = [
        f"{path.stem}.{node.name}"
        for path in paths
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef) and changes_an_array(node)
    ]
    assert not found
    assert len(paths) > 10


def test_every_kernel_of_numba_is_found_and_every_specification_belongs_to_an_operation():
    with backend.using("numba") as numba:
        for name in functions_of("numba"):
            x = backend.asarray([[0.0] * 5000])
            assert numba.find(name, x).__name__ == name.rpartition(".")[2]
    for name in SPECIFICATIONS:
        assert name.rpartition(".")[2] in ops.__all__


def test_the_operations_run_the_kernels(make, name, monkeypatch):
    asked = []
    with backends.using("numba") as numba:
        find = numba.find
        monkeypatch.setattr(numba, "find", lambda name, x: asked.append(name) or find(name, x))
        subject = make(name)
        y, backward = subject.forward(*subject.inputs)
        backward(subject.like(y))
    without = {"Flatten", "Dropout", "DropPath", "DropPath, evaluation", "add_backward"}
    assert asked or name in without
