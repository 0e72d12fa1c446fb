"""Code as people have it, right and wrong, checked without a line of glue."""

from pathlib import Path

import numpy as np
import pytest

from minise import gradcheck
from minise.cli.own_code import own_example

PEOPLE = Path(__file__).parents[1] / "people"
REFERENCE = Path(__file__).parents[3] / "tutorials/reference/gradcheck.md"

RIGHT = {
    "layers.py": [
        "affine_forward", "batchnorm_forward", "conv_forward_naive", "dropout_forward", "svm_loss",
        "softmax_loss", "rnn_step_forward", "lstm_step_forward", "two_layer_net",
    ],
    "classes.py": [
        "affine", "SoftmaxWithLoss", "TwoLayers", "Relu", "dense", "Activation_ReLU",
        "Loss_CrossEntropy", "Linear", "Elman",
    ],
}  # fmt: skip

# What is checked, the right code, what is written for it, and whose gradients that makes wrong.
WRONG = [
    ("affine_forward", "dout @ w.T)", "dout @ w.T / 2)", "x"),
    ("affine_forward", "np.sum(dout, axis=0)", "np.mean(dout, axis=0)", "b"),
    ("batchnorm_forward", " - dxhat.mean(axis=0)", "", "x"),
    ("batchnorm_forward", "(dout * xhat).sum", "(dout * xhat).mean", "gamma"),
    ("conv_forward_naive", "dpadded[:, :, rows, columns] += (", "dpadded[:, :, rows, columns] = (",
     "x"),
    ("conv_forward_naive", "dpadded[:, :, pad : pad", "dpadded[:, :, 0 : 0", "x"),
    ("dropout_forward", "dout * mask if", "dout if", "x"),
    ("svm_loss", "dx[rows, y] -= dx.sum(axis=1)", "pass", "x"),
    ("softmax_loss", "dx[rows, y] -= 1", "pass", "x"),
    ("softmax_loss", "dx / len(y)", "dx", "x"),
    ("rnn_step_forward", "dnext_h * (1 - next_h**2)", "dnext_h", "x prev_h Wx Wh b"),
    ("lstm_step_forward", "dnext_c + dnext_h * o * (1 - t**2)", "dnext_c", "x prev_h prev_c Wx Wh"),
    ("lstm_step_forward", "dnext_h * t * o", "dnext_c * t * o", "x prev_h Wx Wh b"),
    ("two_layer_net", "self.reg * W1\n", "2 * self.reg * W1\n", "W1"),
    ("two_layer_net", "dhidden * (hidden > 0)", "dhidden", "W1 b1"),
    ("affine", "np.dot(self.x.T, dout)", "2 * np.dot(self.x.T, dout)", "params[0]"),
    ("SoftmaxWithLoss", " / n\n", "\n", "x"),
    ("TwoLayers", "np.sum(dout, axis=0)\n        return", "dout[0]\n        return",
     "layers[0].params[1] layers[2].params[1]"),
    ("Relu", "dx[self.mask] = 0", "pass", "x"),
    ("dense", "np.dot(dvalues, self.weights.T)", "-np.dot(dvalues, self.weights.T)", "inputs"),
    ("dense", "np.sum(dvalues, axis=0, keepdims=True)", "dvalues[:1]", "biases"),
    ("Activation_ReLU", "self.inputs <= 0", "self.inputs >= 0", "inputs"),
    ("Loss_CrossEntropy", " / dvalues / samples", " / dvalues", "y_pred"),
    ("Linear", 'self.grads["W"] += self.x.T @ dout', 'self.grads["W"] -= self.x.T @ dout', "W"),
    ("Elman", "(dh_next + dy @ self.Wy.T)", "dh_next", "x h Wx Wh"),
    ("Elman", "self.h_next.T @ dy", "self.h_next.T @ dy * 2", "Wy"),
]  # fmt: skip


def checked(path, name):
    example = own_example(f"{path}:{name}", (), np.random.default_rng(0))
    rng = np.random.default_rng(1)
    return gradcheck.check(example.subject, *example.inputs, rng=rng, **example.told)


@pytest.mark.parametrize(("file", "name"), [(f, name) for f in RIGHT for name in RIGHT[f]])
def test_right_code_passes(file, name):
    report = checked(PEOPLE / file, name)
    assert report.passed, str(report)


@pytest.mark.parametrize(("name", "right", "wrong", "gradients"), WRONG)
def test_wrong_code_fails_and_the_gradients_are_named(name, right, wrong, gradients, tmp_path):
    file = next(file for file, names in RIGHT.items() if name in names)
    text = (PEOPLE / file).read_text(encoding="utf-8")
    assert right in text
    (tmp_path / file).write_text(text.replace(right, wrong), encoding="utf-8")
    report = checked(tmp_path / file, name)
    assert not report.passed
    found = {gradient.name for gradient in report.gradients if not gradient.passed}
    found |= {n for n in gradients.split() for p in report.problems if f"gradient of {n} " in p}
    assert set(gradients.split()) <= found, str(report)


def test_the_wrong_code_is_of_every_kind_and_counted_in_the_reference():
    right = [name for names in RIGHT.values() for name in names]
    assert {name for name, *_ in WRONG} == set(right)
    text = REFERENCE.read_text(encoding="utf-8")
    assert f"\n* {len(right)} layers, losses and nets" in text
    assert f"wrong in {len(WRONG)} ways" in text
