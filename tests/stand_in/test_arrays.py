"""Arrays of the stand-in: what CuPy refuses is refused, and memory behaves as a GPU's does."""

import copy

import numpy as np
import pytest
from stand_in.installed import stand_in_as_cupy


@pytest.fixture(scope="module")
def cp():
    with stand_in_as_cupy() as cupy:
        yield cupy


@pytest.fixture(autouse=True)
def counters(cp):
    cp.stand_in.reset()
    return cp.stand_in


@pytest.fixture
def x(cp):
    return cp.asarray(np.arange(12, dtype=np.float32).reshape(3, 4))


def test_an_array_is_cupys_own_kind_and_never_a_numpy_array(cp, x):
    assert type(x) is cp.ndarray
    assert (type(x).__module__, type(x).__name__) == ("cupy", "ndarray")
    assert not isinstance(x, np.ndarray)
    assert cp.get_array_module(x) is cp
    assert cp.get_array_module(np.ones(1)) is np
    for convert in (np.asarray, np.sqrt, lambda a: np.concatenate([a, a]), hash, range):
        with pytest.raises(TypeError):
            convert(x)
    with pytest.raises(TypeError, match=r"Please use `\.get\(\)`"):
        np.array(x)


FOREIGN = {
    "from the right": lambda cp, x, a: x + a,
    "from the left": lambda cp, x, a: a + x,
    "comparison": lambda cp, x, a: x < a,
    "in place": lambda cp, x, a: x.__iadd__(a),
    "ufunc": lambda cp, x, a: cp.maximum(x, a),
    "ufunc of one": lambda cp, x, a: cp.sqrt(a),
    "output": lambda cp, x, a: cp.sqrt(x, out=a),
    "assignment": lambda cp, x, a: x.__setitem__(Ellipsis, a),
    "product": lambda cp, x, a: x @ a,
    "reduction": lambda cp, x, a: cp.sum(a),
    "choice": lambda cp, x, a: cp.where(a, x, x),
    "joining": lambda cp, x, a: cp.concatenate([x, a]),
    "padding": lambda cp, x, a: cp.pad(a, 1),
    "view": lambda cp, x, a: cp.reshape(a, (-1,)),
}


@pytest.mark.parametrize("way", FOREIGN)
def test_numpy_arrays_and_lists_are_refused_everywhere(cp, x, way):
    for foreign in (np.ones((3, 4), np.float32), [[1.0] * 4] * 3):
        with pytest.raises(TypeError):
            FOREIGN[way](cp, x, foreign)


def test_numbers_of_numpy_and_python_are_taken_and_promote_as_numpy_2_has_it(cp, x):
    assert (np.float32(2) * x).dtype == (2.5 * x).dtype == (x**2).dtype == np.float32
    assert (np.float64(2) * x).dtype == np.float64
    small = cp.asarray(np.array([1, 2], np.uint8))
    assert (small + 1).dtype == np.uint8
    assert small.sum().dtype == np.uint64
    with pytest.raises(OverflowError):
        small + 300


def test_what_has_no_axes_left_is_an_array_all_the_same(cp, x):
    for result in (x.sum(), x.mean(), cp.max(x), x[1, 2], x[0, 0] + 1, cp.allclose(x, x)):
        assert type(result) is cp.ndarray
        assert result.shape == ()
    assert isinstance(x.argmax().item(), int)


WAITING = {
    "float": lambda cp, x: float(x[0, 0]),
    "int": lambda cp, x: int(x[0, 0]),
    "bool": lambda cp, x: bool((x > 3).any()),
    "item": lambda cp, x: x.sum().item(),
    "get": lambda cp, x: x.get(),
    "asnumpy": lambda cp, x: cp.asnumpy(x),
    "print": lambda cp, x: str(x),
    "nonzero": lambda cp, x: cp.nonzero(x),
    "flatnonzero": lambda cp, x: cp.flatnonzero(x > 3),
    "unique": lambda cp, x: cp.unique(x),
    "reading by a mask": lambda cp, x: x[x > 3],
    "writing by a mask": lambda cp, x: x.__setitem__(x > 3, 0),
    "stream": lambda cp, x: cp.cuda.get_current_stream().synchronize(),
    "device": lambda cp, x: cp.cuda.Device().synchronize(),
}


@pytest.mark.parametrize("way", WAITING)
def test_each_wait_for_the_gpu_is_counted_once(cp, x, counters, way):
    WAITING[way](cp, x)
    assert counters.synchronisations == 1


def test_work_that_stays_on_the_gpu_waits_for_nothing_and_copies_nothing(cp, x, counters):
    counters.reset()
    y = cp.where(x > 3, x, 0) @ x.T
    y += y.mean(axis=0)
    y[1:, :2] = cp.zeros((2, 2), np.float32)
    cp.concatenate([y[None], cp.ones_like(y)[None]]).reshape(-1).astype(np.float64)
    copy.deepcopy(y).fill(3)
    assert (counters.synchronisations, counters.copies_to_gpu) == (0, 0)


def test_copies_to_the_gpu_are_counted_and_share_no_memory(cp, counters):
    host = np.ones(3, np.float32)
    x = cp.asarray(host)
    host[0] = 5
    assert x.get().tolist() == [1, 1, 1]
    assert cp.asarray(x) is x
    x.set(host)
    assert cp.asarray([1, 2]).dtype == np.int64
    assert counters.copies_to_gpu == 3
    with pytest.raises(TypeError, match="float64 array cannot be set to float32 array"):
        x.set(host.astype(np.float64))
    with pytest.raises(ValueError, match="Unsupported dtype"):
        cp.asarray(["words"])


def test_integer_arrays_wrap_around_and_integers_do_not(cp, x):
    far = cp.asarray(np.array([4, -5]))
    assert x[far].get().tolist() == x[cp.asarray([1, 1])].get().tolist()
    assert cp.take(x, far, axis=1).get().tolist() == x.get()[:, [0, 3]].tolist()
    for key in (3, -4, (0, 4)):
        with pytest.raises(IndexError, match="out of bounds"):
            x[key]


def test_writing_to_one_place_twice_is_an_error(cp, x):
    import cupyx

    x[cp.asarray([0, 2])] = 1
    for twice in ([0, 0], [0, 3]):  # 3 is 0 again
        with pytest.raises(cp.stand_in.StandInError, match="same place twice"):
            x[cp.asarray(twice)] = 1
    for add in (cp.add.at, cupyx.scatter_add):
        with pytest.raises(cp.stand_in.StandInError, match="atomics"):
            add(x, cp.asarray([0, 1]), 1)


def test_memory_that_was_not_written_shows(cp):
    assert np.isnan(cp.empty((2, 3), np.float32).get()).all()
    assert (cp.empty_like(cp.zeros(3, np.int32)).get() == np.int32(-1515870811)).all()
    assert (cp.empty(3, np.uint8).get() == 0xA5).all()


def test_memory_lies_as_in_cupy(cp, x):
    assert x.data.ptr % 512 == 0
    assert x[1:, 2:].data.ptr == x.data.ptr + 4 * (4 + 2)
    assert x.T.base is x
    assert not x.T.flags.owndata
    assert x.T.reshape(4, 3).base is x
    assert x.T.reshape(-1).base is None
    for in_c_order in (x.T + 1, x.T.copy(), cp.where(x.T > 0, x.T, 0), x.T.sum(axis=0)):
        assert in_c_order.flags.c_contiguous
    for in_f_order in (x.T, x.T.astype(np.float64), cp.empty_like(x.T), cp.asarray(x.get().T)):
        assert in_f_order.flags.f_contiguous
        assert not in_f_order.flags.c_contiguous


def test_changes_in_place_change_the_same_memory(cp, x):
    same, view, address = x, x[1:], x.data.ptr
    x += 1
    x[1:] *= 2
    x[0, 0] = 9
    cp.sqrt(view, out=view)
    assert same is x
    assert x.data.ptr == address
    expected = np.arange(1, 13, dtype=np.float32).reshape(3, 4)
    expected[1:] = np.sqrt(expected[1:] * 2)
    expected[0, 0] = 9
    assert (x.get() == expected).all()


def test_pools_count_reuse_and_limit_memory(cp):
    pool = cp.cuda.MemoryPool()
    with cp.cuda.using_allocator(pool.malloc):
        pool.set_limit(size=4096)
        first = cp.empty(512)
        address = first.data.ptr
        assert (pool.used_bytes(), pool.total_bytes(), pool.get_limit()) == (4096, 4096, 4096)
        with pytest.raises(cp.cuda.memory.OutOfMemoryError, match="allocated so far: 4,096 bytes"):
            cp.empty(1)
        del first
        assert (pool.used_bytes(), pool.free_bytes()) == (0, 4096)
        assert cp.zeros(512).data.ptr == address
        assert cp.empty(1).nbytes == 8  # the free block makes room
        pool.free_all_blocks()
        assert pool.total_bytes() == 0


def test_devices_are_as_many_as_the_environment_says(cp, x, monkeypatch):
    monkeypatch.setenv("CUPY_STAND_IN_DEVICES", "1")
    with pytest.raises(cp.cuda.runtime.CUDARuntimeError, match="invalid device ordinal"):
        cp.cuda.Device(1).use()
    monkeypatch.delenv("CUPY_STAND_IN_DEVICES")
    with cp.cuda.Device(1), pytest.raises(ValueError, match="array device = 0 while current = 1"):
        x + 1
    monkeypatch.setenv("CUPY_STAND_IN_DEVICES", "0")
    with pytest.raises(cp.cuda.runtime.CUDARuntimeError, match="cudaErrorNoDevice"):
        cp.cuda.runtime.getDeviceCount()
    assert not cp.is_available()
