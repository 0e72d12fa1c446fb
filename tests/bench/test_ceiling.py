from minise.bench import ceiling


def test_ceilings_are_operations_and_bytes_by_the_best_of_times(monkeypatch):
    monkeypatch.setattr(ceiling, "SIZES", (16, 32))
    monkeypatch.setattr(ceiling, "COPIED", 2**16)
    seconds = iter([2e-3, 4e-3, 0.5e-3])  # two products and the copy
    monkeypatch.setattr(ceiling, "_best", lambda call: (call(), next(seconds))[1])
    ceilings = ceiling.measure_ceilings(threads=2)
    assert ceilings.matrix_product == 2 * 32**3 / 4e-3 / 1e9
    assert ceilings.copy == 2 * 2**16 / 0.5e-3 / 1e9
    assert ceilings.of("FLOP") == ceilings.matrix_product
    assert ceilings.of("B") == ceilings.copy
    assert ceilings.of("images") is None


def test_the_best_of_several_tries_counts_and_not_the_first(monkeypatch):
    times = iter([0.0, 5.0, 5.0, 7.0, 7.0, 8.0, 8.0, 12.0, 12.0, 15.0])
    monkeypatch.setattr(ceiling.time, "perf_counter", lambda: next(times))
    calls = []
    assert ceiling._best(lambda: calls.append(1)) == 1.0
    assert len(calls) == 1 + ceiling.REPEATS


def test_each_thread_copies_its_part_of_the_array(monkeypatch):
    monkeypatch.setattr(ceiling, "COPIED", 4 * 1003)
    copied = []
    monkeypatch.setattr(ceiling.np, "copyto", lambda target, source: copied.append(source.size))
    monkeypatch.setattr(ceiling, "REPEATS", 1)
    ceiling._copy(threads=3)
    assert sorted(copied) == [334] * 4 + [335] * 2  # 1003 numbers once untimed, once timed
