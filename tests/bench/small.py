"""Cases that take no time, one of every kind."""

from minise.bench import cases

SMALL = [
    cases.conv("conv", 3, 4, 6, 5),
    cases.conv("conv, stride", 3, 4, 6, 8, kernel=5, stride=2),
    cases.conv("conv, grouped", 3, 4, 6, 5, kernel=1, groups=2),
    cases.linear("linear", 4, 6, 3),
    cases.se("se", 3, 8, 4, 2),
    cases.norm_relu("norm-relu", 3, 4, 5),
    cases.tail("tail", 3, 4, 5),
    cases.pool("pool", 3, 4, 6),
    cases.step("step, cnn", "se-cnn", 3),
    cases.step("step, resnet", "se-resnet8", 3),
    cases.evaluated("image", "se-resnet8"),
]
