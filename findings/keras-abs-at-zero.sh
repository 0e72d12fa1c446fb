#!/usr/bin/env bash
# Keras 3.15.1: the derivative of abs at 0 is the backend's: 0 with torch, 1 with jax. So with jax an
# L1 regularizer moves what is exactly zero, as biases and batch norm's beta are at the start: by
# itself, one step of SGD takes it to -rate·l1, and the next one back. The mean absolute error's
# gradient is not 0 where prediction and target are equal either, and leaky_relu, clip and relu with
# a max_value have another derivative at their kinks.
#
#   seen, derivative at the kink       jax 0.10.2      torch 2.13.0
#   L1(0.01) at 0                            0.01                 0
#   bias after one step, 0 before, l1 0.01   -0.01                0
#   mean_absolute_error(0, x) at 0          -1                    0
#   leaky_relu(x, 0.1) at 0                  1                  0.1
#   clip(x, 0, 1) at 0 and 1                 0.5, 0.5          1, 1
#   relu(x, max_value=3) at 3                0.5                  1
#   relu6(x) at 6, hard_sigmoid(x) at 3      0, 0              0, 0
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip --quiet install \
  keras==3.15.1 torch==2.13.0 jax==0.10.2 jaxlib==0.10.2 numpy==2.4.6
cd "$folder"
cat > zero.py <<'END'
import keras
import numpy as np
from keras import losses, ops, regularizers

BACKEND = keras.backend.backend()
EXPECTED = {
    "jax": {
        "L1": [0.01],
        "bias": [-0.01],
        "mean absolute error": [-1],
        "leaky_relu": [1],
        "clip": [0.5, 0.5],
        "relu to 3": [0.5],
        "relu6": [0],
        "hard_sigmoid": [0],
    },
    "torch": {
        "L1": [0],
        "bias": [0],
        "mean absolute error": [0],
        "leaky_relu": [0.1],
        "clip": [1, 1],
        "relu to 3": [1],
        "relu6": [0],
        "hard_sigmoid": [0],
    },
}


def slopes(function, *points):
    x = ops.convert_to_tensor(np.array(points, np.float32))
    if BACKEND == "jax":
        import jax

        dx = jax.grad(lambda x: ops.sum(function(x)))(x)
    else:
        x.requires_grad_()
        ops.sum(function(x)).backward()
        dx = x.grad
    return [round(v, 6) for v in dx.tolist()]


def bias_after_a_step():
    dense = keras.layers.Dense(1, bias_regularizer=regularizers.L1(0.01))
    net = keras.Sequential([keras.Input((1,)), dense])
    net.compile(keras.optimizers.SGD(1.0), "mse")
    net.train_on_batch(np.zeros((4, 1), np.float32), np.zeros((4, 1), np.float32))
    return [round(v, 6) for v in dense.bias.numpy().tolist()]


seen = {
    "L1": slopes(regularizers.L1(0.01), 0),
    "bias": bias_after_a_step(),
    "mean absolute error": slopes(lambda x: losses.mean_absolute_error(ops.zeros_like(x), x), 0),
    "leaky_relu": slopes(lambda x: ops.leaky_relu(x, 0.1), 0),
    "clip": slopes(lambda x: ops.clip(x, 0, 1), 0, 1),
    "relu to 3": slopes(lambda x: keras.activations.relu(x, max_value=3), 3),
    "relu6": slopes(ops.relu6, 6),
    "hard_sigmoid": slopes(ops.hard_sigmoid, 3),
}
for name, numbers in seen.items():
    print(f"{BACKEND:6} {name:20}", *numbers)
assert seen == EXPECTED[BACKEND]
END
KERAS_BACKEND=jax venv/bin/python zero.py
KERAS_BACKEND=torch venv/bin/python zero.py
