"""Which input or parameter a gradient belongs to, by its name: dx, grad_x and x_grad to x."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

BEFORE = ("dL_d", "dloss_d", "gradient_", "grad_", "delta_", "d_", "grad", "d")
AFTER = ("_gradient", "_grad", ".grad", "grad")


def owner(gradient: str, names: Iterable[str], itself: bool = True) -> str | None:
    """The one of `names` that `gradient` is the gradient of, or None.

    The same letters count most: dW is that of W beside w, and of w where there is no W; then of
    a name that begins so, weights, if only one does. `params['W1']` and `layers[0].W` go by what
    comes last. A gradient may bear the very name of its owner, as in grads["W1"], if `itself`.
    """
    names = list(dict.fromkeys(names))
    stems = [gradient] * itself
    stems += [gradient[len(b) :] for b in BEFORE if gradient.lower().startswith(b.lower())]
    stems += [gradient[: -len(a)] for a in AFTER if gradient.lower().endswith(a)]
    for alike in ALIKE:
        for stem in filter(None, stems):
            found = [name for name in names if alike(stem, short(name))]
            if len(found) == 1:
                return found[0]
    return None


ALIKE: tuple[Callable[[str, str], bool], ...] = (
    lambda stem, name: stem == name,
    lambda stem, name: stem.lower() == name.lower(),
    lambda stem, name: name.lower().startswith(stem.lower()),
)


def short(name: str) -> str:
    """W1 of params['W1'], and W of layers[0].W; others as they are."""
    key = re.fullmatch(r".*\['(\w+)'\]", name)
    return key[1] if key else name.rpartition(".")[2]
