import os
import re
import shutil
import subprocess

import numpy as np
import pytest
from in_c import needs_compiler
from onnx_runtimes import cast, with_statistics

from minise import InputError, gradcheck, models, nn
from minise.export import Pixels, c_difference, c_header, c_sizes, trace
from minise.export.c.compiled import compiled, compiler, scores
from minise.export.c.quantise import as_int8, scales
from minise.export.c.text import number
from minise.export.plan import plan

CPP = next((name for name in ("c++", "g++", "clang++") if shutil.which(name)), None)
WARNINGS = ["-Wall", "-Wextra", "-Wconversion", "-pedantic", "-Werror"]
OPTIONS = ["-std=c99", "-O0", *WARNINGS]  # compiles fastest
SANITIZED = [] if os.name == "nt" else ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
PIXELS = Pixels(0.1307, 0.3081)
OF_LAYERS = [name for name in gradcheck.EXAMPLES if name[0].isupper()]
OF_MNIST = [name for name in models.names() if models.image_shape(name) == (1, 28, 28)]
TOLERANCE = 1e-5  # of the largest score
RNG = np.random.default_rng(0)


def digits(N):
    """Pixels with borders and strokes, more like digits than noise is."""
    images = np.zeros((N, 1, 28, 28), np.float32)
    for image in images:
        top, left = RNG.integers(4, 12, 2)
        image[0, top : top + 12, left : left + 4] = RNG.integers(100, 256)
        image[0, top + 4 : top + 8, left : left + 10] = RNG.integers(100, 256)
    return images


def differences(folder, cases, int8=False, **how):
    """Of each net, {name: (net, images, pixels)}, compiled in one program: as shares."""
    headers = {
        name: c_header(net, x.shape[1:], name, pixels=pixels, int8=x if int8 else None)
        for name, (net, x, pixels) in cases.items()
    }
    program = compiled(folder, headers, **how)
    shares = {}
    for name, (net, x, pixels) in cases.items():
        got = scores(program, name, x, pixels)
        expected = net(x if pixels is None else pixels.normalised(x)).reshape(got.shape)
        shares[name] = np.abs(got - expected).max() / np.abs(expected).max()
    return shares


def of_layers():
    cases = {}
    for name in OF_LAYERS:
        example = gradcheck.EXAMPLES[name](np.random.default_rng(3))
        net = with_statistics(cast(example.subject, np.float32))
        cases[re.sub(r"\W", "_", name)] = net, example.inputs[0].astype(np.float32), None
    return cases


def of_nets(names):
    nets = {name: with_statistics(models.create(name, seed=1)) for name in names}
    return {name.replace("-", "_"): (net, digits(3), PIXELS) for name, net in nets.items()}


@needs_compiler
def test_every_layer_that_gradients_are_checked_of_is_the_same_in_c(tmp_path):
    shares = differences(tmp_path, of_layers(), options=[*OPTIONS, *SANITIZED])
    assert max(shares.values()) < TOLERANCE, shares


@needs_compiler
def test_every_layer_is_much_the_same_in_8_bits(tmp_path):
    shares = differences(tmp_path, of_layers(), int8=True, options=[*OPTIONS, *SANITIZED])
    assert max(shares.values()) < 0.05, shares


@needs_compiler
@pytest.mark.parametrize("int8", [False, True])
def test_a_net_is_the_same_in_c(tmp_path, int8):
    shares = differences(tmp_path, of_nets(["se-cnn"]), int8, options=[*OPTIONS, *SANITIZED])
    assert shares["se_cnn"] < (0.05 if int8 else TOLERANCE)


@pytest.mark.slow
@needs_compiler
@pytest.mark.parametrize("int8", [False, True])
def test_every_net_of_mnist_is_the_same_in_c(tmp_path, int8):
    shares = differences(tmp_path, of_nets(OF_MNIST), int8, options=OPTIONS)
    assert max(shares.values()) < (0.1 if int8 else TOLERANCE), shares


@pytest.mark.skipif(CPP is None, reason="there is no C++ compiler")
@pytest.mark.parametrize("int8", [False, True])
def test_a_header_is_cpp_too(tmp_path, int8):
    cases = of_nets(["se-cnn"])
    shares = differences(
        tmp_path, cases, int8, command=[CPP], options=["-O0", *WARNINGS], suffix="cpp"
    )
    assert shares["se_cnn"] < (0.05 if int8 else TOLERANCE)


@needs_compiler
def test_colours_lie_beside_each_other_as_decoders_give_them(tmp_path):
    net = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(80, 2))
    x = RNG.integers(0, 256, (3, 3, 4, 5)).astype(np.float32)
    pixels = Pixels([0.4, 0.5, 0.6], [0.2, 0.3, 0.1])
    header = c_header(net, (3, 4, 5), "rgb", pixels=pixels)
    assert "rgb_predict(const unsigned char pixels[60], float scores[2])" in header
    assert "4 x 5 x 3" in header
    assert "channels red, green, blue" in header.replace("\n *", "")
    assert differences(tmp_path, {"rgb": (net, x, pixels)})["rgb"] < TOLERANCE


@needs_compiler
def test_layers_may_have_any_name_and_stand_in_two_files(tmp_path):
    parts = {"0": nn.Conv2d(1, 2, 3), "sum": nn.ReLU(), "int": nn.Conv2d(2, 2, 1), "i": nn.Tanh(),
             "a/*b": nn.Conv2d(2, 2, 1), "a_*b": nn.ReLU(), "é": nn.GlobalAvgPool()}  # fmt: skip
    net = nn.Sequential(**parts)
    x = RNG.standard_normal((2, 1, 5, 5)).astype(np.float32)
    assert differences(tmp_path, {"names": (net, x, None)}, options=OPTIONS)["names"] < TOLERANCE
    twice = ['#include "names.h"', '#include "names.h"']
    (tmp_path / "one.c").write_text("\n".join([*twice, "int main(void) { return 0; }"]))
    (tmp_path / "two.c").write_text('#include "names.h"\n')
    files = [str(tmp_path / name) for name in ("one.c", "two.c")]
    subprocess.run(
        [*compiler(), *OPTIONS, *files, "-o", str(tmp_path / "both.exe"), "-lm"], check=True
    )


@needs_compiler
def test_a_net_without_maps_is_written(tmp_path):
    net = nn.Sequential(nn.Linear(5, 70), nn.BatchNorm1d(70), nn.SiLU(), nn.Linear(70, 1))
    x = RNG.standard_normal((4, 5)).astype(np.float32)
    for int8 in (False, True):
        shares = differences(tmp_path, {"row": (net, x, None)}, int8, options=OPTIONS)
        assert shares["row"] < (0.05 if int8 else TOLERANCE)


@needs_compiler
def test_the_difference_from_the_net_is_found():
    net = models.create("se-cnn")
    header = c_header(net, (1, 28, 28), "net", pixels=PIXELS)
    assert c_difference(header, "net", net, digits(5), pixels=PIXELS) < TOLERANCE
    other = header.replace("- 1;", "- 2;", 1)
    assert c_difference(other, "net", net, digits(5), pixels=PIXELS) > 100 * TOLERANCE
    with pytest.raises(InputError, match=r"could not compile the header: .*net\.h"):
        c_difference(
            header.replace("float sum", "int int", 1), "net", net, digits(1), pixels=PIXELS
        )


def test_without_a_compiler_one_sentence_says_so(monkeypatch):
    monkeypatch.setenv("PATH", "")
    monkeypatch.setenv("CC", "")
    with pytest.raises(InputError, match=r"^export: no C compiler was found: expected cc, gcc or"):
        c_difference("void net_predict();", "net", nn.ReLU(), digits(1), pixels=None)


def test_what_is_not_a_header_of_that_net_is_one_clear_error():
    header = c_header(nn.ReLU(), (1, 2, 2), "net", pixels=None)
    with pytest.raises(InputError, match=r"^export: the header has no function digits_predict$"):
        c_difference(header, "digits", nn.ReLU(), digits(1), pixels=None)
    with pytest.raises(InputError, match=r"^export: that is no header of c_header"):
        c_sizes("int main(void) { return 0; }")


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (digits(0), r"images of shape \(0, 1, 28, 28\), expected \(N, 1, 28, 28\)"),
        (digits(3)[:, 0], r"images of shape \(3, 28, 28\), expected \(N, 1, 28, 28\)"),
        (True, r"images of shape \(\), expected \(N, 1, 28, 28\)"),
        (PIXELS.normalised(digits(3)), "pixels from -0.4.* to 2.*, expected 0 to 255"),
        (digits(3) / 255, "pixels from 0 to 0.*, expected 0 to 255"),
    ],
)
def test_images_that_give_no_ranges_of_8_bits_are_one_clear_error(images, message):
    with pytest.raises(InputError, match=f"^export: int8 with {message}$"):
        c_header(nn.ReLU(), (1, 28, 28), "net", pixels=PIXELS, int8=images)


def test_the_compiler_that_cc_names_comes_first(monkeypatch, tmp_path):
    mine = tmp_path / "mycc.exe"
    mine.write_text("")
    mine.chmod(0o755)
    monkeypatch.setenv("CC", f"{mine.as_posix()} -m32")
    assert compiler() == [mine.as_posix(), "-m32"]


@pytest.mark.parametrize("name", ["", "3net", "my-net", "né", "a b", "_net"])
def test_a_name_that_c_does_not_allow_is_refused(name):
    with pytest.raises(InputError, match=r"^export: '.*': functions in C cannot be named after"):
        c_header(nn.ReLU(), (1, 2, 2), name, pixels=None)


def test_a_header_says_what_to_feed_and_what_it_needs():
    net = models.create("se-cnn")
    header = c_header(
        net, (1, 28, 28), "net", pixels=PIXELS, about="se-cnn; light digits on dark */ int"
    )
    assert header == c_header(
        net, (1, 28, 28), "net", pixels=PIXELS, about="se-cnn; light digits on dark */ int"
    )
    top = header[: header.index("*/")]
    for said in ["light digits on dark", "784 bytes, 28 x 28", "0 to 255; rows from the top"]:
        assert said in top
    sizes = c_sizes(header)
    weights = sum(p.value.size for p in net.parameters())
    assert sizes.weights == 4 * weights
    assert sizes.memory == 4 * plan(trace(net, (1, 28, 28), pixels=PIXELS)).memory
    assert "static float net_memory[NET_MEMORY_BYTES / 4]" in header
    assert "malloc" not in header
    assert set(re.findall(r"#include (.*)", header)) == {"<math.h>"}
    small = c_sizes(c_header(net, (1, 28, 28), "net", pixels=PIXELS, int8=digits(4)))
    assert small.memory == sizes.memory // 4
    assert small.weights < sizes.weights / 3


def test_numbers_are_read_back_as_they_were():
    bits = RNG.integers(0, 2**32, 20_000, dtype=np.uint32)
    values = bits.view(np.float32)
    for value in [*values[np.isfinite(values)], np.float32(0), np.float32(-0.0), np.float32(1)]:
        text = number(value)
        assert re.fullmatch(r"-?\d+(\.\d+)?(e[+-]\d+)?f", text)
        assert "." in text or "e" in text  # without either it would be an integer
        assert np.float32(text[:-1]).tobytes() == value.tobytes()


def test_weights_of_8_bits_are_no_further_away_than_half_a_step():
    w = RNG.standard_normal((3, 3, 4, 5)).astype(np.float32)
    w[..., 2] = 0
    q, scale = as_int8(w)
    assert (q.dtype, scale.shape) == (np.int8, (5,))
    assert np.abs(q).max() == 127
    assert (np.abs(q * scale - w) <= scale / 2 * (1 + 1e-5)).all()


def test_a_map_is_bytes_between_its_smallest_and_its_largest_value():
    net, x = models.create("se-cnn"), digits(4)
    graph = trace(net, (1, 28, 28), pixels=PIXELS)
    of = scales(graph, plan(graph), x)
    values = graph.run(x)
    assert set(of) == {"normalised", "relu1", "se1.scale", "pool1", "relu2", "se2.scale", "pool2"}
    assert of["pool1"] == of["se1.scale"]  # the same numbers
    for name, (scale, zero) in of.items():
        assert 0 <= zero <= 255
        real = scale * (np.rint(values[name] / scale + zero).clip(0, 255) - zero)
        assert np.abs(real - values[name]).max() <= 1.001 * scale


NAMES = ["tanhf", "INFINITY", "net_memory", "net_relu", "NET_UNROLL", "NET_SCORES"]


@needs_compiler
@pytest.mark.parametrize("name", NAMES)
def test_a_layer_may_be_called_as_a_function_or_a_macro_of_the_header_is(tmp_path, name):
    parts = {name: nn.MaxPool2d(1), "conv": nn.Conv2d(1, 2, 3), "relu": nn.ReLU()}
    net = nn.Sequential(**parts, pool=nn.MaxPool2d(1), tanh=nn.Tanh(), end=nn.GlobalMaxPool())
    x = RNG.standard_normal((2, 1, 6, 6)).astype(np.float32)
    assert differences(tmp_path, {"net": (net, x, None)})["net"] < TOLERANCE


@needs_compiler
def test_8_bits_of_pixels_that_are_put_in_a_row(tmp_path):
    net = with_statistics(nn.Sequential(nn.Flatten(), nn.BatchNorm1d(12)))
    x = RNG.standard_normal((2, 3, 2, 2)).astype(np.float32)
    shares = differences(tmp_path, {"net": (net, x, None)}, int8=True)
    assert shares["net"] < 0.01


@needs_compiler
@pytest.mark.parametrize("command", ["true", "gcc '", "nonsense"])
def test_a_compiler_that_is_none_is_one_clear_error(monkeypatch, command):
    monkeypatch.setenv("CC", command)
    header = c_header(nn.Flatten(), (1, 2, 2), "net", pixels=None)
    x = np.zeros((1, 1, 2, 2), np.float32)
    with pytest.raises(InputError, match=r"^export: "):
        c_difference(header, "net", nn.Flatten(), x, pixels=None)
