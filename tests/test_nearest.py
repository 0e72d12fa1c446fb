import pytest

from minise.nearest import nearest

MANY = [f"se-resnet{depth}" for depth in range(8, 60, 4)]


@pytest.mark.parametrize(
    ("name", "known", "said"),
    [
        ("se-cn", ["se-cnn", "cnn"], "did you mean 'se-cnn'? There are se-cnn, cnn"),
        ("x", ["se-cnn", "cnn"], "there are se-cnn, cnn"),
        (
            "SE-ResNet9",
            MANY,
            "did you mean 'se-resnet8', 'se-resnet12' or 'se-resnet16'? See `all`",
        ),
        ("x", MANY, "see `all` for all 13"),
        (3, [], "there are none"),
    ],
)
def test_few_are_listed_and_of_many_the_nearest_three(name, known, said):
    told = nearest("model", name, known, "`all`")
    assert told.startswith(f"unknown model {name!r}: {said}")
    assert told.count("se-resnet") <= 3
    assert "`" not in nearest("model", name, known)


def test_all_are_listed_where_no_command_does_it():
    assert nearest("rounding", "x", MANY) == f"unknown rounding 'x': there are {', '.join(MANY)}"
