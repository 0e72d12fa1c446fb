"""Operations of a net for one image, counted as the model zoo osmr/imgclsmob counts them.

What its table holds are not multiply-adds alone. A convolution counts 2·KH·KW·OH·OW for each pair
of channels, and 1 less without a bias, a linear map 2 for each weight, batch norm 4 for each
number, relu 1, sigmoid 4, a pooling one for each pixel of its windows, and the squeeze nothing.
"""

from math import prod


class Counter:
    """Goes through a net with the shape of one image; each method is that of a layer's class."""

    def __init__(self, net):
        self.net, self.operations = net, 0

    def of(self, image):
        self.through(self.net, image)
        return self.operations

    def through(self, layer, shape):
        """Adds what the layer does for one image of this shape; the shape that it gives."""
        return getattr(self, type(layer).__name__)(layer, shape)

    def Sequential(self, layer, shape):
        for _, child in layer.children():
            shape = self.through(child, shape)
        return shape

    def Conv2d(self, layer, shape):
        F, C, KH, KW = layer.weight.value.shape
        output = [
            (size + 2 * padding - kernel) // stride + 1
            for size, padding, kernel, stride in zip(
                shape[1:], layer.padding, (KH, KW), layer.stride, strict=True
            )
        ]
        without_bias = layer.bias is None
        self.operations += (2 * KH * KW * output[0] * output[1] - without_bias) * F * C
        return (F, *output)

    def BatchNorm2d(self, layer, shape):
        self.operations += 4 * prod(shape)
        return shape

    def BatchNormReLU2d(self, layer, shape):
        self.operations += 5 * prod(shape)
        return shape

    def MaxPool2d(self, layer, shape):
        C, H, W = shape
        size, stride, padding, _ = layer.window
        output = [
            (n + 2 * p - k) // s + 1
            for n, p, k, s in zip((H, W), padding, size, stride, strict=True)
        ]
        self.operations += C * prod(output) * prod(size)
        return (C, *output)

    AvgPool2d = MaxPool2d

    def SEBlock(self, layer, shape):
        for fc in (layer.fc1, layer.fc2):
            self.operations += 2 * fc.weight.value.size
        self.operations += len(layer.fc1.bias.value) + 4 * shape[0]  # relu and sigmoid
        return shape

    def Residual(self, block, shape):
        u = shape
        for layer in block.branch():
            u = self.through(layer, u)
        if block.placement is not None:
            self.through(block.se, u)
        self.through(block.shortcut, shape)
        self.operations += prod(u)  # relu
        return u

    Bottleneck = Residual

    def Inception(self, module, shape):
        maps = [self.through(branch, shape) for branch in module.branches()]
        joined = (sum(channels for channels, _, _ in maps), *maps[0][1:])
        return self.through(module.se, joined)

    def GlobalAvgPool(self, layer, shape):
        self.operations += prod(shape)
        return shape[:1]

    def Dropout(self, layer, shape):
        return shape

    def Linear(self, layer, shape):
        self.operations += 2 * layer.weight.value.size
        return (len(layer.weight.value),)
