import pytest

from minise import InputError, runs


def test_mean_deviation_and_error_by_hand():
    tests = runs.Seeds({0: 0.90, 1: 0.92, 2: 0.97})
    assert tests.mean == pytest.approx(0.93)
    assert tests.deviation == pytest.approx(0.0013**0.5)  # (9 + 1 + 16)/2 · 10⁻⁴
    assert tests.standard_error == pytest.approx(tests.deviation / 3**0.5)


def test_equal_figures_deviate_by_nothing_and_each_of_them_counts():
    tests = runs.Seeds({0: 0.9, 1: 0.9, 2: 0.9, 3: 0.8})
    assert tests.mean == pytest.approx(0.875)
    assert tests.deviation == pytest.approx(0.05)  # √((3 · 0.025² + 0.075²) / 3)
    assert tests.standard_error == pytest.approx(0.025)
    same = runs.Seeds({0: 0.9, 1: 0.9})
    assert (same.deviation, same.standard_error) == (0, 0)
    assert (tests - same).figures == {0: 0, 1: 0}


def test_differences_are_taken_seed_by_seed_where_both_have_one():
    a, b = runs.Seeds({0: 0.9, 1: 0.8, 7: 0.1}), runs.Seeds({9: 0.3, 1: 0.5, 0: 0.5})
    difference = a - b
    assert difference.figures == {0: pytest.approx(0.4), 1: pytest.approx(0.3)}
    assert difference.mean == pytest.approx(0.35)
    assert difference.standard_error == pytest.approx(0.05)  # √(2 · 0.05² / 1) / √2


def test_fewer_than_two_seeds_say_nothing():
    with pytest.raises(InputError, match="seeds: 1 in common, expected at least 2"):
        runs.Seeds({0: 0.9})
    with pytest.raises(InputError, match="seeds: 0 in common"):
        runs.Seeds({0: 0.9, 1: 0.8}) - runs.Seeds({2: 0.9, 3: 0.8})
