"""How close is close enough: a number of roundings in the dtype at hand."""

import numpy as np

# The sums in these tests have up to some hundred terms of a size around 1; most errors cancel.
ROUNDINGS = 256


def assert_close(got, expected, roundings=ROUNDINGS):
    """The same shape, and no further apart than so many roundings of the largest number."""
    got, expected = np.asarray(got), np.asarray(expected)
    assert got.shape == expected.shape
    largest = max(1.0, np.abs(expected).max(initial=0))
    allowed = roundings * np.finfo(got.dtype).eps * largest
    np.testing.assert_allclose(got, expected, rtol=0, atol=allowed)


def assert_same_products(*pairs):
    """Σ a · b is the same for every pair (a, b), as it is for a linear map and its adjoint."""
    products = [np.vdot(a, b) for a, b in pairs]
    largest = max(np.linalg.norm(a) * np.linalg.norm(b) for a, b in pairs)
    allowed = ROUNDINGS * np.finfo(products[0].dtype).eps * largest
    np.testing.assert_allclose(products, products[0], rtol=0, atol=allowed)
