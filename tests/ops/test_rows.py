"""Every operation is its definition, over all its options, and refuses what does not fit."""

import backends
import pytest
from closeness import assert_close
from hypothesis import given
from hypothesis import strategies as st
from rows import FILES, ROWS
from strategies import DTYPES

from minise import ops

FEW = st.integers(0, 2) | st.just(16)  # images: naive loops are slow
REFUSED = {
    f"{row.operation}: {message}": (row, message)
    for row in ROWS.values()
    for message in row.refused
}


def test_every_operation_has_a_row_in_the_file_of_its_name():
    operations = {name for name in ops.__all__ if f"{name}_backward" in ops.__all__}
    assert operations
    assert operations == set(ROWS)
    for file in FILES:
        for row in getattr(file, "ROWS", ()):
            assert file.__name__ == f"rows.{row.file}"


@pytest.mark.usefixtures("each_backend")
@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
@given(data=st.data(), dtype=DTYPES)
def test_an_operation_is_its_definition(row, data, dtype):
    call = data.draw(row.draw(dtype, FEW))
    y, _ = call.of(row.forward)
    assert y.dtype == dtype
    assert_close(y, call.of(row.naive), row.roundings)


@pytest.mark.parametrize("on", ["numpy", "numba"])  # a GPU is not waited for to look at labels
@pytest.mark.parametrize("name", REFUSED)
def test_what_does_not_fit_is_one_clear_error(name, on):
    row, message = REFUSED[name]
    error, call = row.refused[message]
    with backends.using(on), pytest.raises(error, match=f"^{row.operation}: .*{message}"):
        call.of(row.forward)
