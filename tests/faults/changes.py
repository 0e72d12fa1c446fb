"""Small faults that a program can have, one at a time: operators, constants, arguments, names."""

import ast
from collections.abc import Iterator, Sequence
from itertools import pairwise, takewhile
from typing import Any, NamedTuple

# Each is also planted the other way round.
PAIRS: list[tuple[type[ast.AST], type[ast.AST]]] = [
    (ast.Add, ast.Sub),
    (ast.Mult, ast.Div),
    (ast.FloorDiv, ast.Mod),
    (ast.BitAnd, ast.BitOr),
    (ast.LShift, ast.RShift),
    (ast.Lt, ast.LtE),
    (ast.Gt, ast.GtE),
    (ast.Eq, ast.NotEq),
    (ast.Is, ast.IsNot),
    (ast.In, ast.NotIn),
    (ast.And, ast.Or),
]
NAMES = [
    ("min", "max"),
    ("minimum", "maximum"),
    ("argmin", "argmax"),
    ("any", "all"),
    ("floor", "ceil"),
    ("sum", "mean"),
    ("mean", "std"),
    ("train", "test"),
    ("rows", "columns"),
    ("height", "width"),
]
# What only changes how a picture or a table looks: keywords, and functions called for it.
STYLE = {
    "alpha", "bar_width", "figsize", "fontsize", "frameon", "grid", "height", "height_ratios",
    "highlight", "indent",
    "labelcolor", "labelsize", "linewidth", "lw", "set_axisbelow", "tick_params", "width_ratios",
}  # fmt: skip
# Fields that hold types, or exceptions whose order changes nothing.
NEITHER = {"annotation", "returns", "type", "type_params", "ctx"}
OTHER = dict(PAIRS) | {b: a for a, b in PAIRS}
OTHER_NAME = {b: a for a, b in NAMES} | dict(NAMES)


class Fault(NamedTuple):
    """One change of one file."""

    line: int
    before: str  # what is changed, within its statement
    after: str
    source: str  # of the whole file with it


def faults(source: str, chosen: slice = slice(None)) -> list[Fault]:
    """Those of a file's faults, numbered in their order, that are chosen."""
    tree = ast.parse(source)
    found = []
    for node, statement, field, wrong in list(_of(tree))[chosen]:
        right, before = getattr(node, field), ast.unparse(statement)
        setattr(node, field, wrong)
        seen = _differing(before, ast.unparse(statement))
        found.append(Fault(node.lineno, *seen, ast.unparse(tree)))
        setattr(node, field, right)
    return found


def count(source: str) -> int:
    """How many faults a file can be given."""
    return sum(1 for _ in _of(ast.parse(source)))


def _differing(before: str, after: str, around: int = 40) -> tuple[str, str]:
    """Where two texts differ, with what stands around it, on one line."""
    start = _same(before, after)
    end = _same(before[start:][::-1], after[start:][::-1])
    parts = []
    for text in (before, after):
        part = text[max(0, start - around) : len(text) - end + min(end, around)]
        parts.append(" ".join(part.split()))
    return parts[0], parts[1]


def _same(a: str, b: str) -> int:
    """How many characters two texts begin with alike."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(a, b, strict=False)))


def _of(
    node: ast.AST, statement: ast.stmt | None = None
) -> Iterator[tuple[Any, ast.stmt, str, object]]:
    """All nodes that can be given a fault, the statement of each, the field and its wrong value."""
    if _says_nothing(node):
        return
    statement = node if isinstance(node, ast.stmt) else statement
    if statement is not None:
        for field, wrong in _wrong(node):
            yield node, statement, field, wrong
    for field, value in ast.iter_fields(node):
        if field not in NEITHER:
            for child in value if isinstance(value, list) else [value]:
                if isinstance(child, ast.AST):
                    yield from _of(child, statement)


def _says_nothing(node: ast.AST) -> bool:
    """Whether a change would be none: docstrings, imports, types; or none but of style."""
    match node:
        case (
            ast.Expr(value=ast.Constant())
            | ast.Import()
            | ast.ImportFrom()
            | ast.If(test=ast.Name(id="TYPE_CHECKING"))
            | ast.Assign(targets=[ast.Name(id="__all__")])
            | ast.AnnAssign(annotation=ast.Name(id="TypeAlias"))
            | ast.Call(func=ast.Name(id="TypeVar" | "cast"))
        ):
            return True
        case (
            ast.keyword(arg=name)
            | ast.Call(func=ast.Attribute(attr=name))
            | ast.Expr(value=ast.Call(func=ast.Attribute(attr=name)))
        ):
            return name in STYLE
    return False


def _wrong(node: ast.AST) -> Iterator[tuple[str, object]]:
    """The fields of a node, with what each could be by mistake."""
    match node:
        case ast.BinOp(op=op) | ast.AugAssign(op=op) | ast.BoolOp(op=op) if type(op) in OTHER:
            yield "op", OTHER[type(op)]()
        case ast.Compare(ops=ops):
            for i, op in enumerate(ops):
                yield "ops", [*ops[:i], OTHER[type(op)](), *ops[i + 1 :]]
        case ast.UnaryOp(op=ast.USub()):
            yield "op", ast.UAdd()
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            yield "operand", ast.UnaryOp(ast.Not(), operand)
        case ast.If(test=test) | ast.While(test=test) | ast.IfExp(test=test):
            yield "test", ast.UnaryOp(ast.Not(), test)
        case ast.Constant(value=bool(value)):
            yield "value", not value
        case ast.Constant(value=int(value)):
            yield "value", value + 1
        case ast.Constant(value=float(value)):
            yield "value", 2 * value if value else 1.0
        case ast.Name(id=name) if name in OTHER_NAME:
            yield "id", OTHER_NAME[name]
        case ast.Attribute(attr=name) if name in OTHER_NAME:
            yield "attr", OTHER_NAME[name]
        case ast.Expr(value=ast.Call()):
            yield "value", ast.Constant(None)
        case ast.Call(args=args, keywords=keywords):
            yield from (("args", exchanged) for exchanged in _exchanged(args))
            for i, keyword in enumerate(keywords):
                if keyword.arg is not None and keyword.arg not in STYLE:  # None: **options
                    yield "keywords", keywords[:i] + keywords[i + 1 :]
        case ast.Tuple(elts=parts):
            yield from (("elts", exchanged) for exchanged in _exchanged(parts))
        case ast.JoinedStr(values=parts):
            values = [i for i, part in enumerate(parts) if isinstance(part, ast.FormattedValue)]
            yield from (("values", exchanged) for exchanged in _exchanged(parts, values))


def _exchanged(nodes: list[Any], which: Sequence[int] | None = None) -> Iterator[list[Any]]:
    """Two neighbours in each other's place."""
    for i, j in pairwise(range(len(nodes)) if which is None else which):
        a, b = nodes[i], nodes[j]
        starred = isinstance(a, ast.Starred) or isinstance(b, ast.Starred)
        if not starred and ast.dump(a) != ast.dump(b):
            exchanged = list(nodes)
            exchanged[i], exchanged[j] = b, a
            yield exchanged
