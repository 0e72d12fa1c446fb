import numpy as np
import pytest
from PIL import Image

from minise import InputError
from minise.data import fit_digit, load, read_picture


@pytest.fixture(scope="module")
def digits():
    return load("sample").test.images[:50, 0]


def distance(a, b):
    """Mean difference of two digits, in parts of the ink of the first."""
    return np.abs(a.astype(float) - b).sum() / a.sum()


def test_a_digit_of_mnist_stays_nearly_what_it_is(digits):
    assert np.mean([distance(digit, fit_digit(digit)) for digit in digits]) < 0.05


def test_size_place_and_colours_do_not_matter(digits):
    for digit in digits[:10]:
        large = Image.fromarray(digit).resize((140, 140), Image.Resampling.NEAREST)
        paper = Image.new("L", (400, 300), 10)
        paper.paste(large.point(lambda v: 10 + v * 0.9), (200, 30))
        inverted = 255 - np.asarray(paper)
        fitted = fit_digit(np.asarray(paper))
        assert distance(fitted, fit_digit(inverted)) < 0.02
        assert distance(fit_digit(digit), fitted) < 0.3


def test_the_digit_fills_the_box_and_its_mass_is_centred():
    picture = np.full((90, 60), 250, np.uint8)
    picture[20:70, 30:34] = 3  # a one, off centre
    digit = fit_digit(picture)
    assert digit.shape == (28, 28)
    assert digit.dtype == np.uint8
    rows, _ = np.nonzero(digit)
    assert rows.max() - rows.min() + 1 == 20
    assert digit.max() == 255
    assert abs((digit * np.arange(28)).sum() / digit.sum() - 14) <= 0.5
    assert abs((digit.T * np.arange(28)).sum() / digit.sum() - 14) <= 0.5


def test_transparent_and_coloured_pictures_are_read(tmp_path):
    picture = Image.new("RGBA", (40, 40), (0, 0, 0, 0))
    picture.paste((0, 0, 200, 255), (18, 5, 22, 35))
    picture.save(tmp_path / "one.png")
    grey = read_picture(tmp_path / "one.png")
    assert grey[0, 0] == 255
    assert grey[20, 20] < 60
    assert fit_digit(grey)[14, 14] == 255


def test_bad_pictures_are_one_clear_error(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        read_picture(tmp_path / "nothing.png")
    (tmp_path / "text.png").write_text("no picture")
    with pytest.raises(InputError, match="no picture that can be read"):
        read_picture(tmp_path / "text.png")
    Image.new("L", (9, 9), 3).save(tmp_path / "whole.png")
    content = (tmp_path / "whole.png").read_bytes()
    (tmp_path / "cut.png").write_bytes(content[: len(content) // 2])
    with pytest.raises(InputError, match=r"cut\.png"):
        read_picture(tmp_path / "cut.png")
    with pytest.raises(InputError, match="one grey alone"):
        fit_digit(read_picture(tmp_path / "whole.png"))
