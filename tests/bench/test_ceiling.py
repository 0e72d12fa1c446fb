from minise.bench import ceiling


def test_ceilings_are_measured_for_operations_and_for_bytes(monkeypatch):
    monkeypatch.setattr(ceiling, "SIZES", (16, 32))
    monkeypatch.setattr(ceiling, "COPIED", 2**16)
    ceilings = ceiling.measure_ceilings(threads=2)
    assert ceilings.matrix_product > 0
    assert ceilings.copy > 0
    assert ceilings.of("FLOP") == ceilings.matrix_product
    assert ceilings.of("B") == ceilings.copy
    assert ceilings.of("images") is None


def test_all_of_the_array_is_copied(monkeypatch):
    monkeypatch.setattr(ceiling, "COPIED", 4 * 1003)
    copied = []
    monkeypatch.setattr(ceiling.np, "copyto", lambda target, source: copied.append(source.size))
    monkeypatch.setattr(ceiling, "REPEATS", 1)
    ceiling._copy(threads=3)
    assert sum(copied) == 2 * 1003  # once untimed, once timed
