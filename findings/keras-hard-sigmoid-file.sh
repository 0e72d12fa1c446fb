#!/usr/bin/env bash
# A net with activation "hard_sigmoid" saved by tf_keras 2.21.0 (.keras or .h5) is loaded by Keras
# 3.15.1 without a word and computes something else: the name stood for 0.2·x + 0.5 there, and stands
# for x/6 + 0.5 now. Where it is the gate of an SE block, all gates change but ½ and those past ±3.
#
#   seen, x     -3      -2       -1      0      1       2      3
#   tf_keras     0     0.1      0.3    0.5    0.7     0.9      1
#   Keras        0   0.167    0.333    0.5  0.667   0.833      1
#
# The other way round, Keras' file is refused by tf_keras. TensorFlow makes the folder 2 GB.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip --quiet install \
  keras==3.15.1 tf_keras==2.21.0 tensorflow-cpu==2.21.0 numpy==2.4.6
cd "$folder"
cat > file.py <<'END'
import keras
import numpy as np
import tf_keras

x = np.arange(-3, 4, dtype=np.float32)[:, None]
layers = tf_keras.layers
gate = layers.Dense(1, activation="hard_sigmoid", kernel_initializer="ones")
net = tf_keras.Sequential([layers.Input((1,)), gate])
before = net.predict(x, verbose=0).ravel()
print("tf_keras", *before.round(3))
np.testing.assert_allclose(before, [0, 0.1, 0.3, 0.5, 0.7, 0.9, 1], atol=1e-3)
for name in ("gate.keras", "gate.h5"):
    net.save(name)
    after = keras.models.load_model(name).predict(x, verbose=0).ravel()
    print(name, *after.round(3))
    np.testing.assert_allclose(after, [0, 0.167, 0.333, 0.5, 0.667, 0.833, 1], atol=1e-3)
END
TF_CPP_MIN_LOG_LEVEL=3 venv/bin/python file.py
