"""The nets by name, and the functions that make them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import nullcontext
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from minise import backend
from minise.arrays import Array
from minise.errors import InputError
from minise.models import efficientnet, inception, mobilenet, mobilenetv3, regnet, resnet, vgg
from minise.models.blocks import OPTIONS, make_block
from minise.models.cnn import cnn, cnn3
from minise.models.kinds import KINDS
from minise.nearest import nearest
from minise.nn import Layer, unfilled
from minise.nn.layer import MadeAs
from minise.nn.widths import check_whole

MNIST, CIFAR, PHOTOS = (1, 28, 28), (3, 32, 32), (3, 224, 224)
PLACES = ("placement", "stages")
SMALL = (*PLACES, "stem_stride")  # of residual nets for small images


class _Net(NamedTuple):
    make: Callable[..., Layer]
    about: str
    image: tuple[int, int, int]  # what it was made for
    classes: int
    options: tuple[str, ...] = ()  # of `make`
    se: Mapping[str, Any] | None = {"reduction": 16}  # of its SE blocks, if it has any

    @property
    def all_options(self) -> tuple[str, ...]:
        return self.options if self.se is None else (*self.options, *OPTIONS)


_NETS: dict[str, _Net] = {}
QUARTER = {"reduction": 4}
OF_MOBILENETV3 = {"reduction": 4, "rounding": "torchvision", "gate": "hard_sigmoid"}
OF_EFFICIENTNET = {"reduction": 4, "activation": "silu"}  # of the block's input
OF_REGNET = {"reduction": 4, "rounding": "nearest"}  # of the block's input
NORM = ("norm_eps", "norm_momentum")


def _pair(name: str, net: _Net) -> None:
    """List a net with SE, and the same without it."""
    _NETS[f"se-{name}"] = net
    options = tuple(option for option in net.options if option not in PLACES)
    _NETS[name] = net._replace(about=f"se-{name} without SE", options=options, se=None)


_pair("cnn", _Net(cnn, "two convolutions, each with an SE block", MNIST, 10, se=QUARTER))
_pair("cnn3", _Net(cnn3, "three convolutions, two of them with SE", MNIST, 10, se={"reduction": 2}))
_pair(
    "resnet8",
    _Net(partial(resnet.small, 1), "three residual blocks with SE", MNIST, 10, SMALL, QUARTER),
)
_pair(
    "inception-tiny",
    _Net(inception.tiny, "three Inception modules with SE", MNIST, 10, se=QUARTER),
)
_pair(
    "mobilenet-tiny",
    _Net(
        partial(mobilenet.mobilenet, mobilenet.TINY),
        "four depthwise separable convolutions with SE",
        MNIST,
        10,
        se=QUARTER,
    ),
)
_pair(
    "mobilenetv3-tiny",
    _Net(
        partial(mobilenetv3.mobilenetv3, mobilenetv3.TINY, norm_eps=1e-5, norm_momentum=0.1),
        "four inverted residuals, three of them with SE",
        MNIST,
        10,
        NORM,
        OF_MOBILENETV3,
    ),
)
_pair(
    "efficientnet-tiny",
    _Net(
        partial(efficientnet.efficientnet, efficientnet.TINY),
        "four inverted residuals with SE and swish",
        MNIST,
        10,
        se=OF_EFFICIENTNET,
    ),
)
for _name, _widths in vgg.STAGES.items():
    _about = f"{sum(map(len, _widths))} convolutions, each with SE"
    _se = {"reduction": 8} if _name == "vgg-8k" else QUARTER
    _pair(_name, _Net(partial(vgg.vgg, _widths), _about, MNIST, 10, se=_se))
for _depth in (14, 20, 32, 56, 110):
    _blocks = (_depth - 2) // 6
    _pair(
        f"resnet{_depth}",
        _Net(
            partial(resnet.small, _blocks),
            f"{3 * _blocks} residual blocks with SE",
            MNIST if _depth == 14 else CIFAR,
            10,
            SMALL,
        ),
    )
_pair(
    "resnet164",
    _Net(partial(resnet.small, 18, bottleneck=True), "54 bottlenecks with SE", CIFAR, 10, SMALL),
)
for _name, _stages in resnet.IMAGENET.items():
    _imagenet = _Net(
        partial(resnet.imagenet, _name),
        f"{sum(_stages.blocks)} {_stages.kind} blocks with SE",
        PHOTOS,
        1000,
        (*PLACES, "stride_first", "ceil_pool"),
    )
    if _stages.kind == "senet":  # which would be another net without SE
        _NETS[_name] = _imagenet
    else:
        _pair(_name, _imagenet)
_pair(
    "mobilenet",
    _Net(
        partial(mobilenet.mobilenet, mobilenet.IMAGENET),
        "13 depthwise separable convolutions with SE",
        PHOTOS,
        1000,
    ),
)
for _name, _parts in {"large": mobilenetv3.LARGE, "small": mobilenetv3.SMALL}.items():
    _with_se = sum(block.has_se for block in _parts.blocks)
    _pair(
        f"mobilenetv3-{_name}",
        _Net(
            partial(mobilenetv3.mobilenetv3, _parts),
            f"{len(_parts.blocks)} inverted residuals, {_with_se} of them with SE",
            PHOTOS,
            1000,
            NORM,
            OF_MOBILENETV3,
        ),
    )
_pair(
    "efficientnet-b0",
    _Net(
        partial(efficientnet.efficientnet, efficientnet.B0),
        "16 inverted residuals with SE and swish",
        PHOTOS,
        1000,
        se=OF_EFFICIENTNET,
    ),
)
_pair(
    "regnety-400mf",
    _Net(
        partial(regnet.regnet, regnet.Y_400MF),
        "16 bottlenecks in groups, with SE",
        PHOTOS,
        1000,
        se=OF_REGNET,
    ),
)
_pair("bn-inception", _Net(inception.bn_inception, "ten Inception modules with SE", PHOTOS, 1000))


def names() -> list[str]:
    """The names that `create` knows."""
    return list(_NETS)


def about(name: str) -> str:
    """What the net of this name is, in a few words. Raises `InputError` for an unknown name."""
    return _net(name).about


def image_shape(name: str) -> tuple[int, int, int]:
    """The images (C, H, W) that the net was made for. Raises `InputError` for an unknown name."""
    return _net(name).image


def taking(image_shape: tuple[int, int, int]) -> list[str]:
    """The nets made for MNIST's images that also take one of (C, H, W)."""
    C, H, W = image_shape
    x = np.zeros((1, C, min(H, 64), min(W, 64)), np.float32)  # what takes 64×64 also takes more
    small = [name for name, net in _NETS.items() if net.image == MNIST]
    return [name for name in small if _takes(create(name, in_channels=C), x)]


def _takes(net: Layer, x: Array) -> bool:
    with backend.using("numpy"):
        try:
            net(x)
        except ValueError:
            return False
    return True


def has_option(name: str, option: str) -> bool:
    """Whether `create` takes it for this net. Raises `InputError` for an unknown name."""
    return option in _net(name).all_options


def check_options(name: str, options: Mapping[str, Any]) -> None:
    """Raises `InputError` for an unknown name or option, or a value of the wrong kind."""
    for option, value in options.items():
        if not has_option(name, option):
            raise InputError(f"{name}: {nearest('option', option, _net(name).all_options)}")
        fits, expected = KINDS[option]
        if not fits(value):
            raise InputError(f"{name}: {option} is {value!r}, expected {expected}")


def create(
    name: str,
    *,
    num_classes: int | None = None,
    in_channels: int | None = None,
    seed: int = 0,
    dtype: npt.DTypeLike = np.float32,
    filled: bool = True,
    **options: Any,
) -> Layer:
    """A new net, its weights drawn with `seed`: (N, in_channels, H, W) -> (N, num_classes).

    Channels and classes are those of the data that it was made for, unless given. With
    `filled=False` the weights are arbitrary, which costs no time: for counting, or where a state
    is loaded next. `options` are those of `nn.SEBlock` for all SE blocks of the net, as in
    `reduction=8, gate="tanh"` or `**nn.PRESETS["paper"].options`. Of residual nets there are also
    `placement`, `stages` (the numbers of those that have SE), for small images `stem_stride` (that
    of the first convolution), and for ImageNet's `stride_first` and `ceil_pool`, in which nets of
    the same name by others differ; of MobileNetV3 `norm_eps` and `norm_momentum`, those of every
    batch norm.

    `block` puts a relative in the place of every SE block: "ese" `nn.EffectiveSE`, "eca" `nn.ECA`,
    "scse" `nn.ConcurrentSE`, "sse" `nn.SpatialSE`, "ge" `nn.GatherExcite`; and `squeeze="none"`
    `nn.NoSqueeze`. The options are then those of that block. What the net itself chooses for its
    SE blocks, such as MobileNetV3's gate, the relative has as well where it has such an option.

    The state of one net fits another of the same name and options. Raises `InputError` for an
    unknown name or option, and for an option that does nothing with the block.
    """
    net, given = _net(name), dict(options)
    check_options(name, options)
    rng = np.random.default_rng(seed)
    se = None
    if net.se is not None:
        of_block = {key: options.pop(key) for key in OPTIONS if key in options}
        se = make_block(name, net.se, of_block, rng=rng, dtype=dtype)
    in_channels = net.image[0] if in_channels is None else in_channels
    num_classes = net.classes if num_classes is None else num_classes
    check_whole(name, in_channels=in_channels, num_classes=num_classes)
    try:
        with nullcontext() if filled else unfilled():
            made = net.make(
                se=se,
                num_classes=num_classes,
                in_channels=in_channels,
                rng=rng,
                dtype=dtype,
                **options,
            )
    except InputError:
        raise
    except (TypeError, ValueError, MemoryError) as error:
        raise InputError(f"{name}: its options do not fit: {error}") from None
    made.image_shape = in_channels, *net.image[1:]
    made.made_as = MadeAs(name, num_classes, in_channels, given)
    return made


def again(made: MadeAs) -> Layer:
    """A net like the one that was made so, its weights arbitrary."""
    _, num_classes, in_channels, options = made
    return create(
        made.name, num_classes=num_classes, in_channels=in_channels, filled=False, **options
    )


def call_of(made: MadeAs) -> str:
    """As in: models.create("se-resnet50", stride_first=False)."""
    return f'models.create("{made.name}"{arguments(made)})'


def arguments(made: MadeAs) -> str:
    """Those beside the name, each after a comma."""
    net = _net(made.name)
    given = {} if made.num_classes == net.classes else {"num_classes": made.num_classes}
    given |= {} if made.in_channels == net.image[0] else {"in_channels": made.in_channels}
    return "".join(f", {key}={value!r}" for key, value in {**given, **made.options}.items())


def _net(name: str) -> _Net:
    if name not in _NETS:
        raise InputError(nearest("model", name, names(), "minise models"))
    return _NETS[name]
