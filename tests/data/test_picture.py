"""What people have as picture files, each read as a person sees it."""

import io

import numpy as np
import pytest
from PIL import Image

from minise import InputError
from minise.data import read_picture

ORIENTATION = 0x0112
# How a camera that was held so stored what should be seen upright.
STORED = {
    1: lambda a: a,
    2: np.fliplr,
    3: lambda a: np.rot90(a, 2),
    4: np.flipud,
    5: np.transpose,
    6: lambda a: np.rot90(a, 1),
    7: lambda a: np.rot90(np.transpose(a), 2),
    8: lambda a: np.rot90(a, -1),
}


@pytest.fixture
def seen():
    """A picture that looks otherwise however it is turned, (48, 32)."""
    grey = np.full((48, 32), 240, np.uint8)
    grey[8:40, 8:16] = 16
    grey[32:40, 8:24] = 16
    return grey


@pytest.mark.parametrize("kind", ["jpg", "png", "webp", "tif"])
@pytest.mark.parametrize("orientation", STORED)
def test_a_photo_comes_upright_however_the_camera_was_held(tmp_path, seen, kind, orientation):
    picture = Image.fromarray(np.ascontiguousarray(STORED[orientation](seen))).convert("RGB")
    exif = picture.getexif()
    exif[ORIENTATION] = orientation
    if orientation > 4 and kind == "tif":
        picture = picture.convert("L")
    lossless = {"jpg": {"quality": 95}, "webp": {"lossless": True}}.get(kind, {})
    picture.save(tmp_path / f"held.{kind}", exif=exif, **lossless)
    grey = read_picture(tmp_path / f"held.{kind}")
    assert grey.shape == seen.shape
    assert np.abs(grey.astype(int) - seen).max() < 12


@pytest.mark.parametrize("kind", ["jpg", "png", "tif"])
def test_a_large_photo_is_read_smaller_and_upright(tmp_path, seen, kind):
    large = STORED[6](seen).repeat(60, axis=0).repeat(60, axis=1)  # 1920 × 2880
    picture = Image.fromarray(large)
    exif = picture.getexif()
    exif[ORIENTATION] = 6
    picture.save(tmp_path / f"large.{kind}", exif=exif)
    grey = read_picture(tmp_path / f"large.{kind}")
    assert max(grey.shape) <= 1000
    assert grey.shape[0] > grey.shape[1]
    small = Image.fromarray(grey).resize((32, 48), Image.Resampling.BOX)
    assert np.abs(np.asarray(small).astype(int) - seen).max() < 12


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize(
    ("side", "reduced"), [(999, 1), (1000, 1), (1001, 2), (2000, 2), (2001, 3)]
)
def test_a_picture_wider_than_high_is_read_as_one_higher_than_wide(tmp_path, side, reduced, turned):
    """Of squares of so many pixels that it is reduced by; the last may be cut off."""
    squares = np.random.default_rng(0).integers(0, 256, (7, -(-side // reduced)), np.uint8)
    pixels = squares.repeat(reduced, axis=0).repeat(reduced, axis=1)[:, :side]
    if turned:
        squares, pixels = squares.T, pixels.T
    Image.fromarray(np.ascontiguousarray(pixels)).save(tmp_path / "squares.png")
    np.testing.assert_array_equal(read_picture(tmp_path / "squares.png"), squares)


@pytest.mark.parametrize(
    ("dtype", "highest"),
    [(np.uint16, 65535), (np.uint16, 4095), (np.int32, 65535), (np.int32, 10**9),
     (np.float32, 1), (np.float32, 255), (np.float32, 1e30)],
)  # fmt: skip
def test_values_of_more_than_8_bits_are_scaled(tmp_path, seen, dtype, highest):
    stored = (seen.astype(np.float64) / 240 * highest).astype(dtype)
    Image.fromarray(stored).save(tmp_path / "deep.tif")
    kinds = ["tif"]
    if dtype == np.uint16:
        Image.fromarray(stored).save(tmp_path / "deep.png")
        kinds.append("png")
    for kind in kinds:
        grey = read_picture(tmp_path / f"deep.{kind}")
        assert grey[0, 0] == 255
        assert abs(int(grey[10, 10]) - 17) <= 1


def test_negative_values_begin_at_black_and_nothing_is_black(tmp_path):
    Image.fromarray(np.array([[-3, 0, 3]], np.float32)).save(tmp_path / "minus.tif")
    assert read_picture(tmp_path / "minus.tif").tolist() == [[0, 128, 255]]
    Image.fromarray(np.zeros((2, 2), np.float32)).save(tmp_path / "nothing.tif")
    assert not read_picture(tmp_path / "nothing.tif").any()
    Image.fromarray(np.array([[0, np.nan]], np.float32)).save(tmp_path / "nan.tif")
    with pytest.raises(InputError, match=r"nan\.tif: the picture has values that are not finite"):
        read_picture(tmp_path / "nan.tif")


@pytest.mark.parametrize("ink", [(0, 0, 90), (255, 255, 255)])
@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_ink_on_transparent_is_seen_be_it_dark_or_white(tmp_path, seen, ink, mode):
    picture = Image.fromarray(seen).convert("RGBA")
    alpha = Image.fromarray(np.where(seen < 128, 255, 0).astype(np.uint8))
    picture.paste(ink, (0, 0, *picture.size))
    picture.putalpha(alpha)
    picture.convert(mode).save(tmp_path / "ink.png")
    grey = read_picture(tmp_path / "ink.png").astype(int)
    assert abs(grey[10, 10] - grey[0, 0]) > 180
    assert (abs(grey - grey[0, 0]) > 90).tolist() == (seen < 128).tolist()


@pytest.mark.parametrize(("ink", "hidden", "ground"), [(200, 0, 0), (50, 255, 255)])
def test_what_is_transparent_has_no_colour_that_counts(tmp_path, ink, hidden, ground):
    pixels = np.uint8([[[hidden, 0]] * 6, [[ink, 255], *[[hidden, 0]] * 5]])
    Image.fromarray(pixels).save(tmp_path / "ink.png")
    assert read_picture(tmp_path / "ink.png").tolist() == [[ground] * 6, [ink, *[ground] * 5]]


def test_a_palette_with_a_transparent_colour_is_read(tmp_path, seen):
    picture = Image.fromarray((seen < 128).astype(np.uint8), "P")
    picture.putpalette([255, 0, 0, 0, 0, 80])
    for kind in ("gif", "png"):
        picture.save(tmp_path / f"p.{kind}", transparency=0)
        grey = read_picture(tmp_path / f"p.{kind}")
        assert grey[0, 0] == 255
        assert grey[10, 10] < 20


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "CMYK", "YCbCr"])
def test_every_kind_of_colour_becomes_grey(tmp_path, seen, mode):
    picture = Image.fromarray(seen).convert("RGB").convert(mode)
    for kind in ("tif", "jpg") if mode == "CMYK" else ("tif",):
        picture.save(tmp_path / f"colour.{kind}")
        grey = read_picture(tmp_path / f"colour.{kind}").astype(int)
        assert grey.shape == seen.shape
        assert abs(grey[0, 0] - 240) < 18
        assert abs(grey[10, 10] - 16) < 18


def test_a_photo_with_a_second_picture_in_it_is_read(tmp_path, seen):
    large = Image.fromarray(seen.repeat(30, axis=0).repeat(30, axis=1)).convert("RGB")
    large.save(tmp_path / "two.jpg", "MPO", save_all=True, append_images=[large.resize((90, 60))])
    grey = read_picture(tmp_path / "two.jpg")
    assert grey.shape == (720, 480)


def test_what_cannot_be_read_says_what_to_do(tmp_path):
    (tmp_path / "iphone.heic").write_bytes(b"\0\0\0\x24ftypheic" + bytes(99))
    with pytest.raises(InputError, match=r"iphone\.heic: HEIC, .* export it as JPEG$"):
        read_picture(tmp_path / "iphone.heic")
    (tmp_path / "text.png").write_text("no picture")
    with pytest.raises(InputError, match=r"text\.png: not a readable picture, expected PNG"):
        read_picture(tmp_path / "text.png")
    (tmp_path / "empty.png").write_bytes(b"")
    with pytest.raises(InputError, match=r"empty\.png: not a readable picture"):
        read_picture(tmp_path / "empty.png")
    with pytest.raises(InputError, match=r"none\.png: there is no such file"):
        read_picture(tmp_path / "none.png")
    with pytest.raises(InputError, match="cannot be read"):
        read_picture(tmp_path)
    buffer = io.BytesIO()
    Image.new("L", (9, 9), 3).save(buffer, "PNG")
    (tmp_path / "cut.png").write_bytes(buffer.getvalue()[:50])
    with pytest.raises(InputError, match=r"cut\.png: the picture cannot be read"):
        read_picture(tmp_path / "cut.png")


def test_what_is_in_a_file_is_read_as_the_file_is(tmp_path, seen):
    for kind in ("png", "tif", "gif"):
        Image.fromarray(seen).save(tmp_path / f"s.{kind}")
        content = (tmp_path / f"s.{kind}").read_bytes()
        np.testing.assert_array_equal(
            read_picture(io.BytesIO(content)), read_picture(tmp_path / f"s.{kind}")
        )
        with open(tmp_path / f"s.{kind}", "rb") as file:
            np.testing.assert_array_equal(read_picture(file), seen)
    for broken, message in {
        b"\0\0\0\x24ftypheic" + bytes(99): r"^the file: HEIC, .* export it as JPEG$",
        b"no picture": r"^the file: not a readable picture, expected PNG",
        b"": r"^the file: not a readable picture",
        content[:50]: r"^the file: the picture cannot be read",
    }.items():
        with pytest.raises(InputError, match=message):
            read_picture(io.BytesIO(broken))
