#!/usr/bin/env bash
# JAX 0.10.2: check_grads multiplies its tolerance by the number of entries of the output, and then
# compares entry by entry. In float32 (2e-3) it reaches 1 with 500 entries, in float64 (1e-5) with
# 100,000: from there a derivative of zero passes as a custom_jvp's with modes=["fwd"], and a
# custom_vjp's fwd may return zeros for the output. With 100 entries both are rejected. What is held
# against one number, the sum of a custom_vjp's gradient along one direction, is not affected.
#
#   tanh of float32, entries    100        1,000
#   jvp of zeros                rejected   passed
#   fwd that returns zeros      rejected   passed
#   vjp of zeros                rejected   rejected
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip --quiet install jax==0.10.2 jaxlib==0.10.2 numpy==2.4.6
cd "$folder"
cat > sizes.py <<'END'
import jax
import jax.numpy as jnp
from jax.test_util import check_grads


@jax.custom_jvp
def zero_jvp(x):
    return jnp.tanh(x)


zero_jvp.defjvps(lambda dx, y, x: 0 * dx)


def with_vjp(fwd, bwd):
    function = jax.custom_vjp(jnp.tanh)
    function.defvjp(fwd, bwd)
    return function


def slope(x, dy):
    return (dy * (1 - jnp.tanh(x) ** 2),)


CODE = {
    "jvp of zeros": (zero_jvp, "fwd"),
    "fwd that returns zeros": (with_vjp(lambda x: (0 * x, x), slope), "rev"),
    "vjp of zeros": (with_vjp(lambda x: (jnp.tanh(x), x), lambda x, dy: (0 * dy,)), "rev"),
    "right": (with_vjp(lambda x: (jnp.tanh(x), x), slope), "rev"),
}


def verdict(function, mode, entries):
    try:
        check_grads(function, (jnp.linspace(-2, 2, entries),), order=1, modes=[mode])
    except AssertionError:
        return "rejected"
    return "passed"


seen = {name: [verdict(*code, entries) for entries in (100, 1000)] for name, code in CODE.items()}
for name, verdicts in seen.items():
    print(f"{name:24} {verdicts[0]:10} {verdicts[1]}")
assert seen == {
    "jvp of zeros": ["rejected", "passed"],
    "fwd that returns zeros": ["rejected", "passed"],
    "vjp of zeros": ["rejected", "rejected"],
    "right": ["passed", "passed"],
}
END
venv/bin/python sizes.py
