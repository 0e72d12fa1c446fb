"""From a photo of digits on paper to the same answers by minise, and by what it exports."""

import io

import cv2
import numpy as np
import pytest
from in_c import needs_compiler
from PIL import Image, ImageFilter

from minise import cli, data, runs
from minise.export import Pixels, c_header, onnx_model
from minise.export.c.compiled import compiled, scores

SAMPLE = data.load("sample")
MEAN, STD = data.pixel_statistics(SAMPLE.train.images)
PIXELS = Pixels(MEAN, STD)
COUNT = 4  # photos


def photo(digit, rng):
    """A JPEG as a phone takes it: ink on lined paper, in uneven light, the phone held upright."""
    high, wide = 960, 720
    ink = Image.fromarray(digit).resize((400, 400), Image.Resampling.BICUBIC)
    strokes = np.zeros((high, wide), np.float32)
    top, left = rng.integers(120, 400), rng.integers(80, 240)
    strokes[top : top + 400, left : left + 400] = np.asarray(ink, np.float32) / 255
    y, x = np.mgrid[:high, :wide] / high
    light = 225 - 60 * np.hypot(y - rng.random(), x - rng.random())
    light[50::70] -= 18  # lines
    grey = light * (1 - 0.8 * strokes) + rng.normal(0, 4, strokes.shape)
    colours = grey[..., None] * np.array([1, 0.97, 0.9])  # by a warm lamp
    picture = Image.fromarray(colours.clip(0, 255).astype(np.uint8))
    picture = picture.filter(ImageFilter.GaussianBlur(2))
    exif = Image.Exif()
    exif[0x0112] = 6  # stored lying, to be turned
    file = io.BytesIO()
    picture.transpose(Image.Transpose.ROTATE_90).save(file, "JPEG", quality=85, exif=exif)
    return file.getvalue()


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """Their files."""
    rng, folder = np.random.default_rng(0), tmp_path_factory.mktemp("photos")
    for k, digit in enumerate(SAMPLE.test.images[:COUNT, 0]):
        (folder / f"{k}.jpg").write_bytes(photo(digit, rng))
    return sorted(folder.iterdir())


@pytest.fixture(scope="module")
def prepared(photos):
    """What `predict` makes of them, (N, 1, 28, 28) uint8."""
    return np.stack([data.fit_digit(data.read_picture(path)) for path in photos])[:, None]


@pytest.fixture(scope="module")
def answers(net, prepared):
    """minise's."""
    answers = net(PIXELS.normalised(prepared)).argmax(axis=1)
    assert np.array_equal(answers, SAMPLE.test.labels[:COUNT])
    return answers


def test_opencv_reads_the_same_digits_in_photos(net, prepared, answers):
    model = onnx_model(net, (1, 28, 28), pixels=PIXELS)
    there = cv2.dnn.readNetFromONNX(np.frombuffer(model.SerializeToString(), np.uint8))
    there.setInput(prepared.astype(np.float32))
    assert np.array_equal(there.forward().argmax(axis=1), answers)


@needs_compiler
def test_c_reads_the_same_digits_in_photos(net, prepared, answers, tmp_path):
    text = c_header(net, (1, 28, 28), "net", pixels=PIXELS)
    program = compiled(tmp_path, {"net": text})
    read = scores(program, "net", prepared, PIXELS)
    assert np.array_equal(read.argmax(axis=1), answers)


def test_predict_says_the_same(net, photos, answers, tmp_path, capsys):
    about = runs.About("se-cnn", 10, (1, 28, 28), MEAN, STD, "sample", 0)
    runs.save_weights(tmp_path / "model.safetensors", net, about)
    with pytest.raises(SystemExit) as exit_:
        cli.main(["predict", str(tmp_path), *map(str, photos)])
    assert exit_.value.code == 0
    said = [line.split(": ")[1][0] for line in capsys.readouterr().out.splitlines()]
    assert said == [str(answer) for answer in answers]
