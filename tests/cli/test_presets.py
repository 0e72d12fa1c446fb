"""`minise presets`."""

import pytest

from minise.nn import PRESETS


def rows(out):
    """The rows below the line under the titles, up to the remarks at the end."""
    lines = out.split("──\n")[1].split("\n\n")[0].splitlines()
    return [line.split() for line in lines if line.strip()]


@pytest.fixture(autouse=True)
def _wide(monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")


@pytest.mark.effect("minise presets WORDS")
def test_who_makes_what_of_72_channels(minise):
    code, out, err = minise("presets", 72)
    assert (code, err) == (0, "")
    found, hidden = {}, None
    for row in rows(out):
        name = next(cell for cell in row if cell in PRESETS)
        hidden = row[0] if row.index(name) > 1 and len(row[0]) < 4 and row[0] != "72" else hidden
        found[name] = hidden
    assert list(found) != list(PRESETS)  # sorted by width
    assert set(found) == set(PRESETS)
    assert [found[name] for name in ("timm", "timm-regnety", "timm-ghostnet", "torchvision")] == [
        "8", "18", "20", "24"
    ]  # fmt: skip
    assert ["24", "3,552", "seed", "minise"] in rows(out)
    assert "torchvision 0.28.0" in out


def test_only_those_with_a_part_in_their_names_and_for_several_numbers_of_channels(minise):
    _, out, _ = minise("presets", 16, 72, "fastai", "monai")
    assert rows(out) == [
        ["fastai", "2.8.12"],
        ["8", "8", "fastai", "relu", "→", "sigmoid"],
        ["monai", "1.6.1"],
        ["8", "36", "monai", "relu", "→", "sigmoid", ],
        ["8", "36", "monai-residual", "leaky_relu", "→", "relu"],
    ]  # fmt: skip


def test_a_preset_of_that_name_is_described_as_it_can_be_typed(minise):
    _, out, _ = minise("presets", "torchvision-regnety")
    assert "weights: Conv2d fc1, fc2" in out
    assert "nn.SEBlock(C, reduction=4, rounding='nearest', reduced_from=N)" in out.replace(
        "\n", " "
    )


@pytest.mark.effect("minise presets --input")
def test_the_channels_that_come_in_count_where_the_rule_is_of_these(minise):
    assert rows(minise("presets", 96, "torchvision-eff")[1])[0][:2] == ["4", "16"]
    assert rows(minise("presets", 96, "torchvision-eff", "--input", 32)[1])[0][:2] == ["8", "32"]


def test_none_left_is_told_from_one_map(minise):
    found = rows(minise("presets", 8, "timm-senet", "timm-ese")[1])
    assert found == [
        ["none", "timm-senet", "timm", "1.0.31"],
        ["–", "72", "timm-ese", "timm", "1.0.31"],
    ]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ([72, "fastai"], []),
        ([72, "timm-regnety"], ["of"]),
        (["timm-regnety", "timm-ese"], ["–"]),
        ([8, "timm-senet", "timm-ese"], ["–", "none"]),
        ([72], ["of", "–"]),
    ],
)
def test_what_is_in_the_table_is_explained_and_nothing_else(minise, words, told):
    notes = minise("presets", *words)[1].split("\n\n", 1)[1].splitlines()
    explained = [note.split(":")[0] for note in notes]
    assert [word for word in explained if word in ("of", "–", "none")] == told


@pytest.mark.parametrize("columns", ["80", "60"])
def test_names_are_whole_at_80_columns_and_no_line_is_longer(minise, monkeypatch, columns):
    monkeypatch.setenv("COLUMNS", columns)
    for words in ([], [72]):
        out = minise("presets", *words)[1]
        if columns == "80":
            assert all(name in out for name in PRESETS)
        assert max(map(len, out.splitlines())) <= int(columns)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["fasti"], "unknown preset 'fasti': did you mean 'fastai'"),
        ([0], "0 channels, expected 1 to 8192"),
        ([9000], "9000 channels, expected 1 to 8192"),
    ],
)
def test_what_is_unknown_is_one_clear_error(minise, words, message):
    code, out, err = minise("presets", *words)
    assert (code, out) == (1, "")
    assert message in err.replace("\n", " ")
