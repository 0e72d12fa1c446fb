#!/usr/bin/env bash
# MLX 0.32.4 and tinygrad 0.14.0: smooth functions put together of two halves have a derivative of 0
# where the halves meet, at exactly 0, which is what zeros in the weights, biases or inputs give.
# MLX's celu adds a maximum and a minimum, tinygrad's elu two relus, and at 0 neither of the two
# passes its gradient on: behind weights and biases of zero nothing is learned. tinygrad's erf,
# asin, acos and atan are multiplied by a sign, which is 0 there. The other activations are right,
# MLX's elu and tinygrad's celu among them. erf was mended after this release (pull request 17861).
#
#   derivative at             -0.002      0     0.002     right at 0
#   MLX       nn.celu          0.998      0     1         1
#   tinygrad  elu              0.998      0     1         1
#   tinygrad  erf              1.128      0     1.128     1.128
#   tinygrad  asin, atan       1          0     1         1
#   tinygrad  acos            -1          0    -1        -1
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip --quiet install "mlx[cpu]==0.32.4" tinygrad==0.14.0 numpy==2.4.6
cd "$folder"
cat > zero.py <<'END'
import mlx.core as mx
from mlx import nn
from tinygrad import Tensor

POINTS = (-0.002, 0.0, 0.002)


def mlx_slopes(function):
    return mx.grad(lambda x: function(x).sum())(mx.array(POINTS)).tolist()


def tinygrad_slopes(function):
    x = Tensor(POINTS)
    return function(x).sum().gradient(x)[0].tolist()


def check(name, slopes, expected):
    slopes = [round(slope, 3) for slope in slopes]
    print(f"{name:14}", *slopes)
    assert slopes == expected, name


check("mlx celu", mlx_slopes(nn.celu), [0.998, 0, 1])
check("mlx elu", mlx_slopes(nn.elu), [0.998, 1, 1])
check("tinygrad elu", tinygrad_slopes(Tensor.elu), [0.998, 0, 1])
check("tinygrad celu", tinygrad_slopes(Tensor.celu), [0.998, 1, 1])
check("tinygrad erf", tinygrad_slopes(Tensor.erf), [1.128, 0, 1.128])
check("tinygrad asin", tinygrad_slopes(Tensor.asin), [1, 0, 1])
check("tinygrad acos", tinygrad_slopes(Tensor.acos), [-1, 0, -1])
check("tinygrad atan", tinygrad_slopes(Tensor.atan), [1, 0, 1])
END
DEV=PYTHON venv/bin/python zero.py  # tinygrad's interpreter, which needs no compiler
