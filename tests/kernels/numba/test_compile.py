import numpy as np

from minise.kernels.numba import compile as compiling


def test_infinity_and_nan_keep_their_meaning():
    @compiling.compiled
    def kinds(x):
        return np.isnan(x[0]), np.isinf(x[1]), x[0] == x[0]

    assert kinds(np.array([np.nan, np.inf])) == (True, True, False)
