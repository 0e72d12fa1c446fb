"""Objects that keep what backward needs, and leave gradients where people leave them."""

import inspect
import threading

import numpy as np
import pytest

from minise import InputError, gradcheck

RNG = np.random.default_rng(3)
X, W, B = RNG.standard_normal((4, 5)), RNG.standard_normal((5, 3)), RNG.standard_normal(3)


class Base:
    """x · W + b, whose `leave` is called with both gradients."""

    def __init__(self):
        self.W, self.b = W.copy(), B.copy()

    def weights(self):
        return self.W, self.b

    def forward(self, x):
        self.x = x
        W, b = self.weights()
        return x @ W + b

    def backward(self, dout):
        self.leave(self.x.T @ dout, dout.sum(axis=0))
        return dout @ self.weights()[0].T


class Attributes(Base):
    def leave(self, dW, db):
        self.dW, self.db = dW, db


class Suffixed(Base):
    def leave(self, dW, db):
        self.W_grad, self.grad_b = dW, db


class Spelled(Base):
    def __init__(self):
        self.weight, self.bias = W.copy(), B.copy()

    def weights(self):
        return self.weight, self.bias

    def leave(self, dW, db):
        self.dW, self.db = dW, db


class Filled(Base):
    def __init__(self):
        super().__init__()
        self.gradients = {}

    def leave(self, dW, db):
        self.gradients["W"], self.gradients["db"] = dW, db


class Dictionaries(Base):
    def __init__(self):
        self.params = {"W1": W.copy(), "b1": B.copy()}
        self.grads = {name: np.zeros_like(value) for name, value in self.params.items()}

    def weights(self):
        return self.params["W1"], self.params["b1"]

    def leave(self, dW, db):
        self.grads["W1"] += dW
        self.grads["b1"] += db


class Lists(Base):
    def __init__(self):
        self.params = [W.copy(), B.copy()]
        self.grads = [np.zeros_like(value) for value in self.params]

    def weights(self):
        return self.params

    def leave(self, dW, db):
        self.grads[0][...], self.grads[1][...] = dW, db


class OtherLists(Lists):
    def __init__(self):
        self.learned, self.moments = [W.copy(), B.copy()], []
        self.gradients = [np.zeros_like(value) for value in self.learned]

    def weights(self):
        return self.learned

    def leave(self, dW, db):
        self.gradients[:] = [dW, db]


class Stale(Dictionaries):
    """What grads holds is of no use."""

    def leave(self, dW, db):
        self.dW1, self.db1 = dW, db


class Value:
    def __init__(self, value):
        self.value, self.grad = value, np.zeros_like(value)


class Values(Base):
    def __init__(self):
        self.w, self.c = Value(W.copy()), Value(B.copy())

    def weights(self):
        return self.w.value, self.c.value

    def leave(self, dW, db):
        self.w.grad += dW
        self.c.grad += db


class Nested(Base):
    def __init__(self):
        self.layers = [Attributes(), Doubled()]

    def forward(self, x):
        for layer in self.layers:
            x = layer.forward(x)
        return x

    def backward(self, dout):
        for layer in reversed(self.layers):
            dout = layer.backward(dout)
        return dout


class Doubled:
    def forward(self, x):
        return 2 * x

    def backward(self, dout):
        return 2 * dout


class Returned(Base):
    def backward(self, dout):
        return dout @ self.W.T, self.x.T @ dout, dout.sum(axis=0)


class ReturnedByName(Base):
    def backward(self, dout):
        return {"dx": dout @ self.W.T, "dW": self.x.T @ dout, "db": dout.sum(axis=0)}


class Descending(Base):
    """Its backward makes the step of gradient descent itself."""

    def backward(self, output_gradient, learning_rate):
        dx = output_gradient @ self.W.T
        self.W -= learning_rate * (self.x.T @ output_gradient)
        self.b = self.b - learning_rate * output_gradient.sum(axis=0)
        return dx


class Stack(Base):
    """Runs only once after each forward."""

    def forward(self, x):
        self.stack = [x]
        return x @ self.W + self.b

    def backward(self, dout):
        x = self.stack.pop()
        self.dW, self.db = x.T @ dout, dout.sum(axis=0)
        return dout @ self.W.T


class Reusing(Attributes):
    """The memory of dx is one."""

    def __init__(self):
        super().__init__()
        self.memory = np.zeros((4, 5))

    def backward(self, dout):
        super().backward(dout)
        return np.matmul(dout, self.W.T, out=self.memory)


class Tied(Attributes):
    """Both names are of one array."""

    def __init__(self):
        super().__init__()
        self.params = {"W": self.W, "b": self.b}

    def weights(self):
        return self.params["W"], self.b


FORMS = {
    Attributes: ["W", "b"], Suffixed: ["W", "b"], Spelled: ["weight", "bias"],
    Filled: ["W", "b"], Dictionaries: ["W1", "b1"], Lists: ["params[0]", "params[1]"],
    OtherLists: ["learned[0]", "learned[1]"], Stale: ["W1", "b1"],
    Values: ["w.value", "c.value"], Nested: ["layers[0].W", "layers[0].b"], Returned: ["W", "b"],
    ReturnedByName: ["W", "b"], Descending: ["W", "b"], Stack: ["W", "b"], Reusing: ["W", "b"],
    Tied: ["W", "b"],
}  # fmt: skip


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.__name__)
def test_parameters_are_found_with_their_gradients(form):
    used = form()
    used.backward(used.forward(X), *[0.1] * (form is Descending))  # what that left is no matter
    for subject in (form, form(), used):
        report = gradcheck.check(subject, X)
        assert report.passed, str(report)
        assert [gradient.name for gradient in report.gradients] == ["x", *FORMS[form]]
        assert report.said == ()


@pytest.mark.parametrize(
    "form",
    [form for form in FORMS if form.__base__ in (Base, Attributes) and hasattr(form, "leave")],
)
def test_a_wrong_gradient_is_found_in_each(form):
    class Wrong(form):
        def leave(self, dW, db):
            super().leave(2 * dW, db)

    report = gradcheck.check(Wrong, X)
    assert [gradient.name for gradient in report.gradients if not gradient.passed] == [
        FORMS[form][0]
    ]


def test_an_object_stays_as_it_was():
    layer = Dictionaries()
    gradcheck.assert_gradients(layer, X)
    np.testing.assert_array_equal(layer.params["W1"], W)
    assert not layer.grads["W1"].any()
    assert not hasattr(layer, "x")


def test_both_methods_of_an_object_are_the_object():
    layer = Attributes()
    report = gradcheck.check((layer.forward, layer.backward), X)
    assert report.passed
    assert [gradient.name for gradient in report.gradients] == ["x", "W", "b"]


def test_float32_is_taken_to_float64():
    layer = Attributes()
    layer.W = layer.W.astype(np.float32)
    assert gradcheck.check(layer, X.astype(np.float32)).passed


def test_a_parameter_without_a_gradient_is_told():
    class Forgetful(Base):
        scale = 3.0

        def leave(self, dW, db):
            self.dW = dW

    report = gradcheck.check(Forgetful, X)
    assert report.said == ("b is held by Forgetful, but no gradient of it was found",)


def test_a_step_before_the_gradient_of_the_input_is_wrong():
    class Hasty(Base):
        def backward(self, output_gradient, learning_rate):
            self.W -= learning_rate * (self.x.T @ output_gradient)
            self.b -= learning_rate * output_gradient.sum(axis=0)
            return output_gradient @ self.W.T

    report = gradcheck.check(Hasty, X)
    assert not report["x"].passed
    assert report["W"].passed


def test_a_gradient_that_another_backward_changes():
    class Counting(Attributes):
        calls = 0

        def leave(self, dW, db):
            self.calls += 1
            super().leave(dW * self.calls**2, db)

    assert "a different gradient of W when called a second time" in str(
        gradcheck.check(Counting, X)
    )


class Normalising:
    """Has a training argument, and averages that move."""

    def __init__(self):
        self.gamma, self.mean = np.full(5, 1.5), np.zeros(5)

    def forward(self, x, train_flg):
        self.centred = x - (x.mean(axis=0) if train_flg else self.mean)
        self.train_flg = train_flg
        if train_flg:
            self.mean = 0.9 * self.mean + 0.1 * x.mean(axis=0)
        return self.gamma * self.centred

    def backward(self, dout):
        self.dgamma = (dout * self.centred).sum(axis=0)
        dx = self.gamma * dout
        return dx - dx.mean(axis=0) if self.train_flg else dx


def test_training_is_passed_on():
    report = gradcheck.check(Normalising, X)
    assert report.passed
    assert report.said == ()
    assert gradcheck.check(Normalising, X, training=False).passed
    always = type(
        "Always", (Normalising,), {"train_flg": property(lambda _: True, lambda *_: None)}
    )
    assert gradcheck.check(always, X).passed
    assert not gradcheck.check(always, X, training=False).passed


class Setting(Base):
    """Returns nothing."""

    def forward(self, inputs):
        self.inputs = inputs
        self.output = inputs @ self.W + self.b

    def backward(self, dvalues):
        self.dW, self.db = self.inputs.T @ dvalues, dvalues.sum(axis=0)
        self.dinputs = dvalues @ self.W.T


def test_what_is_set_instead_of_returned():
    report = gradcheck.check(Setting, X)
    assert report.passed
    assert [gradient.name for gradient in report.gradients] == ["inputs", "W", "b"]

    class Flipped(Setting):
        def backward(self, dvalues):
            super().backward(dvalues)
            self.dinputs *= -1

    assert not gradcheck.check(Flipped, X)["inputs"].passed


def test_outputs_names_the_attributes_that_forward_sets():
    class Two(Doubled):
        def forward(self, x):
            self.double, self.triple = 2 * x, 3 * x

        def backward(self, ddouble, dtriple):
            return 2 * ddouble + 3 * dtriple

    with pytest.raises(InputError, match="set no attribute output"):
        gradcheck.check(Two, X)
    with pytest.raises(InputError, match="set no attribute double or half"):
        gradcheck.check(Two, X, outputs=("double", "half"))
    assert gradcheck.check(Two, X, outputs=("double", "triple")).passed


def softmax(scores):
    p = np.exp(scores - scores.max(axis=1, keepdims=True))
    return p / p.sum(axis=1, keepdims=True)


class CrossEntropy:
    def forward(self, scores, labels):
        self.p, self.labels = softmax(scores), labels
        return -np.log(self.p[np.arange(len(labels)), labels])

    def slopes(self):
        dx = self.p.copy()
        dx[np.arange(len(self.labels)), self.labels] -= 1
        return dx


class PerSample(CrossEntropy):
    def backward(self, dout):
        return dout[:, None] * self.slopes()


class Mean(CrossEntropy):
    def forward(self, scores, labels):
        return super().forward(scores, labels).mean()

    def backward(self, dout=1.0):
        return dout * self.slopes() / len(self.p)


class WithoutDy(Mean):
    def backward(self):
        return self.slopes() / len(self.p)


class HandedLabels(Mean):
    def backward(self, dout, labels):
        self.labels = labels
        return super().backward(dout)


class OfPredictions:
    """As in books: backward is handed the predictions, and the loss of each sample is returned."""

    def forward(self, y_pred, y_true):
        return ((y_pred - y_true) ** 2).mean(axis=1)

    def backward(self, dvalues, y_true):
        self.dinputs = 2 * (dvalues - y_true) / dvalues.size


class OfItsOutput:
    def forward(self, inputs, labels):
        self.output = softmax(inputs)
        return -np.log(self.output[np.arange(len(labels)), labels]).mean()

    def backward(self, dvalues, labels):
        self.dinputs = dvalues.copy()
        self.dinputs[np.arange(len(labels)), labels] -= 1
        self.dinputs /= len(labels)


def test_a_loss_that_ignores_its_dy():
    class Ignores(Mean):
        def backward(self, dout=1.0):
            return self.slopes() / len(self.p)

    class Needs(Ignores):
        def backward(self, dout):
            return super().backward()

    report = gradcheck.check(Ignores, X, LABELS)  # as the book writes it, where nothing follows
    assert report.passed
    assert "backward does not use dout" in report.said[-1]
    assert not gradcheck.check(Needs, X, LABELS).passed

    class Half(Ignores):
        def backward(self, dout=1.0):
            return super().backward() / 2

    assert not gradcheck.check(Half, X, LABELS).passed


def test_a_loss_without_dy_may_have_parameters():
    class Whole(Attributes):
        def forward(self, x, labels):
            self.loss = Mean()
            return self.loss.forward(super().forward(x), labels)

        def backward(self):
            return super().backward(self.loss.backward())

    report = gradcheck.check(Whole, X, np.array([0, 2, 2, 1]))
    assert report.passed
    assert [gradient.name for gradient in report.gradients] == ["x", "W", "b"]


LABELS = np.array([0, 4, 2, 2])


@pytest.mark.parametrize(
    ("loss", "target"),
    [(PerSample, LABELS), (Mean, LABELS), (WithoutDy, LABELS), (HandedLabels, LABELS),
     (OfPredictions, X[::-1]), (OfItsOutput, LABELS)],
)  # fmt: skip
def test_losses(loss, target):
    report = gradcheck.check(loss, X, target)
    assert report.passed, str(report)
    assert len(report.gradients) == 1

    class Twice(loss):
        def forward(self, *inputs):
            return 2 * super().forward(*inputs)

    names = list(inspect.signature(loss().forward).parameters)
    assert not gradcheck.check(Twice, X, target, names=names).passed
    assert ("held against the mean of 4 losses" in str(report)) == (loss is OfPredictions)


class Net:
    def __init__(self):
        self.params = {"W": W.copy(), "b": B.copy()}

    def scores(self, X):
        return X @ self.params["W"] + self.params["b"]

    def loss(self, X, y):
        layer = CrossEntropy()
        loss = layer.forward(self.scores(X), y).mean()
        d = layer.slopes() / len(y)
        return loss, {"W": X.T @ d, "b": d.sum(axis=0)}


class Apart(Net):
    def loss(self, X, y):
        return super().loss(X, y)[0]

    def gradient(self, X, y):
        return Net.loss(self, X, y)[1]


@pytest.mark.parametrize(
    "subject",
    [Net, Net(), Net().loss, Apart, Apart().loss],
    ids=["class", "net", "loss", "apart", "its"],
)
def test_a_loss_that_is_a_method_is_differentiated_by_the_parameters(subject):
    labels = np.array([0, 1, 2, 0])
    report = gradcheck.check(subject, X, labels)
    assert report.passed
    assert [gradient.name for gradient in report.gradients] == ["W", "b"]
    assert report.said == ("X: backward gives no gradient of it, so that none was checked",)


class Locked(Doubled):
    def __init__(self):
        self.lock = threading.Lock()


class Silent(Base):
    def leave(self, dW, db):
        pass

    def backward(self, dout):
        super().backward(dout)


class Sized(Base):
    def __init__(self, size):
        pass


class Odd(Doubled):
    def backward(self, dout, momentum):
        return dout


@pytest.mark.parametrize(
    ("subject", "message"),
    [
        (Locked, "Locked is copied for each run, and cannot be: .*lock"),
        (Silent, "no gradient of Silent was found: its backward returned none"),
        (Sized, r"Sized is a class that needs arguments: give an object, as in Sized\(…\)"),
        (Odd, "expected an output for each dy: its backward takes dout, momentum"),
    ],
)
def test_what_does_not_fit_is_one_clear_line(subject, message):
    with pytest.raises(InputError, match=message):
        gradcheck.check(subject, X)
