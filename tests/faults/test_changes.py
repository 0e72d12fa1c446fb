import ast
from pathlib import Path

import pytest
from faults.changes import count, faults

import minise


@pytest.mark.parametrize(
    ("line", "wrong"),
    [
        ("x = a + b", ["x = a - b"]),
        ("x += a", ["x -= a"]),
        ("x = a / b", ["x = a * b"]),
        ("x = a <= b < c", ["x = a < b < c", "x = a <= b <= c"]),
        ("x = a is not None", ["x = a is None"]),
        ("x = a and b", ["x = a or b"]),
        ("x = -a", ["x = +a"]),
        ("x = not a", ["x = not not a"]),
        ("x = True", ["x = False"]),
        ("x = [2, 0.5, 0.0]", ["x = [3, 0.5, 0.0]", "x = [2, 1.0, 0.0]", "x = [2, 0.5, 1.0]"]),
        ("x = a if b else c", ["x = a if not b else c"]),
        ("x = a.argmax()", ["x = a.argmin()"]),
        ("x = max(a, key=b)", ["x = max(a)", "x = min(a, key=b)"]),
        ("x = a(b, c, *d)", ["x = a(c, b, *d)"]),
        ("x = a(**b)", []),
        ("x, y = a", ["y, x = a"]),
        ("x = f'{a} of {b}'", ["x = f'{b} of {a}'"]),
        ("a.close()", ["None"]),
        ("x.plot(a, lw=2)", ["None"]),
        ("x.grid(alpha=0.5)", []),
        ("try: a\nexcept (B, C): d()", ["try:\n    a\nexcept (B, C):\n    None"]),
        ("x: int = a", []),
        ("x: TypeAlias = Callable[[int, str], None]", []),
        ("def f(a: int=b) -> list[int]: 'takes 3'", []),
        ("from a import b", []),
        ("__all__ = ['a', 'b']", []),
    ],
)
def test_a_line_is_given_each_fault_that_it_could_have(line, wrong):
    assert sorted(fault.source for fault in faults(line)) == sorted(wrong)
    assert count(line) == len(wrong)


def test_a_fault_has_its_line_and_is_shown_with_what_stands_around_it():
    source = f"first = 1\nfor i in range(n):\n    {'very_' * 12}long = (before, i <\n n, after)"
    [fault] = [fault for fault in faults(source) if "<=" in fault.after]
    assert fault.line == 3
    assert fault.before == "_very_very_very_very_long = (before, i < n, after)"
    assert fault.after == "_very_very_very_very_long = (before, i <= n, after)"
    assert fault.source.splitlines()[0] == "first = 1"


def test_every_fault_of_a_file_is_another_program_and_only_the_chosen_are_made():
    source = Path(minise.train.loop.__file__).read_text("utf-8")
    several = faults(source, slice(0, None, 20))
    assert len(several) == -(-count(source) // 20)
    assert len({ast.dump(ast.parse(fault.source)) for fault in several}) == len(several)
    assert all(fault.before != fault.after for fault in several)
