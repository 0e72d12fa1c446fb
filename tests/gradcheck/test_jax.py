"""Code of JAX in the forms that people have it in, against the real package."""

import functools

import numpy as np
import pytest

from minise import InputError, gradcheck


@pytest.fixture(scope="module")
def jax():
    return pytest.importorskip("jax", reason="JAX is not installed")


@pytest.fixture
def jnp(jax):
    return jax.numpy


@pytest.fixture
def x():
    return np.random.default_rng(3).standard_normal((5, 4))


@pytest.fixture
def w():
    return np.random.default_rng(4).standard_normal((3, 4))


def custom(jax, forward, fwd, bwd, **options):
    function = jax.custom_vjp(forward, **options)
    function.defvjp(fwd, bwd)
    return function


def linear(x, w):
    return x @ w.T


def keep(x, w):
    return x @ w.T, (x, w)


def said(report):
    return " ".join(str(report).split())


@pytest.mark.parametrize("compiled", [False, True])
def test_a_custom_vjp_is_checked_and_what_is_wrong_with_it_told(jax, x, w, compiled):
    def checked(bwd):
        function = custom(jax, linear, keep, bwd)
        return gradcheck.check(jax.jit(function) if compiled else function, x, w)

    right = checked(lambda saved, dy: (dy @ saved[1], dy.T @ saved[0]))
    assert right.passed
    assert right.subject == "linear"
    assert [gradient.name for gradient in right.gradients] == ["x", "w"]
    wrong = checked(lambda saved, dy: (dy @ saved[1], dy.T @ saved[0] / 5))
    assert wrong["x"].passed
    assert "w: off by the constant factor 0.2 = 1/(N) = 1/5" in said(wrong)
    forgotten = checked(lambda saved, dy: (dy @ saved[1], None))
    assert "w: backward gives 0 everywhere" in said(forgotten)


def test_a_fwd_that_computes_another_output_is_told(jax, x, w):
    function = custom(
        jax, linear, lambda x, w: (2 * x @ w.T, (x, w)),
        lambda saved, dy: (dy @ saved[1], dy.T @ saved[0]),
    )  # fmt: skip
    (problem,) = gradcheck.check(function, x, w).problems
    assert problem.startswith("forward gives another output where no gradient is asked for")


@pytest.mark.parametrize(
    ("bwd", "problem"),
    [
        (lambda dy: dy.clip(0), "the gradient of x is not linear in dy"),
        (lambda dy: 0 * dy + 1, "the gradient of x does not depend on dy"),
    ],
)
def test_a_bwd_that_takes_dy_for_something_else(jax, x, bwd, problem):
    identity = custom(jax, lambda x: x + 0, lambda x: (x + 0, None), lambda saved, dy: (bwd(dy),))
    assert problem in "\n".join(gradcheck.check(identity, x).problems)


def test_arguments_that_are_not_differentiated(jax, x):
    power = custom(
        jax, lambda n, x: x**n, lambda n, x: (x**n, x),
        lambda n, x, dy: (n * x ** (n - 1) * dy,), nondiff_argnums=(0,),
    )  # fmt: skip
    report = gradcheck.check(power, 3, x)
    assert report.passed
    assert [gradient.name for gradient in report.gradients] == ["x"]


def test_a_custom_jvp(jax, jnp, x):
    def squared(factor):
        @jax.custom_jvp
        def squared(x):
            return x**2

        squared.defjvps(lambda dx, y, x: factor * x * dx)
        return squared

    assert gradcheck.check(squared(2), x).passed
    assert "off by the constant factor 1.5" in said(gradcheck.check(squared(3), x))


def test_parameters_in_a_tree_go_by_their_path(jax, jnp, x, w):
    def net(params, x, labels):
        (last,) = params["layers"]
        scores = jnp.tanh(x) @ last["w"].T + params["b"]
        return -jax.nn.log_softmax(scores)[jnp.arange(5), labels].mean()

    params = {"layers": [{"w": w}], "b": np.ones(3, np.float32)}
    report = gradcheck.check(net, params, x, np.array([0, 2, 1, 1, 0]))
    assert report.passed
    names = [gradient.name for gradient in report.gradients]
    assert names == ["params['b']", "params['layers'][0]['w']", "x"]


def test_several_outputs_some_of_integers(jax, jnp, x):
    def step(x):
        return {"h": jnp.tanh(x), "best": x.argmax(1), "y": (x.sum(), x[:2])}

    report = gradcheck.check(step, x)
    assert report.passed
    np.testing.assert_allclose(report["x"].numeric, report["x"].analytic.reshape(-1), rtol=1e-6)


def test_a_function_is_known_by_its_inputs_or_by_what_it_names(jax, jnp, x):
    assert gradcheck.check(lambda x: jnp.sin(x), x).passed
    assert gradcheck.check(functools.partial(lambda n, x: n * jnp.sin(x), 2), x).passed
    assert gradcheck.check(jnp.sin, x).passed
    assert gradcheck.check(lambda x: x**2, jnp.asarray(x)).passed
    net = type("Net", (), {"__call__": lambda self, x: jnp.sin(x)})()
    assert gradcheck.check(net, x).passed


def test_a_pair_written_by_hand_with_arrays_of_jax(jax, jnp, x, w):
    def forward(x, w):
        y = jnp.tanh(x @ w.T)
        return y, (x, w, y)

    def backward(factor):
        def backward(dy, saved):
            x, w, y = saved
            dz = dy * (1 - y**2)
            return dz @ w, factor * dz.T @ x

        return backward

    assert gradcheck.check((forward, backward(1)), x, w).passed
    wrong = gradcheck.check((forward, backward(2)), jnp.asarray(x), jnp.asarray(w))
    assert "w: off by the constant factor 2" in said(wrong)


def test_it_computes_in_float64_for_the_check_alone(jax, jnp, x):
    seen = []

    @jax.jit
    def tanh(x):
        seen.append(x.dtype)
        return jnp.tanh(x)

    before = tanh(x)
    report = gradcheck.check(tanh, jnp.asarray(x))
    assert report.passed
    assert report["x"].relative_error < 1e-7
    assert jax.config.jax_enable_x64 is False
    after = tanh(x)
    assert [before.dtype, after.dtype, jnp.ones(2).dtype] == ["float32"] * 3
    assert set(seen) == {np.dtype("float32"), np.dtype("float64")}


def test_a_compiled_function_may_take_its_arrays_as_its_own(jax, jnp, x):
    assert gradcheck.check(jax.jit(lambda x: jnp.tanh(x), donate_argnums=0), x).passed


def test_what_is_computed_in_float32_is_given_so(jax, jnp, x):
    report = gradcheck.check(lambda x: jnp.float32(2) * x.astype(jnp.bfloat16), x, tolerance=1)
    assert report["x"].analytic.dtype == np.float64  # as JAX casts it back


@pytest.mark.parametrize(
    ("bwd", "message"),
    [
        (lambda saved, dy: (dy @ saved[1], saved[0].T @ dy), r"linear: .* float64\[4,3\]"),
        (lambda saved, dy: dy @ saved[1], "linear: .* must produce a tuple"),
    ],
)
def test_gradients_that_jax_does_not_take(jax, x, w, bwd, message):
    with pytest.raises(InputError, match=message):
        gradcheck.check(custom(jax, linear, keep, bwd), x, w)


def test_what_it_cannot_be_asked(jax, jnp, x):
    with pytest.raises(InputError, match="complex steps are not for code of JAX"):
        gradcheck.check(jnp.tanh, x, method="complex")
    with pytest.raises(InputError, match="returned no array of floating point"):
        gradcheck.check(lambda x: jnp.argmax(x), x)
    with pytest.raises(InputError, match="loss= is for layers"):
        gradcheck.check(jnp.tanh, x, loss=jnp.sum)
    with pytest.raises(InputError, match="was given no float array to differentiate"):
        gradcheck.check(jnp.tanh, np.arange(3))
