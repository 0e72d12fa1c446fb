import pytest

from minise import InputError, runs
from minise.runs import Config, Seeds
from minise.runs.comparisons import told


def test_rates_that_differ_in_the_last_digits_are_told_apart():
    close = Config(lr=0.1), Config(lr=0.10000001)
    assert [told(config, ["lr"]) for config in close] == ["lr=0.1", "lr=0.10000001"]
    groups = [(config, Seeds({0: k / 8, 1: k / 4})) for k, config in enumerate(close)]
    (found,) = runs.compare(groups, "lr=0.1")
    assert (found.config, found.baseline) == close[::-1]
    assert told(Config(lr=1e-05), ["lr"]) == "lr=1e-05"


def test_the_usual_rate_may_be_named_though_it_was_not_typed():
    tests = Seeds({0: 0.25, 1: 0.5})
    groups = [(Config(), tests), (Config(lr=0.2), tests), (Config(optimizer="adamw"), tests)]
    (found,) = runs.compare(groups, "lr=0.1")
    assert (found.config, found.baseline) == (Config(lr=0.2), Config())
    with pytest.raises(InputError, match=r"unknown lr '0\.3': did you mean '0\.1'"):
        runs.compare(groups, "lr=0.3")


def test_data_may_be_named_as_the_tables_show_them():
    tests = Seeds({0: 0.25, 1: 0.5})
    paths = "/my data/a.npz", "/my data/b.npz"
    groups = [(Config(model=m, data=data), tests) for data in paths for m in ("cnn", "se-cnn")]
    for words in ("data=a.npz", "data=/my data/a.npz", "data=/my data/a.npz cnn"):
        found = runs.compare(groups, words)
        assert {(c.config.data, c.baseline.data) for c in found} >= {paths[::-1]}
