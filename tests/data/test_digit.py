import numpy as np
import pytest
from PIL import Image

from minise import InputError
from minise.data import fit_digit, load, place_digit, read_picture


@pytest.fixture(scope="module")
def digits():
    return load("sample").test.images[:50, 0]


def distance(a, b):
    """Mean difference of two digits, in parts of the ink of the first."""
    return np.abs(a.astype(float) - b).sum() / a.sum()


def test_a_digit_of_mnist_stays_nearly_what_it_is(digits):
    assert np.mean([distance(digit, fit_digit(digit)) for digit in digits]) < 0.05


def test_size_place_and_colours_do_not_matter(digits):
    off = []
    for digit in digits[:10]:
        large = Image.fromarray(digit).resize((140, 140), Image.Resampling.NEAREST)
        paper = Image.new("L", (400, 300), 10)
        paper.paste(large.point(lambda v: 10 + v * 0.9), (200, 30))
        inverted = 255 - np.asarray(paper)
        fitted = fit_digit(np.asarray(paper))
        assert distance(fitted, fit_digit(inverted)) < 0.02
        off.append(distance(fit_digit(digit), fitted))
    assert np.median(off) < 0.3  # of one, its centre of mass may be rounded to another pixel


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


def test_a_digit_wider_than_high_on_a_page_wider_than_high_is_one_that_lies():
    y, x = np.mgrid[:120, :200]
    far = ((x - 120) / 60) ** 2 + ((y - 50) / 30) ** 2
    page = np.where((far < 1) & (far > 0.55), 30, 235).astype(np.uint8)  # 0, twice as wide as high
    wide = fit_digit(page)
    rows, columns = np.nonzero(wide)
    assert np.ptp(rows) + 1 == 10
    assert np.ptp(columns) + 1 == 20
    for axis in (0, 1):
        centre = (wide.sum(axis=axis) * np.arange(28)).sum() / wide.sum()
        assert abs(centre - 14) <= 0.5
    np.testing.assert_array_equal(fit_digit(page.T), wide.T)


@pytest.mark.parametrize("size", [(100, 400), (400, 100)])
def test_a_speck_is_small_beside_the_longer_side_of_the_page(size):
    page = np.full((100, 200), 235, np.uint8)
    page[40:60, 100:106] = 30
    assert fit_digit(page).any()
    long = np.full(size, 235, np.uint8)
    long[40:60, 40:46] = 30
    with pytest.raises(InputError, match="there is no digit in the picture"):
        fit_digit(long)


def test_transparent_and_coloured_pictures_are_read(tmp_path):
    picture = Image.new("RGBA", (40, 40), (0, 0, 0, 0))
    picture.paste((0, 0, 200, 255), (18, 5, 22, 35))
    picture.save(tmp_path / "one.png")
    grey = read_picture(tmp_path / "one.png")
    assert grey[0, 0] == 255
    assert grey[20, 20] < 60
    assert fit_digit(grey)[14, 14] == 255


@pytest.mark.parametrize("size", [(9, 9), (300, 400)])
@pytest.mark.parametrize("grey", [0, 3, 255])
def test_nothing_on_the_paper_is_said(size, grey):
    with pytest.raises(InputError, match="there is no digit in the picture"):
        fit_digit(np.full(size, grey, np.uint8))


def test_every_digit_of_mnist_is_found_dark_on_light_as_well(digits):
    for digit in digits:
        assert distance(fit_digit(255 - digit), fit_digit(digit)) < 0.01


def page(*where):
    """A picture (300, 400) with a thick 1 at each place (row, column)."""
    picture = np.full((300, 400), 230, np.uint8)
    for row, column in where:
        picture[row : row + 100, column : column + 14] = 40
    return picture


def test_more_than_one_digit_is_said():
    assert fit_digit(page((80, 100)))[14, 14] == 255
    with pytest.raises(InputError, match="more than one digit"):
        fit_digit(page((80, 100), (90, 160)))


def test_shadow_specks_and_a_box_are_not_the_digit():
    alone = fit_digit(page((100, 180)))
    shadow, specks, box = (page((100, 180)) for _ in range(3))
    shadow[:, 187:] = shadow[:, 187:] * 0.5  # a hard edge through the ink
    specks[20:26, 30:36] = specks[250:255, 300:308] = 60
    box[60:64, 120:260] = box[236:240, 120:260] = 50
    box[60:240, 120:124] = box[60:240, 256:260] = 50
    for picture in (specks, box):
        assert distance(alone, fit_digit(picture)) < 0.02
    assert distance(alone, fit_digit(shadow)) < 0.2
    with pytest.raises(InputError, match="no digit"):
        fit_digit(np.where(np.arange(400) < 187, np.where(box == 40, 230, box), 230))


@pytest.mark.parametrize("gap", [4, 8, 12, 40])
def test_two_digits_are_no_one_however_near(digits, gap):
    """They are 160 pixels high."""
    wrong = []
    for left, right in zip(digits[:8], digits[8:16], strict=True):
        drawn = []
        for digit in (left, right):
            rows, columns = (np.flatnonzero(digit.max(axis=axis) > 60) for axis in (1, 0))
            cut = digit[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
            width = round(160 * cut.shape[1] / cut.shape[0])
            drawn.append(np.asarray(Image.fromarray(cut).resize((width, 160))))
        paper = np.zeros((400, 600), np.uint8)
        start = 150
        for digit in drawn:
            paper[120:280, start : start + digit.shape[1]] = digit
            start += digit.shape[1] + gap
        try:
            fit_digit(255 - paper)
            wrong.append("one digit")
        except InputError as error:
            wrong += [str(error)] * ("more than one digit" not in str(error))
    assert len(wrong) <= 1  # a thin one may be no more than a stroke


def test_place_digit_is_where_fit_digit_ends(digits):
    paper = np.zeros((120, 120), np.uint8)
    paper[30:86, 20:76] = digits[0].repeat(2, axis=0).repeat(2, axis=1)
    placed = place_digit(paper / 255)
    assert distance(placed, fit_digit(paper)) < 0.1
    rows = np.flatnonzero(placed.max(axis=1))
    assert len(rows) == 20
    assert placed.dtype == np.uint8


def test_place_digit_without_ink_is_refused():
    with pytest.raises(InputError, match="no ink"):
        place_digit(np.zeros((30, 40)))
