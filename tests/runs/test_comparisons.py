from minise import runs
from minise.runs import Config, Seeds
from minise.runs.comparisons import told


def test_rates_that_differ_in_the_last_digits_are_told_apart():
    close = Config(lr=0.1), Config(lr=0.10000001)
    assert [told(config, ["lr"]) for config in close] == ["lr=0.1", "lr=0.10000001"]
    groups = [(config, Seeds({0: k / 8, 1: k / 4})) for k, config in enumerate(close)]
    (found,) = runs.compare(groups, "lr=0.1")
    assert (found.config, found.baseline) == close[::-1]
    assert told(Config(lr=1e-05), ["lr"]) == "lr=1e-05"
