import warnings

import numba
import numpy as np
import pytest

from minise.kernels.numba import compile as compiling


def test_where_no_cache_can_be_written_kernels_run_uncached_with_one_notice(monkeypatch):
    njit = numba.njit

    def without_a_place_for_the_cache(cache=False, **options):
        if cache:
            raise RuntimeError("cannot cache function: no locator available")
        return njit(**options)

    monkeypatch.setattr(numba, "njit", without_a_place_for_the_cache)
    monkeypatch.setattr(compiling, "_notice_given", False)
    with pytest.warns(RuntimeWarning, match="NUMBA_CACHE_DIR"):

        @compiling.compiled
        def double(x):
            return 2 * x

    with warnings.catch_warnings():
        warnings.simplefilter("error")

        @compiling.compiled
        def triple(x):
            return 3 * x

    assert (double(4), triple(4)) == (8, 12)


def test_infinity_and_nan_keep_their_meaning():
    @compiling.compiled
    def kinds(x):
        return np.isnan(x[0]), np.isinf(x[1]), x[0] == x[0]

    assert kinds(np.array([np.nan, np.inf])) == (True, True, False)
