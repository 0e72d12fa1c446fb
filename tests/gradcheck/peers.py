"""torch.autograd.gradcheck, JAX's check_grads and minise on the same code, side by side.

    python tests/gradcheck/peers.py

writes the page of the reference (tutorials/reference/other-checkers.md), seconds included.
Twenty wrong backwards, and right ones on inputs that are hard, are each written once:
`forward(xp, *inputs)` and `backward(xp, dy, *inputs)` take NumPy, PyTorch or `jax.numpy` as xp.
Each checker is called as its documentation shows it, in float64. Seconds are of processor time.
"""

from __future__ import annotations

import datetime
import inspect
import platform
import textwrap
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import jax.test_util
import numpy as np
import torch

from minise import gradcheck

PAGE = Path(__file__).parents[2] / "tutorials" / "reference" / "other-checkers.md"

TEXT = """# Beside other checkers

The same code was given to `torch.autograd.gradcheck` (as a `Function`), to JAX's `check_grads`
(as a `custom_vjp`, with `order=1, modes=["rev"]`) and to [`minise.gradcheck`](gradcheck.md) (as a
pair of functions), all in float64 and with their own tolerances.

{made}

A cell has the verdict, seconds of processor time, and the first line of what is printed,
shortened. Of minise that is a cause where it guesses one, and of a pass what would have gone
unseen. JAX has no code that writes into an array: there it has a dash.

* `gradcheck` gives a backward no negative dy, and accepts a relative error of 1e-3 or an absolute
  one of 1e-5. So gradients pass that are small, clipped, or multiplied by dy twice.
* `check_grads` compares one number, the slope along one direction, to 1e-5.
* At kinks both reject whatever backward says, right or wrong, unless it is by chance what a central
  difference says, such as a tie shared evenly: see [Kinks](kinks.md).
* 7·x·dy for the gradient of x² is 0 where x is 0, and so is the right one: all three let it pass.
  minise says that it would go unseen there.
* Both check what minise does not: second derivatives (`gradgradcheck`, `order=2`), forward
  derivatives, complex functions; PyTorch also a backward under `vmap`, or with an output that has
  no gradient.

This page is made by `python tests/gradcheck/peers.py`, and `tests/gradcheck/test_peers.py` holds
its verdicts.

## Twenty that are wrong

{faults}

## Eight that are right

Some of them on inputs that are hard to judge: at a kink, near 0, of very different sizes.

{right}
"""


class Case(NamedTuple):
    forward: Callable[..., Any]
    backward: Callable[..., Any]
    inputs: tuple[Any, ...]  # float arrays first
    writes: bool = False  # into an array, or goes by its memory: no JAX code can


rng = np.random.default_rng(20)
X, W, B = rng.standard_normal((5, 4)), rng.standard_normal((4, 4)), rng.standard_normal(4)
AT_ZERO = np.array([-1.5, 0.0, 0.75, 0.0, 2.0])
TIES = np.array([[1.0, 3.0, 3.0], [2.0, 0.5, -1.0]])
HOT = np.eye(4, dtype=bool)[[0, 3, 1, 1, 2]]


def tanh(xp, x):
    return xp.tanh(x)


def tanh_backward(xp, dy, x):
    return dy * (1 - xp.tanh(x) ** 2)


def linear(xp, x, w, b):
    return x @ w.T + b


def softmax(xp, x):
    e = xp.exp(x - xp.amax(x, axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def softmax_backward(xp, dy, x):
    p = softmax(xp, x)
    return p * (dy - (dy * p).sum(axis=1, keepdims=True))


def cross_entropy(xp, x, hot):
    return -(xp.log(softmax(xp, x)) * hot).sum() / len(x)


def batch_norm(xp, x):
    centred = x - x.mean(axis=0)
    return centred / xp.sqrt((centred**2).mean(axis=0) + 1e-5)


def batch_norm_backward(xp, dy, x, eps=1e-5, along_x=1):
    centred = x - x.mean(axis=0)
    deviation = xp.sqrt((centred**2).mean(axis=0) + eps)
    y = centred / deviation
    return (dy - dy.mean(axis=0) - along_x * y * (dy * y).mean(axis=0)) / deviation


def windows(xp, x):
    """Sums of three, from every second: two windows share one column. (N, 5) to (N, 2)"""
    return xp.stack([x[:, 0:3].sum(axis=1), x[:, 2:5].sum(axis=1)], axis=1)


def windows_backward(xp, dy, x, adds=True):
    left, right = dy[:, 0], dy[:, 1]
    shared = left + right if adds else right
    return xp.stack([left, left, shared, right, right], axis=1)


def relu(xp, x):
    return xp.where(x > 0, x, 0.0 * x)


def largest(xp, x):
    return xp.amax(x, axis=1)


def largest_backward(xp, dy, x):
    """To the first of a tie."""
    first = xp.argmax(x, axis=1)[:, None] == xp.arange(x.shape[1])
    return dy[:, None] * first


def squared_error(xp, x):
    return (x**2).sum() / len(x)


def written(x):
    """A ReLU in place."""
    x[x < 0] = 0
    return x + 0


def halved_in_place(dy):
    dy *= 0.5
    return dy


def in_memory_order(dy):
    """As who takes it for contiguous: NumPy gives it in another order, PyTorch refuses."""
    flat = dy.ravel(order="K") if isinstance(dy, np.ndarray) else dy.view(-1)
    return flat.reshape(dy.shape)


def but_one(dy):
    keep = np.ones((30, 30))
    keep[29, 29] = 0
    return keep


FAULTS = {
    "linear: mean over N for the sum of db": Case(
        linear, lambda xp, dy, x, w, b: (dy @ w, dy.T @ x, dy.mean(axis=0)), (X, W, B)
    ),
    "linear: dy @ w.T for dy @ w, w square": Case(
        linear, lambda xp, dy, x, w, b: (dy @ w.T, dy.T @ x, dy.sum(axis=0)), (X, W, B)
    ),
    "tanh: its slope left out": Case(tanh, lambda xp, dy, x: dy + 0 * x, (X,)),
    "softmax: only the diagonal": Case(
        softmax,
        lambda xp, dy, x: dy * softmax(xp, x) * (1 - softmax(xp, x)),
        (X,),
    ),
    "cross-entropy: no −1 at the label": Case(
        cross_entropy, lambda xp, dy, x, hot: (dy * softmax(xp, x) / len(x), None), (X, HOT)
    ),
    "batch norm: the variance's term left out": Case(
        batch_norm, lambda xp, dy, x: batch_norm_backward(xp, dy, x, along_x=0), (X,)
    ),
    "batch norm: eps left out": Case(
        batch_norm, lambda xp, dy, x: batch_norm_backward(xp, dy, x, eps=0), (X,)
    ),
    "windows: = for += where they overlap": Case(
        windows, lambda xp, dy, x: windows_backward(xp, dy, x, adds=False), (X.reshape(4, 5),)
    ),
    "transpose: only reshaped": Case(
        lambda xp, x: x.T + 0, lambda xp, dy, x: dy.reshape(x.shape), (X,)
    ),
    "tanh: one entry of 900 left out": Case(
        tanh,
        lambda xp, dy, x: tanh_backward(xp, dy, x) * xp.asarray(but_one(dy)),
        (rng.standard_normal((30, 30)),),
    ),
    "penalty 1e-6·Σw²: the factor 2 left out": Case(
        lambda xp, w: 1e-6 * (w**2).sum(), lambda xp, dy, w: dy * 1e-6 * w, (W,)
    ),
    "x²: 7·x·dy, at x = 0": Case(
        lambda xp, x: x**2, lambda xp, dy, x: 7 * x * dy, (np.zeros((2, 3)),)
    ),
    "relu: slope 2 at 0": Case(
        relu, lambda xp, dy, x: dy * ((x > 0) + 2.0 * (x == 0)), (AT_ZERO,)
    ),
    "max: a tie given to both": Case(
        largest, lambda xp, dy, x: dy[:, None] * (x == largest(xp, x)[:, None]), (TIES,)
    ),
    "loss: not multiplied by dy": Case(
        squared_error, lambda xp, dy, x: 2 * x / len(x) + 0 * dy, (X,)
    ),
    "tanh: multiplied by dy twice": Case(
        tanh, lambda xp, dy, x: dy * tanh_backward(xp, dy, x), (X,)
    ),
    "tanh: dy clipped at 0": Case(
        tanh, lambda xp, dy, x: xp.where(dy > 0, tanh_backward(xp, dy, x), 0.0 * dy), (X,)
    ),
    "half: backward writes into dy": Case(
        lambda xp, x: 0.5 * x, lambda xp, dy, x: halved_in_place(dy), (X,), writes=True
    ),
    "relu: forward writes into x": Case(
        lambda xp, x: written(x), lambda xp, dy, x: dy * (x > 0), (X,), writes=True
    ),
    "copy: dy taken for contiguous": Case(
        lambda xp, x: x + 0, lambda xp, dy, x: in_memory_order(dy), (X,), writes=True
    ),
}  # fmt: skip

RIGHT = {
    "linear": Case(
        linear, lambda xp, dy, x, w, b: (dy @ w, dy.T @ x, dy.sum(axis=0)), (X, W, B)
    ),
    "batch norm": Case(batch_norm, batch_norm_backward, (X,)),
    "softmax": Case(softmax, softmax_backward, (X,)),
    "tanh, 900 entries": Case(tanh, tanh_backward, FAULTS["tanh: one entry of 900 left out"][2]),
    "relu at 0": Case(relu, lambda xp, dy, x: dy * (x > 0), (AT_ZERO,)),
    "max, a tie given to the first": Case(largest, largest_backward, (TIES,)),
    "log of probabilities near 1e-5": Case(
        lambda xp, p: xp.log(p), lambda xp, dy, p: dy / p, (1e-5 * np.abs(X) + 1e-6,)
    ),
    "x³ of thousands, summed": Case(
        lambda xp, x: (x**3).sum(), lambda xp, dy, x: 3 * x**2 * dy, (1e4 * X,)
    ),
}  # fmt: skip


class Said(NamedTuple):
    verdict: str  # "passed", "rejected", or "—" where the code cannot be written
    seconds: float = 0.0
    line: str = ""


def timed(check: Callable[[], str | None]) -> Said:
    """`check` gives the line of what it rejects, or None; or it raises an error."""
    began = time.process_time()
    try:
        line = check()
    except (AssertionError, RuntimeError) as error:
        line = " ".join([part for part in str(error).splitlines() if part.strip()][:2])
    seconds = time.process_time() - began
    return Said("passed" if line is None else "rejected", seconds, line or "")


def as_function(case: Case) -> type:
    def forward(ctx, *inputs):
        y = case.forward(torch, *inputs)
        ctx.save_for_backward(*inputs)
        return y

    def backward(ctx, dy):
        return case.backward(torch, dy, *ctx.saved_tensors)

    methods = {"forward": staticmethod(forward), "backward": staticmethod(backward)}
    return type("Function", (torch.autograd.Function,), methods)


def as_custom_vjp(case: Case) -> Any:
    def bwd(inputs, dy):
        found = case.backward(jnp, dy, *inputs)
        return found if isinstance(found, tuple) else (found,)

    function = jax.custom_vjp(partial(case.forward, jnp))
    function.defvjp(lambda *inputs: (case.forward(jnp, *inputs), inputs), bwd)
    return function


def as_pair(case: Case) -> tuple[Any, Any]:
    def forward(*inputs):
        return case.forward(np, *inputs), inputs

    forward.__signature__ = inspect.signature(partial(case.forward, np))  # names, for messages
    return forward, lambda dy, inputs: case.backward(np, dy, *inputs)


def by_pytorch(case: Case) -> Said:
    inputs = [torch.tensor(x, requires_grad=x.dtype.kind == "f") for x in case.inputs]

    def check() -> None:
        torch.autograd.gradcheck(as_function(case).apply, inputs)

    return timed(check)


def by_jax(case: Case) -> Said:
    if case.writes:
        return Said("—")

    def check() -> None:
        function = as_custom_vjp(case)
        arrays = [jnp.asarray(x) for x in case.inputs]
        floats = [x for x in arrays if x.dtype.kind == "f"]
        others = arrays[len(floats) :]
        jax.test_util.check_grads(
            lambda *floats: function(*floats, *others), floats, order=1, modes=["rev"]
        )

    with jax.enable_x64(True):
        return timed(check)


def by_minise(case: Case, form: Callable[[Case], Any] = as_pair) -> Said:
    began = time.process_time()
    report = gradcheck.check(form(case), *case.inputs)
    seconds = time.process_time() - began
    return Said("passed" if report.passed else "rejected", seconds, told(report))


def told(report: gradcheck.Report) -> str:
    """A problem, a cause, a row of its table, or what would have gone unseen."""
    causes = [f"{each.name}: {each.cause}" for each in report.gradients if each.cause]
    wrong = [each.name for each in report.gradients if not each.passed]
    causes += [
        f"{each.name}: {len(each.kinks)} entries at a kink are wrong when moved together"
        for each in report.gradients
        if each.together is gradcheck.Verdict.WRONG
    ]
    rows = [row for row in str(report).splitlines() if row.split()[:1] == wrong[:1]]
    unseen = [f"unseen: {line}" for line in report.unseen]
    return " ".join(next(iter([*report.problems, *causes, *rows, *unseen]), "").split())


CHECKERS = {"PyTorch": by_pytorch, "JAX": by_jax, "minise": by_minise}


def table(cases: dict[str, Case], first: str) -> list[str]:
    heads = [first, *CHECKERS]
    rows = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    for name, case in cases.items():
        cells = [cell(checker(case)) for checker in CHECKERS.values()]
        rows.append(f"| {' | '.join([name, *cells])} |")
    return rows


def cell(said: Said) -> str:
    if said.verdict == "—":
        return "—"
    seconds = f"{said.verdict}, {said.seconds:.2f} s"
    line = textwrap.shorten(said.line.replace("|", "/"), 72, placeholder=" …")
    return f"{seconds}<br>{line}" if line else seconds


def processor() -> str:
    """Its name, where the system tells."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.partition(": ")[2] for line in lines if line.startswith("model name")]
    return next(iter(names), platform.processor() or platform.machine())


def main() -> None:
    for checker in CHECKERS.values():  # what each takes once in a process is none of the seconds
        checker(RIGHT["linear"])
    versions = f"PyTorch {torch.__version__.partition('+')[0]}, JAX {jax.__version__}"
    today = datetime.datetime.now(tz=datetime.UTC).date()
    made = f"{today}, {versions}, NumPy {np.__version__}, {processor()}."
    faults, right = table(FAULTS, "wrong backward"), table(RIGHT, "right backward")
    text = TEXT.format(made=made, faults="\n".join(faults), right="\n".join(right))
    PAGE.write_text(text, encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
