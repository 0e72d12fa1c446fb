"""Every operation over all its options, against PyTorch's: outputs and gradients."""

import numpy as np
import pytest
from closeness import assert_close
from hypothesis import given
from hypothesis import strategies as st
from rows import ROWS
from rows.row import as_tuple
from strategies import BATCHES, DTYPES, arrays_like


@pytest.mark.usefixtures("each_backend")
@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
@given(data=st.data())
def test_an_operation_agrees_with_the_same_in_pytorch(torch, row, data):
    call = data.draw(row.draw(np.float64 if row.kinked else data.draw(DTYPES), BATCHES))
    y, saved = call.of(row.forward)
    tensors = [
        None if array is None else torch.tensor(array, requires_grad=array.dtype.kind == "f")
        for array in call.arrays
    ]
    ty = row.pytorch(torch, *tensors, **call.options)
    assert_close(y, ty.detach().numpy())
    dy = data.draw(arrays_like(y))
    ty.backward(torch.tensor(dy))
    gradients = as_tuple(row.backward(dy, saved))
    for gradient, tensor in zip(gradients, tensors, strict=False):  # labels have none
        assert (gradient is None) == (tensor is None)
        if tensor is not None:
            assert_close(gradient, tensor.grad.numpy())
